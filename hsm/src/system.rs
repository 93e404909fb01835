//! The calls into the operating system that Rust cannot check: locking memory, taking signals
//! back to their defaults, ending without exit handlers, filters for system calls (seccomp(2),
//! seccomp_unotify(2)). Everything else goes through safe wrappers.

#![allow(unsafe_code, reason = "system calls without a safe wrapper, each with a note")]

use nix::libc::{
    SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND,
    SECCOMP_SET_MODE_FILTER, SYS_seccomp, c_int, ioctl, seccomp_data, seccomp_notif,
    seccomp_notif_resp, sock_filter, sock_fprog, syscall,
};
use nix::sys::mman::mlock;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
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

/// Puts a filter before the system calls of this thread and of all threads it will start.
/// Needs "no new privileges". It can never be taken away.
pub(crate) fn filter_calls(program: &mut [sock_filter]) -> io::Result<()> {
    install(program, 0).map(drop)
}

/// The same; calls for which the program says SECCOMP_RET_USER_NOTIF wait until they are answered
/// through the returned listener. Fails where another filter has a listener already.
pub(crate) fn filter_calls_with_listener(program: &mut [sock_filter]) -> io::Result<OwnedFd> {
    let listener = install(program, SECCOMP_FILTER_FLAG_NEW_LISTENER)?;
    // SAFETY: with this flag the call returns a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(listener) })
}

fn install(program: &mut [sock_filter], flags: u64) -> io::Result<c_int> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: the program is as long as it says and outlives the call, which copies it.
    let result =
        unsafe { syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    match c_int::try_from(result) {
        Ok(listener) if listener >= 0 => Ok(listener),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for the next call that waits at a listener, has it fail with `errno`, and returns it.
/// `None` for one that was given up meanwhile.
pub(crate) fn refuse_next(listener: &OwnedFd, errno: c_int) -> io::Result<Option<seccomp_data>> {
    let data = seccomp_data { nr: 0, arch: 0, instruction_pointer: 0, args: Default::default() };
    let mut notice = seccomp_notif { id: 0, pid: 0, flags: 0, data };
    // SAFETY: the kernel fills in a structure of this type, which has to be zeros before.
    if unsafe { ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV, &raw mut notice) } < 0 {
        let error = io::Error::last_os_error();
        return if is_given_up(&error) { Ok(None) } else { Err(error) };
    }
    let mut answer = seccomp_notif_resp { id: notice.id, val: 0, error: -errno, flags: 0 };
    // SAFETY: the kernel reads a structure of this type.
    if unsafe { ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) } < 0 {
        let error = io::Error::last_os_error();
        return if is_given_up(&error) { Ok(None) } else { Err(error) };
    }
    Ok(Some(notice.data))
}

/// The caller was interrupted or killed while it waited.
fn is_given_up(error: &io::Error) -> bool {
    use nix::libc::{EINTR, ENOENT};
    error.raw_os_error().is_some_and(|code| code == ENOENT || code == EINTR)
}
