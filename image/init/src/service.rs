//! One service: how it is started, and what became of it. In: the table below. Out: processes, in a
//! process group each, and not as root but for the network and the consoles. Their output goes to
//! the logger.

use crate::kernel_log::{error, notice};
use crate::request::{LOGGER, ROOT, SIGNER, SIGNER_GROUP, SSH_HOST};
use crate::signals;
use crate::supervision::{BackOff, Role};
use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Gid, Pid, Uid, chown};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a service is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    command: &'static [&'static str],
    user: u32,
    group: u32,
    /// The terminal that it owns, and what kind that is.
    terminal: Option<(&'static str, &'static str)>,
}

impl Spec {
    /// Whether the machine has the terminal of a console; every other service has all it needs.
    pub(crate) fn has_its_terminal(&self) -> bool {
        self.terminal.is_none_or(|(path, _)| Path::new(path).exists())
    }
}

/// Every service of the box.
pub(crate) const SPECS: &[Spec] = &[
    Spec {
        name: "logger",
        role: Role::Logger,
        command: &["/init", "logger", "/data/log/anchorite.log"],
        user: LOGGER,
        group: SIGNER_GROUP,
        terminal: None,
    },
    Spec {
        name: "network",
        role: Role::Network,
        command: &["/init", "network"],
        // Addresses and routes are the kernel's, and it takes them from root.
        user: ROOT,
        group: ROOT,
        terminal: None,
    },
    Spec {
        name: "anchorite",
        role: Role::Signer,
        command: &["/usr/bin/anchorite", "run", "--config", "/etc/opendnssec/conf.xml"],
        user: SIGNER,
        group: SIGNER_GROUP,
        terminal: None,
    },
    Spec {
        name: "ssh",
        role: Role::Remote,
        command: &[
            "/usr/bin/anchorite",
            "ssh-host",
            "--listen",
            "[::]:22",
            "--host-key",
            "/data/ssh/host_key",
            "--authorized-keys",
            "/run/ssh/authorized_keys",
        ],
        user: SSH_HOST,
        // The group may open the daemon's control socket; there, this user may nothing by itself.
        group: SIGNER_GROUP,
        terminal: None,
    },
    Spec {
        // As login does, it decides as whom commands run: as the daemon's user, whom the control
        // socket takes for an administrator.
        name: "console-ttyS0",
        role: Role::Console,
        command: &["/init", "console", "/dev/ttyS0"],
        user: ROOT,
        group: ROOT,
        terminal: Some(("/dev/ttyS0", "vt100")),
    },
    Spec {
        name: "console-tty1",
        role: Role::Console,
        command: &["/init", "console", "/dev/tty1"],
        user: ROOT,
        group: ROOT,
        terminal: Some(("/dev/tty1", "linux")),
    },
];

/// The pipe into which services write; PID 1 holds both ends, so that neither side's end is lost
/// while the other starts again.
#[derive(Debug)]
pub(crate) struct LogPipe {
    pub(crate) read: OwnedFd,
    pub(crate) write: OwnedFd,
}

/// A service and its process.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) spec: Spec,
    process: Option<Pid>,
    since: Instant,
    due: Instant,
    back_off: BackOff,
    end: End,
    pub(crate) starts: u32,
}

/// Whether the next end of a process is what we told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Wanted,
    Unwanted,
}

impl Service {
    /// A service that has not been started.
    pub(crate) fn new(spec: Spec) -> Service {
        let (now, back_off) = (Instant::now(), BackOff::new(spec.role.pause_max()));
        Service {
            spec,
            process: None,
            since: now,
            due: now,
            back_off,
            end: End::Unwanted,
            starts: 0,
        }
    }

    /// Its process, while there is one.
    pub(crate) fn process(&self) -> Option<Pid> {
        self.process
    }

    /// How long it has run.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// When it is to be started, if it is not running.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.process.is_none().then_some(self.due)
    }

    /// Starts it if it is due. A terminal that the machine does not have is no fault.
    pub(crate) fn start_if_due(&mut self, log: Option<&LogPipe>) {
        if self.process.is_some() || self.due > Instant::now() {
            return;
        }
        self.since = Instant::now();
        match self.spawn(log) {
            Ok(process) => {
                self.process = Some(process);
                self.starts += 1;
                if self.spec.role != Role::Console {
                    notice(&format!("{} is process {process}", self.spec.name));
                }
            }
            Err(cause) => {
                error(&format!("{} cannot be started: {cause}", self.spec.name));
                self.wait_before_next();
            }
        }
    }

    fn spawn(&self, log: Option<&LogPipe>) -> io::Result<Pid> {
        let Spec { command, user, group, terminal, .. } = self.spec;
        let mut process = Command::new(command[0]);
        process.args(&command[1..]).env_clear().current_dir("/");
        signals::open_in_child(&mut process);
        process.env("PATH", "/usr/bin").env("SOFTHSM2_CONF", "/etc/softhsm2.conf");
        if user != ROOT {
            process.uid(user).gid(group);
        }
        match (self.spec.role, log) {
            // It makes the terminal its own, which takes a session of its own.
            (Role::Console, _) => {
                if let Some((path, kind)) = terminal {
                    chown(Path::new(path), Some(Uid::from_raw(user)), Some(Gid::from_raw(5)))?;
                    process.env("TERM", kind);
                }
                process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            }
            (Role::Logger, Some(log)) => {
                process.stdin(log.read.try_clone()?).stdout(Stdio::null());
                process.stderr(kernel_log()?).process_group(0);
            }
            (Role::Signer | Role::Remote, Some(log)) => {
                process.stdin(Stdio::null()).stdout(log.write.try_clone()?);
                process.stderr(log.write.try_clone()?).process_group(0);
            }
            _ => {
                process.stdin(Stdio::null()).stdout(Stdio::null());
                process.stderr(kernel_log()?).process_group(0);
            }
        }
        Ok(Pid::from_raw(process.spawn()?.id() as i32))
    }

    /// Its process ended. The end is said, unless it was told to, or somebody left a console.
    pub(crate) fn has_ended(&mut self, status: WaitStatus) {
        self.process = None;
        let pause = self.wait_before_next();
        let name = self.spec.name;
        match (self.end, self.spec.role) {
            (End::Wanted, _) => notice(&format!("{name} ended ({status:?})")),
            (End::Unwanted, Role::Console) => {}
            (End::Unwanted, _) => {
                error(&format!("{name} ended ({status:?}); it starts again in {pause:?}"));
            }
        }
        self.end = End::Unwanted;
    }

    /// Tells it to end; if it does not, a second call with SIGKILL ends it.
    pub(crate) fn stop(&mut self, signal: Signal) {
        self.end = End::Wanted;
        self.signal(signal);
    }

    /// Kills it. That counts as a failure of its own.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn wait_before_next(&mut self) -> Duration {
        let pause = self.back_off.ended_after(self.since.elapsed());
        self.due = Instant::now() + pause;
        pause
    }

    /// Sends a signal to it and to all processes of its group.
    fn signal(&self, signal: Signal) {
        let Some(process) = self.process else { return };
        match killpg(process, signal) {
            // It ends at this moment.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(cause) => error(&format!("{}: {signal}: {cause}", self.spec.name)),
        }
    }

    /// Has it started at once, in place of the one that is told to end.
    pub(crate) fn restart(&mut self) {
        self.stop(Signal::SIGTERM);
        self.back_off = BackOff::new(self.spec.role.pause_max());
        self.due = Instant::now();
    }
}

fn kernel_log() -> io::Result<File> {
    File::options().write(true).open("/dev/kmsg")
}
