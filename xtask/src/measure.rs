//! Wall time, user time and peak memory of one command, with the processes that it starts. The
//! kernel tells a process the time of *all* children it waited for (getrusage(2)), so each measured
//! command gets a parent of its own: this program started again as `xtask measure COMMAND
//! ARGUMENTS..`, which runs the command, inherits and waits for what that leaves behind
//! (PR_SET_CHILD_SUBREAPER), asks, and prints one line. Memory is looked at by [`tree`] meanwhile.
//! That needs no `unsafe` and no package. A daemon does not end: it is measured until it has put
//! its file in place, and then killed.

mod tree;

use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::sys::wait::waitpid;

use crate::workspace::{Outcome, show};
use tree::Watch;

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) wall_seconds: f64,
    pub(crate) user_seconds: f64,
    pub(crate) peak_bytes: u64,
}

const MARK: &str = "xtask-measured";

/// Milliseconds between two looks whether a daemon still runs.
const LOOK_MILLISECONDS: u16 = 200;

/// Runs the command, output discarded, and returns what it took. Fails if it exits with another
/// status than 0.
pub(crate) fn measure(command: &Command) -> Outcome<Cost> {
    measure_with(&["measure"], command)
}

/// Runs a command that does not end, output discarded, until `file` is there, which must come by a
/// rename; returns what it took until then. Fails if the command ends before, or after `wait`.
pub(crate) fn measure_until_written(
    command: &Command,
    file: &Path,
    wait: Duration,
) -> Outcome<Cost> {
    let file = file.to_str().ok_or_else(|| format!("{} is no text", file.display()))?;
    measure_with(&["measure-until", file, &wait.as_secs().to_string()], command)
}

fn measure_with(how: &[&str], command: &Command) -> Outcome<Cost> {
    let this = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let mut outer = Command::new(this);
    outer.args(how).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    let output = outer.output().map_err(|e| format!("cannot start {}: {e}", show(&outer)))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", show(command), text.trim()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| format!("{} was not measured: {text}", show(command)))
}

/// The inner process: runs, asks the kernel, prints one line.
pub(crate) fn run_inner(program: &str, arguments: &[&str]) -> Outcome {
    let started = Instant::now();
    let mut child = spawn(program, arguments)?;
    let watch = Watch::start(child.id());
    let status = child.wait().map_err(|e| format!("{program}: {e}"))?;
    let wall = started.elapsed();
    if !status.success() {
        return Err(format!("{status}"));
    }
    print_cost(wall, watch)
}

/// The inner process for a daemon: the same, but ends it when `file` is there.
pub(crate) fn run_inner_until(
    file: &str,
    seconds: &str,
    program: &str,
    arguments: &[&str],
) -> Outcome {
    let wait = Duration::from_secs(seconds.parse().map_err(|_| format!("{seconds}: no number"))?);
    let file = Path::new(file);
    let folder = file.parent().ok_or("the file has no folder")?;
    let watch = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
        .map_err(|e| format!("inotify: {e}"))?;
    watch.add_watch(folder, AddWatchFlags::IN_MOVED_TO).map_err(|e| format!("inotify: {e}"))?;
    let started = Instant::now();
    let mut child = spawn(program, arguments)?;
    let memory = Watch::start(child.id());
    let appeared = wait_for(file, &watch, &mut child, started + wait);
    let wall = started.elapsed();
    // The kernel counts its time up to here. One that has ended already cannot be killed.
    child.kill().ok();
    child.wait().map_err(|e| format!("{program}: {e}"))?;
    appeared?;
    print_cost(wall, memory)
}

