//! What a module tries that a slot host refuses it: a network connection, another program, another
//! process. In: a word of the script. Out: how it went, as a word for the log: `done`, or the
//! error's name. Each is harmless where it works.

use nix::errno::Errno;
use nix::libc;
use std::process::Command;

/// Something that a key store has no reason to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// `inet`: a socket to other machines.
    Inet,
    /// `packet`: a socket that sees the whole network.
    Packet,
    /// `netlink`: a socket to the packet filter.
    Netlink,
    /// `unix`: a socket to daemons of this machine, which is allowed.
    Unix,
    /// `exec`: another program.
    Exec,
    /// `ptrace`: the parent's memory.
    Ptrace,
    /// `signal`: a signal to the parent (none in truth, only the question whether it may).
    Signal,
    /// `ring`: a queue for system calls past the filter.
    Ring,
    /// `mount`: other file systems.
    Mount,
}

impl Attempt {
    pub(crate) const ALL: [(&'static str, Attempt); 9] = [
        ("inet", Attempt::Inet),
        ("packet", Attempt::Packet),
        ("netlink", Attempt::Netlink),
        ("unix", Attempt::Unix),
        ("exec", Attempt::Exec),
        ("ptrace", Attempt::Ptrace),
        ("signal", Attempt::Signal),
        ("ring", Attempt::Ring),
        ("mount", Attempt::Mount),
    ];

    /// Tries it: the line for the log.
    pub(crate) fn carry_out(self) -> String {
        let result = match self {
            Attempt::Inet => socket(libc::AF_INET, 0),
            Attempt::Packet => socket(libc::AF_PACKET, 0),
            Attempt::Netlink => socket(libc::AF_NETLINK, libc::NETLINK_NETFILTER),
            Attempt::Unix => socket(libc::AF_UNIX, 0),
            Attempt::Exec => match Command::new("/bin/true").status() {
                Ok(_) => Ok(()),
                Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or_default())),
            },
            // SAFETY: plain numbers; the parent is asked for and let go when this process ends.
            Attempt::Ptrace => {
                plain(unsafe { libc::ptrace(libc::PTRACE_SEIZE, libc::getppid(), 0, 0) })
            }
            // SAFETY: plain numbers; signal 0 is only a question.
            Attempt::Signal => plain(i64::from(unsafe { libc::kill(libc::getppid(), 0) })),
            // SAFETY: without parameters the kernel refuses by itself, with another error.
            Attempt::Ring => plain(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, 0) }),
            // SAFETY: without names the kernel refuses by itself, with another error.
            Attempt::Mount => plain(unsafe { libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0) }),
        };
        let (word, _) = Attempt::ALL[self as usize];
        match result {
            Ok(()) => format!("{word} done"),
            Err(errno) => format!("{word} {errno:?}"),
        }
    }
}

fn socket(family: libc::c_int, protocol: libc::c_int) -> Result<(), Errno> {
    // SAFETY: plain numbers; the descriptor is closed at once.
    unsafe {
        let socket = libc::socket(family, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, protocol);
        plain(i64::from(socket))?;
        libc::close(socket);
    }
    Ok(())
}

fn plain(value: i64) -> Result<(), Errno> {
    if value < 0 { Err(Errno::last()) } else { Ok(()) }
}
