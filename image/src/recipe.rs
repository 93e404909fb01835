//! What goes into the image, and where it stands. In: the built programs, unpacked packages.
//! Out: `vmlinuz` and `initramfs.zst` (for tests and hypervisors that start a kernel themselves),
//! `anchorite.efi` (the unified kernel image), `anchorite.disk`, `manifest.json`.
//!
//! The initramfs is the root file system: nothing of it is written to, all state is on the data
//! partition. Where OpenDNSSEC looks for its files, links lead there.

use crate::archive::{Node, Tree};
use crate::manifest::{self, Package};
use crate::{ImageError, disk, elf, kernel_modules, read, unified};
use std::path::{Path, PathBuf};

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The one binary.
    pub anchorite: PathBuf,
    /// PID 1.
    pub init: PathBuf,
    /// The unpacked package of the kernel.
    pub kernel: PathBuf,
    /// The unpacked package systemd-boot-efi.
    pub boot: PathBuf,
    /// Version of the image.
    pub version: String,
    /// Time of the sources, seconds since 1970: of all files, and below which no clock can be
    /// right.
    pub time: u32,
    /// The Debian packages that the files come from.
    pub packages: Vec<Package>,
}

/// Command line of the kernel. Without `panic`, Debian's kernel stops for good after a panic; with
/// `loglevel=4`, only errors get between the lines of an operator; with `gpt`, the kernel reads the
/// backup of a partition table that was being written when power failed.
pub const COMMAND_LINE: &str =
    "console=tty0 console=ttyS0,115200 quiet loglevel=4 panic=10 oops=panic gpt";

const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// Programs of the machine that the image has: path there, path here.
const PROGRAMS: &[(&str, &str)] = &[
    ("/usr/bin/softhsm2-util", "/usr/bin/softhsm2-util"),
    ("/sbin/mke2fs", "/usr/sbin/mke2fs"),
    ("/sbin/e2fsck", "/usr/sbin/e2fsck"),
];
/// Names under which the one binary is OpenDNSSEC's programs.
const NAMES: &[&str] = &[
    "ods-auditor",
    "ods-control",
    "ods-enforcer",
    "ods-enforcerd",
    "ods-hsmspeed",
    "ods-hsmutil",
    "ods-kaspcheck",
    "ods-ksmutil",
    "ods-signer",
    "ods-signerd",
];
/// Where file systems are mounted.
const MOUNT_POINTS: &[&str] = &["data", "dev", "proc", "run", "sys"];
/// Users: the daemon's, under our name and under the one that Debian's conf.xml uses; the one who
/// writes logs; the SSH host's, which at the daemon's control socket may only pass on what others
/// may; the operator at the console, whose group may use that socket.
const PASSWD: &str = "\
root:x:0:0:root:/:/sbin/nologin
anchorite:x:900:900:signer:/var/lib/opendnssec:/sbin/nologin
opendnssec:x:900:900:signer:/var/lib/opendnssec:/sbin/nologin
logger:x:901:901:logs:/:/sbin/nologin
anchorite-ssh:x:902:900:ssh:/:/sbin/nologin
operator:x:1000:900:operator:/:/sbin/nologin
nobody:x:65534:65534:nobody:/:/sbin/nologin
";
const GROUP: &str = "\
root:x:0:
tty:x:5:
anchorite:x:900:
opendnssec:x:900:
logger:x:901:
nogroup:x:65534:
";
const SOFTHSM_CONF: &str = "\
directories.tokendir = /data/opendnssec/tokens/softhsm
objectstore.backend = file
log.level = ERROR
";
const ZSTD_LEVEL: i32 = 15;
/// The firmware's file system and our update both want some room.
const UNIFIED_OCTETS_MAX: u64 = 60 << 20;

