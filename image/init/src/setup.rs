//! Setting the box up: from a set-up disk, or with the settings that the wizard hands in. In: a FAT
//! file system with `anchorite.setup` (settings.rs), and, if they are there, the folders
//! `opendnssec` (configuration, in place of the image's) and `unsigned` (zone files). Out: files on
//! the data partition; `appliance.conf` is written last, so that a half done set-up is none.
//!
//! Limits: a box that is set up does not look at set-up disks; files of at most
//! [`FILE_OCTETS_MAX`], [`FILES_MAX`] of them; no folders in those folders.

use crate::boot::make_folder;
use crate::data;
use crate::disks;
use crate::kernel_log::{error, notice};
use crate::request::{LOGGER, ROOT, SIGNER, SIGNER_GROUP, SSH_HOST};
use crate::settings::{self, Settings, SettingsError};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Gid, Uid, chown};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const SETTINGS: &str = "/data/etc/appliance.conf";
const CONFIGURATION: &str = "/data/etc/opendnssec";
const CONFIGURATION_OF_IMAGE: &str = "/usr/share/anchorite/opendnssec";
const UNSIGNED: &str = "/data/opendnssec/unsigned";
const KEYS_FOLDER: &str = "/run/ssh";
const SETUP_FILE: &str = "anchorite.setup";
const SETUP_MOUNT: &str = "/run/setup-disk";
const FILE_OCTETS_MAX: u64 = 1 << 30;
const FILES_MAX: usize = 10_000;

/// Why the box is not set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("{}: {cause}", path.display())]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{}: {fault}", path.display())]
    Settings {
        path: PathBuf,
        #[source]
        fault: SettingsError,
    },
    #[error("{}: more than {FILES_MAX} files", folder.display())]
    FilesTooMany { folder: PathBuf },
    #[error("{}: larger than {FILE_OCTETS_MAX} bytes", path.display())]
    FileTooLarge { path: PathBuf },
}

fn file_fault(path: &Path) -> impl FnOnce(io::Error) -> SetupError {
    let path = path.to_owned();
    move |cause| SetupError::File { path, cause }
}

/// The folders of the data partition, with their owners.
pub(crate) fn make_folders() {
    make_folder("/data/etc", 0o755, ROOT, ROOT);
    make_folder("/data/log", 0o750, LOGGER, SIGNER_GROUP);
    make_folder(CONFIGURATION, 0o750, SIGNER, SIGNER_GROUP);
    make_folder("/data/opendnssec", 0o750, SIGNER, SIGNER_GROUP);
    for name in ["enforcer", "signconf", "signed", "signer", "tokens", "unsigned"] {
        make_folder(&format!("/data/opendnssec/{name}"), 0o750, SIGNER, SIGNER_GROUP);
    }
    make_folder("/data/opendnssec/tokens/softhsm", 0o700, SIGNER, SIGNER_GROUP);
    // The host key, and nobody else's business.
    make_folder("/data/ssh", 0o700, SSH_HOST, SIGNER_GROUP);
}

/// Writes the keys that may come in over SSH to where the SSH host reads them at each login. Root
/// keeps the file; the settings have them durably.
pub(crate) fn write_keys(settings: &Settings) {
    make_folder(KEYS_FOLDER, 0o755, ROOT, ROOT);
    let path = Path::new(KEYS_FOLDER).join("authorized_keys");
    let new = path.with_extension("new");
    let text: String = settings.ssh_keys.iter().map(|key| format!("{key}\n")).collect();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    let written = fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, mode))
        .and_then(|()| fs::rename(&new, &path));
    if let Err(cause) = written {
        error(&format!("{}: {cause}; nobody comes in over SSH", path.display()));
    }
}

/// The settings of a box that is set up.
pub(crate) fn saved() -> Result<Option<Settings>, SetupError> {
    let path = Path::new(SETTINGS);
    match fs::read(path) {
        Ok(octets) => parse(path, &octets).map(Some),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(file_fault(path)(cause)),
    }
}

fn parse(path: &Path, octets: &[u8]) -> Result<Settings, SetupError> {
    settings::parse_octets(octets)
        .map_err(|fault| SetupError::Settings { path: path.to_owned(), fault })
}

/// Sets the box up with these settings. Configuration that is there stays.
pub(crate) fn set_up(settings: &Settings) -> Result<(), SetupError> {
    if !Path::new(CONFIGURATION).join("conf.xml").exists() {
        copy_folder(Path::new(CONFIGURATION_OF_IMAGE), Path::new(CONFIGURATION))?;
    }
    let path = Path::new(SETTINGS);
    data::write_durably(path, settings.to_text().as_bytes()).map_err(file_fault(path))
}

