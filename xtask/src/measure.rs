//! Wall time, user time and peak memory of one command. The kernel tells a process the peak of
//! *all* children it waited for (getrusage(2)), so each measured command gets a parent of its own:
//! this program started again as `xtask measure COMMAND ARGUMENTS..`, which runs the command, asks,
//! and prints one line. That needs no `unsafe` and no package.

use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::workspace::{Outcome, show};

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cost {
    pub(crate) wall_seconds: f64,
    pub(crate) user_seconds: f64,
    pub(crate) peak_bytes: u64,
}

const MARK: &str = "xtask-measured";

/// Runs the command, output discarded, and returns what it took. Fails if it exits with another
/// status than 0.
pub(crate) fn measure(command: &Command) -> Outcome<Cost> {
    let this = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let mut outer = Command::new(this);
    outer.arg("measure").arg(command.get_program()).args(command.get_args());
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
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let started = Instant::now();
    let status = command.status().map_err(|e| format!("cannot start {program}: {e}"))?;
    let wall = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{status}"));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|e| format!("getrusage: {e}"))?;
    let user = usage.user_time().num_microseconds() as f64 / 1e6;
    // Linux counts the peak in KiB.
    println!("{MARK} {wall} {user} {}", usage.max_rss() * 1024);
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
}
