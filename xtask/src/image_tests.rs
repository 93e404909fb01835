//! `cargo xtask boot-tests`: builds the image and boots it in QEMU (tests/tests/boot). In: nothing.
//! Out: the tests' verdict. Installs QEMU where it is missing: it is large, so `setup` leaves it out.

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
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";

/// Runs the tests.
pub(crate) fn run(extent: Extent) -> Outcome {
    install()?;
    let profile = if extent == Extent::Quick { Profile::Dev } else { Profile::Release };
    image::run(profile)?;
    let mut tests = cargo();
    tests.args(["test", "-p", "anchorite-tests", "--features", "boot", "--test", "boot", "--"]);
    // Each machine takes a processor; two at a time only make both slow.
    tests.args(["--test-threads", "1"]);
    if extent == Extent::Quick {
        tests.args(["quick"]);
    }
    tests.env("ANCHORITE_IMAGE", image::folder(profile));
    run_command(&mut tests)
}

/// QEMU and its firmware. Where tools of QEMU come from Debian's backports, it has to, too: the
/// stable one conflicts with them.
fn install() -> Outcome {
    if find_program(QEMU).is_some() && Path::new(FIRMWARE).exists() {
        return Ok(());
    }
    let packages = ["qemu-system-x86", "ovmf"];
    if run_command(&mut setup::install_command(setup::is_root(), &packages)).is_ok() {
        return Ok(());
    }
    println!("boot-tests: trying Debian's backports");
    let mut command: Command = setup::install_command(setup::is_root(), &packages);
    command.args(["-t", "bookworm-backports"]);
    run_command(&mut command).map_err(|e| {
        format!(
            "{e}: install {} by hand; backports have to be in the package sources",
            packages.join(" ")
        )
    })
}
