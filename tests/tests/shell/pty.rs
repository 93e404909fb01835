//! A program at a terminal of its own. In: a command, keys. Out: what it writes.
//! Every wait is for a text, and has the deadline of other tests.

use anchorite_tests::daemon::WAIT;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

pub(crate) struct Pty {
    master: File,
    child: Child,
    seen: String,
}

impl Pty {
    pub(crate) fn start(mut command: Command, rows: u16) -> Pty {
        let size = Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        // Or the program would hold its own terminal open.
        fcntl(&pty.master, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        let slave = || pty.slave.try_clone().unwrap();
        command.stdin(slave()).stdout(slave()).stderr(slave()).process_group(0);
        let child = command.spawn().unwrap();
        Pty { master: File::from(pty.master), child, seen: String::new() }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a text; gives what came up to its end.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let until = Instant::now() + WAIT;
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let left = until.saturating_duration_since(Instant::now());
            let mut polled = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            let is_ready = poll(&mut polled, PollTimeout::try_from(left).unwrap()).unwrap() > 0;
            let mut octets = [0; 4096];
            let count = if is_ready { self.master.read(&mut octets).unwrap_or(0) } else { 0 };
            assert!(count > 0, "no {text:?} in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&octets[..count]));
        }
    }

    /// Takes the terminal away.
    pub(crate) fn hang_up(self) -> ExitStatus {
        let Pty { master, mut child, .. } = self;
        drop(master);
        child.wait().unwrap()
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
