//! A program at a terminal of its own. In: a command, keys. Out: what it writes.
//! Every wait is for a text, and has the deadline of other tests.

use anchorite_tests::daemon::WAIT;
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

pub(crate) struct Pty {
    master: Option<File>,
    child: Child,
    pieces: Receiver<Vec<u8>>,
    seen: String,
}

impl Pty {
    pub(crate) fn start(mut command: Command, rows: u16) -> Pty {
        let size = Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let slave = || pty.slave.try_clone().unwrap();
        command.stdin(slave()).stdout(slave()).stderr(slave()).process_group(0);
        let child = command.spawn().unwrap();
        drop(command);
        drop(pty.slave);
        let master = File::from(pty.master);
        let mut reader = master.try_clone().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut octets) {
                if sender.send(octets[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Pty { master: Some(master), child, pieces, seen: String::new() }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.master.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
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
            match self.pieces.recv_timeout(left) {
                Ok(piece) => self.seen.push_str(&String::from_utf8_lossy(&piece)),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }

    /// Takes the terminal away, reader and all.
    pub(crate) fn hang_up(mut self) -> ExitStatus {
        self.master = None;
        self.pieces = channel().1;
        self.child.wait().unwrap()
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}
