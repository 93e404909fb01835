//! Peak memory of a process and all that it starts, by looking every [`INTERVAL`]: each process's
//! own pages, and the pages shared with files once, at the most that one process has of them. In:
//! /proc (proc_pid_statm(5)). Short peaks between two looks are missed; the kernel's own count of
//! the largest process is the lower bound that the caller knows.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use nix::unistd::Pid;

const INTERVAL: Duration = Duration::from_millis(10);

/// Linux on all that we build for has pages of this size.
const PAGE_BYTES: u64 = 4096;

/// Looks until it is ended.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    looker: JoinHandle<(u64, BTreeSet<u32>)>,
}

impl Watch {
    /// Begins with this process.
    pub(super) fn start(root: u32) -> Watch {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let looker = spawn(move || {
            let (mut peak, mut seen) = (0, BTreeSet::new());
            while !over.load(Ordering::Relaxed) {
                let family = family(root);
                peak = peak.max(bytes(&family));
                seen.extend(family);
                sleep(INTERVAL);
            }
            (peak, seen)
        });
        Watch { is_over, looker }
    }

    /// The peak, in bytes. Calls `wait` for each process that was seen.
    pub(super) fn end(self, wait: impl Fn(Pid)) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        let (peak, seen) = self.looker.join().unwrap_or_default();
        seen.iter().for_each(|process| wait(Pid::from_raw(*process as i32)));
        peak
    }
}

/// What these processes have now.
fn bytes(family: &BTreeSet<u32>) -> u64 {
    let (mut own, mut shared) = (0, 0);
    for process in family {
        let Ok(text) = fs::read_to_string(format!("/proc/{process}/statm")) else { continue };
        let mut pages = text.split_whitespace().skip(1).map(|word| word.parse().unwrap_or(0));
        let (resident, in_files): (u64, u64) =
            (pages.next().unwrap_or(0), pages.next().unwrap_or(0));
        own += resident.saturating_sub(in_files);
        shared = shared.max(in_files);
    }
    (own + shared) * PAGE_BYTES
}

/// The process and its descendants.
fn family(root: u32) -> BTreeSet<u32> {
    let mut family = BTreeSet::new();
    let mut next = vec![root];
    while let Some(process) = next.pop() {
        if !family.insert(process) {
            continue;
        }
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
        for thread in threads.flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            next.extend(children.split_whitespace().filter_map(|word| word.parse::<u32>().ok()));
        }
    }
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_one_that_is_gone_has_none() {
        assert!(bytes(&family(std::process::id())) > 0);
        assert_eq!(bytes(&[u32::MAX].into()), 0);
    }
}
