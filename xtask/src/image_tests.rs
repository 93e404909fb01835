//! `cargo xtask boot-tests`: builds the image and boots it in QEMU (tests/tests/boot). In: nothing.
//! Out: the tests' verdict. Installs QEMU where it is missing: it is large, so `setup` leaves it
//! out.

use std::path::Path;
use std::process::Command;

use crate::image::{self, Profile};
use crate::setup;
use crate::workspace::{Outcome, cargo, find_program, run as run_command};

/// How much to test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What CI runs: the kernel started by QEMU itself, programs as tests build them.
    Quick,
    /// Also the disk by its firmware, and programs as they are shipped.
    Full,
}

const QEMU: &str = "qemu-system-x86_64";
const PACKAGES: &[&str] = &["qemu-system-x86", "ovmf", "gdisk"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MIRROR: &str = "http://deb.debian.org/debian";
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";

/// Runs the tests.
pub(crate) fn run(extent: Extent) -> Outcome {
    install()?;
    let profile = if extent == Extent::Quick { Profile::Dev } else { Profile::Release };
    match extent {
        Extent::Quick => image::run(profile)?,
        Extent::Full => image::run_twice(profile)?,
    }
    let mut tests = cargo();
    tests.args(["test", "-p", "anchorite-tests", "--features", "boot,nagios"]);
    tests.args(["--test", "boot", "--test", "nagios", "--"]);
    // Each machine takes a processor; two at a time only make both slow.
    tests.args(["--test-threads", "1"]);
    if extent == Extent::Quick {
        tests.args(["quick"]);
    }
    tests.env("ANCHORITE_IMAGE", image::folder(profile));
    run_command(&mut tests)
}

/// QEMU, its firmware, and what judges the partition table.
fn install() -> Outcome {
    let programs = [QEMU, "sgdisk"];
    let is_there = |name: &&str| find_program(name).is_some();
    if programs.iter().all(is_there) && Path::new(FIRMWARE).exists() {
        return Ok(());
    }
    let root = setup::is_root();
    if is_from_backports("qemu-utils") {
        return install_from_backports(root);
    }
    if run_command(&mut setup::install_command(root, PACKAGES)).is_ok() {
        return Ok(());
    }
    println!("boot-tests: fetching the package lists");
    run_command(setup::privileged(root, "apt-get").args(["update", "-q"]))?;
    run_command(&mut setup::install_command(root, PACKAGES))
}

/// Whether the machine has that package, from Debian's backports.
fn is_from_backports(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    let version = query.args(["-W", "-f", "${Version}", package]).output();
    version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("~bpo"))
}

/// Where other parts of QEMU are from the backports, it has to be, too: the stable one conflicts
/// with them. The machine's own package sources stay as they are.
fn install_from_backports(root: bool) -> Outcome {
    let folder = std::env::temp_dir().join(format!("anchorite-apt-{}", std::process::id()));
    let lists = folder.join("lists");
    let sources = folder.join("sources.list");
    let line = |suite| format!("deb [signed-by={KEYRING}] {MIRROR} {suite} main\n");
    let text = ["bookworm", "bookworm-backports"].map(line).concat();
    std::fs::create_dir_all(lists.join("partial"))
        .and_then(|()| std::fs::write(&sources, text))
        .map_err(|e| format!("{}: {e}", folder.display()))?;
    let options = [
        format!("Dir::Etc::sourcelist={}", sources.display()),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={}", lists.display()),
    ];
    let with_options = |command: &mut Command| {
        for option in &options {
            command.arg("-o").arg(option);
        }
    };
    let mut update = setup::privileged(root, "apt-get");
    update.args(["update", "-q"]);
    with_options(&mut update);
    let mut install = setup::install_command(root, PACKAGES);
    install.args(["-t", "bookworm-backports"]);
    with_options(&mut install);
    let installed = run_command(&mut update).and_then(|()| run_command(&mut install));
    std::fs::remove_dir_all(&folder).ok();
    installed
}
