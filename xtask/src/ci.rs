//! `cargo xtask test`: what CI runs, in the order of STYLE H18; stops at the first step that fails.
//! Runs the tests with cargo-nextest where it is installed (a process for each test, which PKCS#11
//! modules with their global state like), else with `cargo test`. Tests have to pass under both.
//! Tests keep their files in memory where there is room: they make them durable thousands of times,
//! and no test cuts the power.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::workspace::{Outcome, cargo, find_program, run as run_command};
use crate::{deny, image_tests, setup, tidy};

/// How much of CI to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything.
    Full,
    /// Without setup and clippy: for the minute between two edits.
    Quick,
}

type Step = (&'static str, fn() -> Outcome);

const SETUP: Step = ("setup", setup::run);
const FORMAT: Step = ("format", || run_command(cargo().args(["fmt", "--all", "--check"])));
const CLIPPY: Step = ("clippy", || {
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]);
    clippy.args(["--features", "anchorite-tests/boot,anchorite-tests/nagios"]);
    run_command(clippy.args(["--", "-D", "warnings"]))
});
const TIDY: Step = ("tidy", tidy::run);
const DENY: Step = ("deny", deny::run);
const TESTS: Step = ("tests", tests);

/// Each criterion bench once, with small zones: it measures nothing, it shows that they work.
const BENCHES: Step =
    ("benches", || run_command(cargo().args(["test", "-p", "anchorite-benches", "--benches"])));

/// The image, booted; the rest of its tests is run by `cargo xtask boot-tests`.
const BOOT: Step = ("boot", || image_tests::run(image_tests::Extent::Quick));

const FULL: &[Step] = &[SETUP, FORMAT, CLIPPY, TIDY, DENY, TESTS, BOOT, BENCHES];
const QUICK: &[Step] = &[FORMAT, TIDY, DENY, TESTS];

/// Runs the steps and prints each one's time.
pub(crate) fn run(extent: Extent) -> Outcome {
    let steps = if extent == Extent::Full { FULL } else { QUICK };
    let started = Instant::now();
    let mut times = Vec::new();
    for (name, step) in steps {
        eprintln!("xtask: {name}");
        let begun = Instant::now();
        let result = step();
        times.push(format!("{name} {:.0} s", begun.elapsed().as_secs_f64()));
        result.map_err(|e| format!("{name} FAILED ({}): {e}", times.join(", ")))?;
    }
    let total = started.elapsed().as_secs_f64();
    eprintln!("xtask: all steps passed in {total:.0} s ({})", times.join(", "));
    Ok(())
}

fn tests() -> Outcome {
    if find_program("cargo-nextest").is_none() {
        return run_command(in_memory(cargo().args(["test", "--workspace"])));
    }
    // Doc tests first: nextest does not run them, and its summary should close the run.
    run_command(cargo().args(["test", "--workspace", "--doc", "--quiet"]))?;
    run_command(in_memory(&mut nextest()))
}

/// A folder in memory that every Linux has.
const SHARED_MEMORY: &str = "/dev/shm";
/// Octets that have to be free in it.
const ROOM_OCTETS: u64 = 2 << 30;

/// Lets a command keep its temporary files in memory, unless somebody said where.
fn in_memory(command: &mut Command) -> &mut Command {
    let has_said = std::env::var_os("TMPDIR").is_some();
    if !has_said && has_room(Path::new(SHARED_MEMORY)) {
        command.env("TMPDIR", SHARED_MEMORY);
    }
    command
}

/// Whether programs may be run from this folder, and files are welcome.
fn has_room(folder: &Path) -> bool {
    let Ok(system) = statvfs(folder) else { return false };
    let room = system.blocks_available() * system.fragment_size();
    !system.flags().contains(FsFlags::ST_NOEXEC) && room >= ROOM_OCTETS
}

fn nextest() -> Command {
    let mut command = cargo();
    command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "fail"]);
    command.args(["--final-status-level", "slow"]);
    // Half as many again as there are processors: most tests of daemons wait now and then.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let count = processors + processors.div_ceil(2);
    command.args(["--test-threads", &count.to_string()]);
    command
}
