//! What an audit host makes of its process: no core dumps, no tracing by others, no new rights,
//! death with the parent, nothing on standard input and output.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{dup2_stdin, dup2_stdout};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// Takes the socket that the parent put in the place of standard input.
pub(crate) fn take_socket() -> io::Result<UnixStream> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Fails when this is no socket: somebody has started the host by hand.
    socket.peer_addr()?;
    let nothing = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&nothing)?;
    dup2_stdout(&nothing)?;
    Ok(socket)
}

/// Hardens the process.
pub(crate) fn harden() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_no_new_privs()?;
    prctl::set_dumpable(false)?;
    // A parent that has died before this call is noticed by the end of the socket.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Ok(())
}