/// Builds everything into `out`. Gives the manifest and the sizes of the parts, for a person.
pub fn build(inputs: &Inputs, out: &Path, listing: Listing) -> Result<Vec<Part>, ImageError> {
    std::fs::create_dir_all(out).map_err(ImageError::file(out))?;
    let tree = root(inputs)?;
    let archive = tree.to_cpio(inputs.time);
    let initramfs = compress(&archive)?;
    let kernel = read(&kernel_file(&inputs.kernel)?)?;
    let efi = inputs.boot.join("usr/lib/systemd/boot/efi");
    let stub = read(&efi.join("linuxx64.efi.stub"))?;
    let loader = read(&efi.join("systemd-bootx64.efi"))?;
    let release = release_file(&inputs.version);
    let unified = unified::build(
        &stub,
        &[
            unified::Section { name: ".osrel", data: release.as_bytes() },
            unified::Section { name: ".cmdline", data: COMMAND_LINE.as_bytes() },
            unified::Section { name: ".initrd", data: &initramfs },
            unified::Section { name: ".linux", data: &kernel },
        ],
    )?;
    if unified.len() as u64 > UNIFIED_OCTETS_MAX {
        let (octets, octets_max) = (unified.len() as u64, UNIFIED_OCTETS_MAX);
        return Err(ImageError::TooLarge {
            what: "the unified image".to_owned(),
            octets,
            octets_max,
        });
    }
    let place = format!("EFI/Linux/anchorite_{}.efi", inputs.version);
    let disk_file = out.join("anchorite.disk");
    disk::write(
        &disk_file,
        &[
            ("EFI/BOOT/BOOTX64.EFI", &loader),
            ("loader/loader.conf", b"timeout 0\neditor no\n"),
            (&place, &unified),
        ],
    )?;
    let whole_disk = read(&disk_file)?;
    let outputs = [
        ("vmlinuz", kernel.as_slice()),
        ("initramfs.zst", &initramfs),
        ("anchorite.efi", &unified),
        ("anchorite.disk", &whole_disk),
    ];
    for (name, octets) in &outputs[..3] {
        write(&out.join(name), octets)?;
    }
    let text = manifest::render(&inputs.version, inputs.time, &inputs.packages, &tree, &outputs);
    write(&out.join("manifest.json"), text.as_bytes())?;
    parts(&tree, archive.len(), &outputs, listing)
}

/// The tree of the root file system.
fn root(inputs: &Inputs) -> Result<Tree, ImageError> {
    let mut tree = Tree::new();
    for path in MOUNT_POINTS {
        tree.folder(path, 0o755);
    }
    tree.folder("tmp", 0o1777);
    // The kernel opens the console for PID 1 before anything is mounted.
    tree.add("dev/console", 0o600, Node::Device(5, 1));
    tree.add("dev/null", 0o666, Node::Device(1, 3));
    elf::add(&mut tree, "init", &inputs.init)?;
    elf::add(&mut tree, "usr/bin/anchorite", &inputs.anchorite)?;
    elf::add(&mut tree, SOFTHSM, Path::new(SOFTHSM))?;
    for (here, there) in PROGRAMS {
        elf::add(&mut tree, here, Path::new(there))?;
    }
    for name in NAMES {
        tree.link(&format!("usr/bin/{name}"), "anchorite");
    }
    tree.link("bin", "usr/bin");
    kernel_modules::add(&mut tree, &modules_folder(&inputs.kernel)?)?;
    tree.file("etc/passwd", 0o644, PASSWD);
    tree.file("etc/group", 0o644, GROUP);
    tree.file("etc/softhsm2.conf", 0o644, SOFTHSM_CONF);
    tree.file("etc/os-release", 0o644, release_file(&inputs.version));
    tree.file("etc/image-time", 0o644, format!("{}\n", inputs.time));
    tree.link("etc/resolv.conf", "/run/resolv.conf");
    tree.link("etc/opendnssec", "/data/etc/opendnssec");
    tree.folder("var/lib", 0o755);
    tree.link("var/lib/opendnssec", "/data/opendnssec");
    tree.link("var/run", "/run");
    for (name, text) in [
        ("conf.xml", include_str!("../files/conf.xml")),
        ("kasp.xml", include_str!("../../examples/default/kasp.xml")),
        ("zonelist.xml", include_str!("../files/zonelist.xml")),
    ] {
        tree.file(&format!("usr/share/anchorite/opendnssec/{name}"), 0o644, text);
    }
    Ok(tree)
}