/// Looks for a set-up disk, and sets the box up from it. None: there is no such disk.
pub(crate) fn from_disk() -> Option<Result<Settings, SetupError>> {
    if let Err(cause) = fs::create_dir_all(SETUP_MOUNT) {
        error(&format!("{SETUP_MOUNT}: {cause}"));
        return None;
    }
    let candidates = disks::list().into_iter().filter(|device| {
        let ours = [disks::DATA_NAME, disks::ESP_NAME, disks::UNFINISHED_NAME];
        !device.partition_name.as_deref().is_some_and(|name| ours.contains(&name))
    });
    candidates.map(|device| disks::path(&device.name)).find_map(|device| from_device(&device))
}

fn from_device(device: &Path) -> Option<Result<Settings, SetupError>> {
    let mut sector = [0; 512];
    File::open(device).and_then(|mut file| file.read_exact(&mut sector)).ok()?;
    if !looks_like_fat(&sector) {
        return None;
    }
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let options = "iocharset=ascii,codepage=437";
    // A file system that the kernel does not take is no set-up disk.
    mount(Some(device), SETUP_MOUNT, Some("vfat"), flags, Some(options)).ok()?;
    let folder = Path::new(SETUP_MOUNT);
    let outcome = folder.join(SETUP_FILE).exists().then(|| {
        notice(&format!("setting up from {}", device.display()));
        from_folder(folder)
    });
    if let Err(cause) = umount2(SETUP_MOUNT, MntFlags::empty()) {
        error(&format!("{SETUP_MOUNT}: {cause}"));
    }
    outcome
}

/// The boot sector of a FAT file system: its signature, and a size of sectors that there is.
fn looks_like_fat(sector: &[u8; 512]) -> bool {
    let sector_octets = u16::from_le_bytes([sector[11], sector[12]]);
    sector[510..] == [0x55, 0xaa]
        && [512, 1024, 2048, 4096].contains(&sector_octets)
        && (sector[54..].starts_with(b"FAT") || sector[82..].starts_with(b"FAT32"))
}

fn from_folder(folder: &Path) -> Result<Settings, SetupError> {
    let path = folder.join(SETUP_FILE);
    let mut octets = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(settings::OCTETS_MAX as u64 + 1).read_to_end(&mut octets))
        .map_err(file_fault(&path))?;
    let settings = parse(&path, &octets)?;
    for (from, to) in [("opendnssec", CONFIGURATION), ("unsigned", UNSIGNED)] {
        let from = folder.join(from);
        if from.is_dir() {
            copy_folder(&from, Path::new(to))?;
        }
    }
    set_up(&settings)?;
    Ok(settings)
}

/// Copies the files of a folder; they belong to the daemon. Replaces what is there.
fn copy_folder(from: &Path, to: &Path) -> Result<(), SetupError> {
    let mut count = 0;
    for entry in fs::read_dir(from).map_err(file_fault(from))? {
        let path = entry.map_err(file_fault(from))?.path();
        let (true, Some(name)) = (path.is_file(), path.file_name()) else { continue };
        count += 1;
        if count > FILES_MAX {
            return Err(SetupError::FilesTooMany { folder: from.to_owned() });
        }
        let mut source = File::open(&path).map_err(file_fault(&path))?.take(FILE_OCTETS_MAX + 1);
        let target = to.join(name);
        let mut file = File::create(&target).map_err(file_fault(&target))?;
        if io::copy(&mut source, &mut file).map_err(file_fault(&target))? > FILE_OCTETS_MAX {
            return Err(SetupError::FileTooLarge { path });
        }
        let owner = (Some(Uid::from_raw(SIGNER)), Some(Gid::from_raw(SIGNER_GROUP)));
        chown(&target, owner.0, owner.1).map_err(|cause| file_fault(&target)(cause.into()))?;
        file.sync_all().map_err(file_fault(&target))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_sectors() {
        let mut sector = [0; 512];
        assert!(!looks_like_fat(&sector), "a blank disk");
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        assert!(!looks_like_fat(&sector), "a partition table");
        sector[11..13].copy_from_slice(&512_u16.to_le_bytes());
        sector[82..90].copy_from_slice(b"FAT32   ");
        assert!(looks_like_fat(&sector));
        sector[11] = 7;
        assert!(!looks_like_fat(&sector));
    }

    #[test]
    fn a_wrong_file_sets_nothing_up() {
        let folder = std::env::temp_dir().join(format!("anchorite-setup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(SETUP_FILE), "hostname = a\nnetwork = wifi\n").unwrap();
        let refused = from_folder(&folder).unwrap_err();
        assert!(
            refused.to_string().ends_with("line 2: wifi: expected dhcp or static"),
            "{refused}"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
