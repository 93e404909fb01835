//! Front ends of the daemon: `ods-enforcer`, `ods-signer`, `ods-control`, `ods-ksmutil`,
//! `anchorite COMMAND`. They speak the control protocol and nothing else; the commands come from
//! the one table.
//!
//! [`client`] is a connection to the daemon, [`tool`] OpenDNSSEC's two clients, [`control`] the
//! script around them, [`ksmutil`] the client of 1.x, [`appliance`] ours, [`shell`] the interactive
//! one. In: words and a [`Terminal`]. Out: exit codes.
//! Never: printing by themselves, or starting processes; the binary lends them both.
#![forbid(unsafe_code)]

pub mod appliance;
pub mod client;
pub mod completions;
pub mod control;
pub mod ksmutil;
pub mod man;
pub mod metrics_host;
pub mod plugin;
pub mod screen;
pub mod shell;
pub mod ssh;
pub mod tool;

use std::io::{BufRead, Write};

/// What a front end reads from and writes to, and how it starts the daemon.
pub struct Terminal<'a> {
    /// Commands of the interactive mode.
    pub stdin: &'a mut dyn BufRead,
    /// Whether somebody types them, and so sees them already.
    pub is_interactive: bool,
    /// Standard output.
    pub stdout: &'a mut dyn Write,
    /// Standard error.
    pub stderr: &'a mut dyn Write,
    /// Starts the daemon with the options given; comes back when it runs or could not be started.
    pub start: &'a mut dyn FnMut(&[String]) -> bool,
}

impl Terminal<'_> {
    /// Writes to standard output. When nobody reads it, the exit code still says what was done.
    fn say(&mut self, text: &str) {
        let _ = self.stdout.write_all(text.as_bytes()).and_then(|()| self.stdout.flush());
    }

    /// Writes to standard error.
    fn complain(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }
}
