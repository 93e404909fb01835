//! What a slot host makes of its process before foreign code runs in it.
//!
//! No core dumps and no tracing by others (the PIN and a built-in token's keys are in memory), no
//! new rights, death with the parent, few open files, default signals, nothing on standard input
//! and output. Standard error stays: what a module prints goes where the parent's log goes.
//! Not here: the size of memory (modules map what they like); system calls, see [`super::sandbox`].

use crate::error::{Cause, Place, SlotError};
use crate::system;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{User, dup2_stdin, dup2_stdout, geteuid, initgroups, setgid, setuid};
use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Most open files; network modules hold one or two for each session.
const OPEN_FILES_MAX: u64 = 4096;

/// A step that failed, in words for "cannot ...".
pub(super) type Failed = (&'static str, io::Error);

/// Takes the socket that the parent put in the place of standard input, and puts nothing there
/// and on standard output: a module that reads or prints must not do so on the socket.
pub(super) fn take_socket() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails when this is no socket: somebody has started the host by hand.
    socket.peer_addr()?;
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok(socket)
}

/// Hardens the process.
pub(super) fn harden() -> Result<(), Failed> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|error| ("forbid core dumps", error.into()))?;
    limit_open_files().map_err(|error| ("limit its open files", error))?;
    system::default_signals().map_err(|error| ("reset its signals", error))?;
    prctl::set_no_new_privs().map_err(|error| ("give up new privileges", error.into()))?;
    guard()
}

/// The part that a change of the user undoes.
fn guard() -> Result<(), Failed> {
    prctl::set_dumpable(false).map_err(|error| ("forbid core dumps", error.into()))?;
    // A parent that has died before this call is noticed by the end of the socket.
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|error| ("tie itself to its parent", error.into()))
}

fn limit_open_files() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let limit = hard.min(OPEN_FILES_MAX);
    Ok(setrlimit(Resource::RLIMIT_NOFILE, limit, limit)?)
}

/// Takes on the rights of `user`, when the process has those of root.
pub(super) fn take_on(user: &str) -> Result<(), Failed> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let failed = |error: io::Error| ("take on the rights of its user", error);
    let unknown = || failed(io::Error::new(io::ErrorKind::NotFound, format!("no user {user}")));
    let found = User::from_name(user).map_err(|error| failed(error.into()))?;
    let found = found.ok_or_else(unknown)?;
    let name = CString::new(user).map_err(|error| failed(error.into()))?;
    initgroups(&name, found.gid)
        .and_then(|()| setgid(found.gid))
        .and_then(|()| setuid(found.uid))
        .map_err(|error| failed(error.into()))?;
    guard()
}

/// The error for the parent.
pub(super) fn refusal(place: &Place, (operation, error): Failed) -> SlotError {
    SlotError::HostRefused { place: place.clone(), operation, cause: Cause::of(error) }
}