fn spawn(program: &str, arguments: &[&str]) -> Outcome<Child> {
    set_child_subreaper(true).map_err(|e| format!("prctl: {e}"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().map_err(|e| format!("cannot start {program}: {e}"))
}

/// Waits until `file` is there.
fn wait_for(file: &Path, watch: &Inotify, child: &mut Child, deadline: Instant) -> Outcome {
    loop {
        // Looked at first: what it did before it ended is not lost.
        let ended = child.try_wait().map_err(|e| format!("cannot wait: {e}"))?;
        if file.exists() {
            return Ok(());
        }
        if let Some(status) = ended {
            return Err(format!("ended before it wrote {}: {status}", file.display()));
        }
        if Instant::now() > deadline {
            return Err(format!("has not written {} in time", file.display()));
        }
        let mut events = [PollFd::new(watch.as_fd(), PollFlags::POLLIN)];
        poll(&mut events, LOOK_MILLISECONDS).map_err(|e| format!("poll: {e}"))?;
        // Taken so that the next poll waits; that there is none is no fault.
        watch.read_events().ok();
    }
}

fn print_cost(wall: Duration, watch: Watch) -> Outcome {
    // What the command started and did not wait for is ours now; the rest is no child of ours.
    let seen = watch.end(|process| _ = waitpid(process, None));
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| format!("getrusage: {e}"))?;
    let (wall, user) = (wall.as_secs_f64(), usage.user_time().num_microseconds() as f64 / 1e6);
    // Linux counts the peak in KiB, and that of the largest process alone.
    let largest = u64::try_from(usage.max_rss() * 1024).unwrap_or(0);
    println!("{MARK} {wall} {user} {}", largest.max(seen));
    Ok(())
}

fn parse(text: &str) -> Option<Cost> {
    let line = text.lines().find_map(|line| line.strip_prefix(MARK))?;
    let mut words = line.split_whitespace();
    Some(Cost {
        wall_seconds: words.next()?.parse().ok()?,
        user_seconds: words.next()?.parse().ok()?,
        peak_bytes: words.next()?.parse().ok()?,
    })
}

/// The middle value of each column on its own.
pub(crate) fn median(mut costs: Vec<Cost>) -> Option<Cost> {
    let middle = costs.len() / 2;
    let mut column = |key: fn(&Cost) -> f64| {
        costs.sort_by(|a, b| key(a).total_cmp(&key(b)));
        costs.get(middle).map(key)
    };
    let wall_seconds = column(|c| c.wall_seconds)?;
    let user_seconds = column(|c| c.user_seconds)?;
    costs.sort_by_key(|cost| cost.peak_bytes);
    Some(Cost { wall_seconds, user_seconds, peak_bytes: costs.get(middle)?.peak_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_taken_by_column() {
        let cost = |w, u, p| Cost { wall_seconds: w, user_seconds: u, peak_bytes: p };
        let costs = vec![cost(3.0, 1.0, 20), cost(1.0, 3.0, 10), cost(2.0, 2.0, 30)];
        assert_eq!(median(costs), Some(cost(2.0, 2.0, 20)));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn measured_line_is_found_among_others() {
        let cost = parse("noise\nxtask-measured 1.5 0.25 4096\n");
        let expected = Cost { wall_seconds: 1.5, user_seconds: 0.25, peak_bytes: 4096 };
        assert_eq!(cost, Some(expected));
        assert_eq!(parse("noise\n"), None);
    }

    /// Measures `sh -c script` until `$1` is there.
    fn until_written(name: &str, script: &str, seconds: &str) -> Outcome {
        let folder = std::env::temp_dir().join(format!("measure-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("file").display().to_string();
        let outcome = run_inner_until(&file, seconds, "sh", &["-c", script, "sh", &file]);
        std::fs::remove_dir_all(&folder).unwrap();
        outcome
    }

    #[test]
    fn what_a_command_leaves_behind_is_waited_for() {
        let count = |to| format!("i=0; while [ $i -lt {to} ]; do i=$((i+1)); done");
        let (long, short) = (count(200_000), count(20_000));
        let script = format!("({long}; mv \"$1.tmp\" \"$1\") & {short}");
        let folder = std::env::temp_dir();
        let file = folder.join(format!("measure-left-{}", std::process::id()));
        std::fs::write(file.with_extension("tmp"), "").unwrap();
        let path = file.with_extension("").display().to_string();
        run_inner("sh", &["-c", &script, "sh", &path]).unwrap();
        assert!(file.exists(), "the command ended before what it started");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_daemon_is_measured_until_its_file_is_there() {
        let script = "echo > \"$1.tmp\"; mv \"$1.tmp\" \"$1\"; exec sleep 1000";
        assert_eq!(until_written("daemon", script, "60"), Ok(()));
    }

    #[test]
    fn a_daemon_that_ends_or_hangs_without_a_file_is_an_error() {
        let ended = until_written("ended", "exit 3", "60").unwrap_err();
        assert!(ended.contains("ended before it wrote") && ended.contains("3"), "{ended}");
        let late = until_written("late", "exec sleep 1000", "0").unwrap_err();
        assert!(late.contains("has not written"), "{late}");
    }
}
