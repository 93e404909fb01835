//! What PID 1 does once, before the first service: file systems, kernel modules, limits. In: an
//! initramfs as `image` makes it. Out: a machine on which programs can run. What fails is said and
//! left out: a box that comes up with less can be looked at, one that stops cannot.

use crate::kernel_log::{error, notice};
use crate::watchdog;
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};
use nix::sys::prctl;
use nix::sys::reboot::set_cad_enabled;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, chown, sethostname};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Modules in the order of loading, and those for machines without a watchdog.
const MODULE_LIST: &str = "/lib/modules/load.list";
const WATCHDOG_LIST: &str = "/lib/modules/watchdog.list";
/// What a slot host may lock: PINs and keys of the built-in token, never swapped out.
const LOCKED_OCTETS_MAX: u64 = 256 << 20;
const OPEN_FILES_MAX: u64 = 65_536;
/// Values of /proc/sys.
const KERNEL_SETTINGS: &[(&str, &str)] = &[
    // SSH (22) and DNS (53) are served without being root; every listener on this box is ours.
    ("net/ipv4/ip_unprivileged_port_start", "22"),
    // Addresses of the kernel and its log are nobody's business.
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
];

struct Mount {
    kind: &'static str,
    place: &'static str,
    options: &'static str,
    flags: MsFlags,
}

/// Mounts what every program needs.
pub(crate) fn mount_basics() {
    let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let devices = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let new = |kind, place, options, flags| Mount { kind, place, options, flags };
    for wanted in [
        new("devtmpfs", "/dev", "mode=0755", devices),
        new("proc", "/proc", "", closed),
        new("sysfs", "/sys", "", closed),
        new("devpts", "/dev/pts", "ptmxmode=0666,mode=0620,gid=5", devices),
        new("tmpfs", "/dev/shm", "mode=1777,size=16m", closed),
        new("tmpfs", "/run", "mode=0755,size=16m", closed),
        new("tmpfs", "/tmp", "mode=1777,size=64m", closed),
    ] {
        // Most of them are there; the rest shows when it is mounted on.
        let _ = fs::create_dir_all(wanted.place);
        mount_one(&wanted);
    }
}

/// Mounts what only some machines have: the firmware's variables and its crash records.
pub(crate) fn mount_firmware() {
    let closed = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let variables = "/sys/firmware/efi/efivars";
    if Path::new(variables).exists() {
        let flags = closed | MsFlags::MS_RDONLY;
        mount_one(&Mount { kind: "efivarfs", place: variables, options: "", flags });
    }
    if Path::new("/sys/fs/pstore").exists() {
        mount_one(&Mount { kind: "pstore", place: "/sys/fs/pstore", options: "", flags: closed });
    }
}

fn mount_one(wanted: &Mount) {
    let Mount { kind, place, options, flags } = wanted;
    match mount(Some(*kind), *place, Some(*kind), *flags, Some(*options)) {
        Ok(()) | Err(Errno::EBUSY) => {}
        Err(cause) => error(&format!("{kind} on {place}: {cause}")),
    }
}

/// From here on nothing of the root file system is written to.
pub(crate) fn lock_root() {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    if let Err(cause) = mount(None::<&str>, "/", None::<&str>, flags, None::<&str>) {
        error(&format!("the root file system stays writable: {cause}"));
    }
}

/// Loads the modules of the image; a watchdog in software only where there is no other, since that
/// would take the first place.
pub(crate) fn load_modules() {
    load_list(MODULE_LIST);
    if !watchdog::is_there() {
        load_list(WATCHDOG_LIST);
    }
}

fn load_list(path: &str) {
    let list = fs::read_to_string(path).unwrap_or_default();
    let loaded = list.lines().filter(|module| load(module)).count();
    notice(&format!("{path}: {loaded} kernel modules"));
}

fn load(path: &str) -> bool {
    let opened = File::open(path).map_err(|cause| cause.to_string());
    let loaded = opened.and_then(|file| {
        match finit_module(&file, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => Ok(true),
            // Drivers of clouds that this machine is not part of, and modules that build on them.
            Err(Errno::ENODEV | Errno::ENOENT) => Ok(false),
            Err(cause) => Err(cause.to_string()),
        }
    });
    loaded.unwrap_or_else(|cause| {
        error(&format!("kernel module {path}: {cause}"));
        false
    })
}

/// Limits and rights that every process inherits.
pub(crate) fn set_limits() {
    for (limit, value) in [
        (Resource::RLIMIT_MEMLOCK, LOCKED_OCTETS_MAX),
        (Resource::RLIMIT_NOFILE, OPEN_FILES_MAX),
        // A dump of memory would hold PINs.
        (Resource::RLIMIT_CORE, 0),
    ] {
        if let Err(cause) = setrlimit(limit, value, value) {
            error(&format!("{limit:?}: {cause}"));
        }
    }
    if let Err(cause) = prctl::set_no_new_privs() {
        error(&format!("no_new_privs: {cause}"));
    }
    // Ctrl-Alt-Del becomes a signal, so that it ends in an ordered stop.
    if let Err(cause) = set_cad_enabled(false) {
        error(&format!("Ctrl-Alt-Del: {cause}"));
    }
    for (name, value) in KERNEL_SETTINGS {
        if let Err(cause) = fs::write(Path::new("/proc/sys").join(name), value) {
            error(&format!("{name}: {cause}"));
        }
    }
}

/// Makes a folder with that mode and owner, where it is missing.
pub(crate) fn make_folder(path: &str, mode: u32, user: u32, group: u32) {
    let made = fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .and_then(|()| Ok(chown(path, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?));
    if let Err(cause) = made {
        error(&format!("{path}: {cause}"));
    }
}

/// Gives the machine its name.
pub(crate) fn set_hostname(name: &str) {
    if let Err(cause) = sethostname(name) {
        error(&format!("name {name}: {cause}"));
    }
}
