//! The calls into the operating system that Rust cannot check: locking memory, taking signals
//! back to their defaults, ending without exit handlers. Everything else goes through safe
//! wrappers.

#![allow(unsafe_code, reason = "system calls without a safe wrapper, each with a note")]

use nix::sys::mman::mlock;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::c_void;
use std::io;
use std::ptr::NonNull;

/// Keeps the pages of these bytes out of swap, for as long as the process lives.
pub(crate) fn lock_memory(bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let start = NonNull::from(bytes).cast::<c_void>();
    // SAFETY: the range is that of a live slice; locking changes none of its bytes. The pages
    // stay locked when the slice is gone, which costs nothing but a page of the limit.
    unsafe { mlock(start, bytes.len()) }.map_err(io::Error::from)
}

/// Signals that a parent may have ignored or blocked, which a child inherits. SIGPIPE is not among
/// them: a module whose connection breaks shall see an error, not the end of its process.
const SIGNALS: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGCHLD,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTSTP,
];

/// Takes all signals back to what they do by default, and lets them through.
pub(crate) fn default_signals() -> io::Result<()> {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in SIGNALS {
        // SAFETY: the default action runs no code of ours in a handler.
        unsafe { sigaction(signal, &default) }?;
    }
    SigSet::all().thread_unblock()?;
    Ok(())
}

/// Ends the process at once. Exit handlers do not run: modules are known to crash in theirs.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes any code and never returns.
    unsafe { nix::libc::_exit(code) }
}