fn release_file(version: &str) -> String {
    format!(
        "ID=anchorite\nNAME=Anchorite\nPRETTY_NAME=\"Anchorite {version}\"\nVERSION_ID={version}\n"
    )
}

fn kernel_file(package: &Path) -> Result<PathBuf, ImageError> {
    only(&package.join("boot"), "vmlinuz-*", |name| name.starts_with("vmlinuz-"))
}

fn modules_folder(package: &Path) -> Result<PathBuf, ImageError> {
    only(&package.join("lib/modules"), "kernel version", |_| true)
}

/// The one entry of a folder whose name pleases.
fn only(
    folder: &Path,
    what: &'static str,
    pleases: fn(&str) -> bool,
) -> Result<PathBuf, ImageError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(ImageError::file(folder))? {
        let entry = entry.map_err(ImageError::file(folder))?;
        if entry.file_name().to_str().is_some_and(pleases) {
            found.push(entry.path());
        }
    }
    let count = found.len();
    let one = found.pop().filter(|_| count == 1);
    one.ok_or_else(|| ImageError::NotOne { folder: folder.to_owned(), what, count })
}

fn write(path: &Path, octets: &[u8]) -> Result<(), ImageError> {
    std::fs::write(path, octets).map_err(ImageError::file(path))
}

/// Parts of the image, and where their files are in the initramfs. The first that fits counts.
const PARTS: &[(&str, &[&str])] = &[
    ("anchorite", &["usr/bin/anchorite"]),
    ("init", &["init"]),
    ("kernel modules", &["lib/modules/"]),
    ("SoftHSM", &["usr/lib/softhsm/", "usr/bin/softhsm2-util"]),
    ("  its libraries", &["lib/x86_64-linux-gnu/libcrypto", "lib/x86_64-linux-gnu/libstdc++"]),
    ("mke2fs, e2fsck", &["sbin/"]),
    ("  their libraries", &["lib/x86_64-linux-gnu/libext2fs", "lib/x86_64-linux-gnu/libblkid"]),
    ("C library and the like", &["lib/", "lib64/"]),
    ("everything else", &[""]),
];

/// What is told of the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// Their sizes.
    Sizes,
    /// Also what each takes when it is compressed by itself, which takes seconds.
    Packed,
}

/// A part of what was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub name: String,
    /// Its size.
    pub octets: u64,
    /// What it takes of the initramfs, compressed by itself; None for what is not in it, and for
    /// [`Listing::Sizes`].
    pub packed: Option<u64>,
}

/// Sizes of the outputs, and of the parts of the initramfs.
fn parts(
    tree: &Tree,
    archive: usize,
    outputs: &[(&str, &[u8])],
    listing: Listing,
) -> Result<Vec<Part>, ImageError> {
    let part = |name: &str, octets: usize, packed| Part {
        name: name.to_owned(),
        octets: octets as u64,
        packed,
    };
    let mut all: Vec<Part> =
        outputs.iter().map(|(name, octets)| part(name, octets.len(), None)).collect();
    all.push(part("initramfs, unpacked", archive, None));
    let mut of_parts = vec![Vec::new(); PARTS.len()];
    for (path, contents) in tree.files() {
        let fits = |(_, begins): &(&str, &[&str])| begins.iter().any(|b| path.starts_with(b));
        if let Some(at) = PARTS.iter().position(fits) {
            of_parts[at].extend_from_slice(contents);
        }
    }
    for ((name, _), octets) in PARTS.iter().zip(of_parts) {
        let packed = match listing {
            Listing::Sizes => None,
            Listing::Packed => Some(compress(&octets)?.len() as u64),
        };
        all.push(part(&format!("  {name}"), octets.len(), packed));
    }
    Ok(all)
}

fn compress(octets: &[u8]) -> Result<Vec<u8>, ImageError> {
    zstd::bulk::compress(octets, ZSTD_LEVEL)
        .map_err(|cause| ImageError::Making { what: "initramfs", cause })
}
