//! Signals of children. PID 1 and the console block some signals for themselves, and a child would
//! inherit that: a service could then be ended by SIGKILL only.

use nix::sys::signal::SigSet;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the child take every signal.
pub(crate) fn open_in_child(command: &mut Command) {
    // SAFETY: between fork and exec only what is safe in a signal handler may be called; this is
    // one system call, and allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(SigSet::all().thread_unblock()?));
    }
}
