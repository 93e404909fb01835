//! Log lines to the machine's syslog daemon, as C's `syslog` sends them (RFC 3164 section 4.1 has
//! the form): one datagram a line to `/dev/log`. In: a severity, an ident, a text. Out: datagrams.
//! Never: waits. A daemon that does not take a line in time loses it; how many were lost is said
//! as soon as it takes lines again. Limit: [`TEXT_OCTETS_MAX`] of a line.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where the daemon listens.
pub const SOCKET: &str = "/dev/log";
/// A longer text is cut: daemons take 8 KiB or less.
const TEXT_OCTETS_MAX: usize = 4000;

/// How urgent a line is (RFC 3164 section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something failed.
    Error = 3,
    /// Something will.
    Warning = 4,
    /// All is well.
    Information = 6,
    /// For whoever looks for a fault.
    Debug = 7,
}

/// A facility's number (RFC 3164 section 4.1.1). `None`: there is no such facility.
pub fn facility(name: &str) -> Option<u8> {
    const FIRST: [&str; 10] =
        ["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"];
    let local = || match name.strip_prefix("local")?.parse::<u8>() {
        Ok(number @ 0..=7) => Some(16 + number),
        _ => None,
    };
    FIRST.iter().position(|first| *first == name).map_or_else(local, |at| u8::try_from(at).ok())
}

/// The way to a syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    facility: u8,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    socket: Option<UnixDatagram>,
    lost: u64,
}

impl Syslog {
    /// Finds the daemon.
    ///
    /// # Errors
    /// There is none that listens.
    pub fn open(path: &Path, facility: u8) -> io::Result<Syslog> {
        let socket = Some(connected(path)?);
        Ok(Syslog { path: path.to_owned(), facility, line: Mutex::new(Line { socket, lost: 0 }) })
    }

    /// Sends a line. `time` is the local time as `Nov 22 10:00:00`.
    pub fn send(&self, severity: Severity, time: &str, ident: &str, text: &str) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.lost > 0 {
            let lost = format!("[log] {} lines were lost: syslog did not take them", line.lost);
            if self.offer(&mut line, &self.datagram(Severity::Warning, time, ident, &lost)) {
                line.lost = 0;
            }
        }
        if !self.offer(&mut line, &self.datagram(severity, time, ident, text)) {
            line.lost += 1;
        }
    }

    fn datagram(&self, severity: Severity, time: &str, ident: &str, text: &str) -> String {
        let priority = self.facility * 8 + severity as u8;
        let mut end = text.len().min(TEXT_OCTETS_MAX);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        format!("<{priority}>{time} {ident}: {}", &text[..end])
    }

    /// Sends over the socket that there is; over a new one when the daemon was started again.
    fn offer(&self, line: &mut Line, datagram: &str) -> bool {
        let sent = line.socket.as_ref().map(|socket| socket.send(datagram.as_bytes()));
        match sent {
            Some(Ok(_)) => return true,
            // It is there, and slow.
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Some(Err(_)) | None => {}
        }
        line.socket = connected(&self.path).ok();
        line.socket.as_ref().is_some_and(|socket| socket.send(datagram.as_bytes()).is_ok())
    }
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_c_sends_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::open(&path, facility("local0").unwrap()).unwrap();
        syslog.send(Severity::Information, "Nov 22 10:00:00", "ods-signerd", "[engine] up");
        let mut octets = [0; 8192];
        let length = daemon.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"<134>Nov 22 10:00:00 ods-signerd: [engine] up");
        syslog.send(Severity::Error, "t", "i", &"\u{e9}".repeat(3000));
        assert_eq!(daemon.recv(&mut octets).unwrap(), "<131>t i: ".len() + TEXT_OCTETS_MAX);
    }

    #[test]
    fn lines_that_were_lost_are_counted_and_a_new_daemon_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::open(&path, 3).unwrap();
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        syslog.send(Severity::Error, "t", "i", "nobody hears this");
        syslog.send(Severity::Error, "t", "i", "nor this");
        let daemon = UnixDatagram::bind(&path).unwrap();
        syslog.send(Severity::Debug, "t", "i", "this");
        let mut octets = [0; 8192];
        let mut next = || {
            let length = daemon.recv(&mut octets).unwrap();
            String::from_utf8_lossy(&octets[..length]).into_owned()
        };
        assert_eq!(next(), "<28>t i: [log] 2 lines were lost: syslog did not take them");
        assert_eq!(next(), "<31>t i: this");
    }

    #[test]
    fn a_daemon_that_takes_nothing_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let _daemon = UnixDatagram::bind(&path).unwrap();
        let syslog = Syslog::open(&path, 3).unwrap();
        for _ in 0..10_000 {
            syslog.send(Severity::Error, "t", "i", "line");
        }
        assert!(syslog.line.lock().unwrap().lost > 0);
    }

    #[test]
    fn facilities_have_numbers() {
        assert_eq!(facility("daemon"), Some(3));
        assert_eq!(facility("cron"), Some(9));
        assert_eq!(facility("local7"), Some(23));
        assert_eq!(facility("local8"), None);
        assert_eq!(facility("nonsense"), None);
    }
}
