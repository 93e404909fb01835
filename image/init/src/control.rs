//! The socket on which PID 1 is asked (request.rs): both ends. In: one request for each connection,
//! until the asker closes his side. Out: one answer. Limits: an asker who does not come to his end
//! within [`PATIENCE`] is left; the socket is open to root and the daemon's group only.

use crate::boot::make_folder;
use crate::request::{OCTETS_MAX, ROOT, Request, RequestError, SIGNER_GROUP, SOCKET};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, chown};
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// PID 1 has other things to do.
const PATIENCE: Duration = Duration::from_millis(250);

/// Begins to listen.
pub(crate) fn listen() -> io::Result<UnixListener> {
    make_folder("/run/init", 0o755, ROOT, ROOT);
    let listener = UnixListener::bind(SOCKET)?;
    chown(Path::new(SOCKET), None, Some(Gid::from_raw(SIGNER_GROUP)))?;
    fs::set_permissions(SOCKET, Permissions::from_mode(0o660))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// One who asks, and what.
pub(crate) struct Asker {
    stream: UnixStream,
    pub(crate) request: Result<Request, RequestError>,
}

/// Takes the next request. None: there is nobody, or he did not finish.
pub(crate) fn next(listener: &UnixListener) -> Option<Asker> {
    let (stream, _) = listener.accept().ok()?;
    let take = || -> io::Result<(Vec<u8>, u32)> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let user = getsockopt(&stream, sockopt::PeerCredentials)?.uid();
        let mut octets = Vec::new();
        (&stream).take(OCTETS_MAX as u64).read_to_end(&mut octets)?;
        Ok((octets, user))
    };
    let (octets, user) = take().ok()?;
    Some(Asker { request: Request::parse(&octets, user), stream })
}

impl Asker {
    /// Answers: `ok` and a text, or `error: ` and why not.
    pub(crate) fn answer(mut self, answer: Result<String, String>) {
        let text = match answer {
            Ok(text) => format!("ok\n{text}"),
            Err(fault) => format!("error: {fault}\n"),
        };
        // He may be gone; what he asked for has been done all the same.
        let _ = self.stream.write_all(text.as_bytes());
    }
}

/// Asks PID 1. The answer's text, or why there is none.
pub(crate) fn ask(request: &str) -> Result<String, String> {
    let talk = || -> io::Result<String> {
        let mut stream = UnixStream::connect(SOCKET)?;
        stream.write_all(request.as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = talk().map_err(|cause| format!("init does not answer: {cause}"))?;
    match answer.strip_prefix("ok\n") {
        Some(text) => Ok(text.to_owned()),
        None => Err(answer.strip_prefix("error: ").unwrap_or(&answer).trim_end().to_owned()),
    }
}
