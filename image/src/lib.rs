//! Builder of the bootable appliance image: a kernel of Debian's with the modules that it needs,
//! `init`, the one binary, their libraries and SoftHSM2, as an initramfs, as a unified kernel image
//! and as a GPT disk. Needs no root, no loop device and no mount, and makes the same bytes of the
//! same inputs: every time, identifier and order is given, none is taken from the machine.
//!
//! In: files. Out: files, and a manifest with the SHA-256 of each. Never: the network (`cargo xtask
//! image` fetches the packages), keys, zones. Limits: x86-64; the disk's data partition is made at
//! the first boot, by `init`, as large as the disk is.
#![forbid(unsafe_code)]

pub mod archive;
pub mod disk;
pub mod elf;
pub mod kernel_modules;
pub mod manifest;
pub mod recipe;
pub mod unified;

use std::path::PathBuf;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// A file could not be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: std::io::Error,
    },
    /// A program or library that is no ELF file for this machine, or a damaged one.
    #[error("{}: not a usable ELF file: {cause}", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        #[source]
        cause: object::read::Error,
    },
    /// A library that nobody has.
    #[error("{} needs {library}, which no library folder has; install it", needed_by.display())]
    LibraryMissing {
        /// Its file name.
        library: String,
        /// Who needs it.
        needed_by: PathBuf,
    },
    /// A module that the kernel package does not have, neither as a file nor built in.
    #[error("the kernel has no module {name}, which {needed_by} needs")]
    ModuleMissing {
        /// Its name.
        name: String,
        /// The module that depends on it, or the list of the image.
        needed_by: String,
    },
    /// A folder that should hold exactly one thing of a kind.
    #[error("{}: expected one {what}, found {count}", folder.display())]
    NotOne {
        /// The folder.
        folder: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// The stub of unified kernel images is not what it should be.
    #[error("the EFI stub is not usable: {0}")]
    Stub(#[from] unified::StubError),
    /// The partition table.
    #[error("partition table: {0}")]
    Table(#[from] gpt::GptError),
    /// The protective MBR.
    #[error("protective MBR: {0}")]
    ProtectiveMbr(#[from] gpt::mbr::MBRError),
    /// Writing the file system of the EFI system partition, or the compression.
    #[error("{what}: {cause}")]
    Making {
        /// What was being made.
        what: &'static str,
        /// The system's words.
        #[source]
        cause: std::io::Error,
    },
    /// Something is too large for its place.
    #[error("{what}: {octets} bytes, at most {octets_max}")]
    TooLarge {
        /// What.
        what: String,
        /// Its size.
        octets: u64,
        /// The limit.
        octets_max: u64,
    },
}

impl ImageError {
    /// For `map_err`: the file goes with what the system says.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> ImageError {
        let path = path.to_owned();
        move |cause| ImageError::File { path, cause }
    }
}

/// Reads a file; the error names it.
pub(crate) fn read(path: &std::path::Path) -> Result<Vec<u8>, ImageError> {
    std::fs::read(path).map_err(ImageError::file(path))
}
