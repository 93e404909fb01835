//! Messages of PID 1, into the kernel's log: in order with the kernel's own, and on every console
//! as far as the kernel's log level lets them. In: a line. Out: that line in /dev/kmsg.

use std::fs::OpenOptions;
use std::io::Write;

/// How loud a message is. The image's kernel shows errors on the consoles, and keeps the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Somebody has to do something.
    Error,
    /// What happened.
    Notice,
}

/// Says a line. Without a kernel log (before /dev is there) it goes to standard error.
pub(crate) fn say(level: Level, text: &str) {
    let number = match level {
        Level::Error => 3,
        Level::Notice => 5,
    };
    let line = format!("<{number}>anchorite-init: {text}\n");
    let written = OpenOptions::new()
        .write(true)
        .open("/dev/kmsg")
        .and_then(|mut log| log.write_all(line.as_bytes()));
    if written.is_err() {
        // Nobody is left to tell when this fails, too.
        let _ = writeln!(std::io::stderr(), "anchorite-init: {text}");
    }
}

/// Says what happened.
pub(crate) fn notice(text: &str) {
    say(Level::Notice, text);
}

/// Says what somebody has to look after; it appears on the consoles.
pub(crate) fn error(text: &str) {
    say(Level::Error, text);
}
