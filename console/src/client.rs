//! A connection to the daemon. In: command lines. Out: what they print, and their exit codes.

use crate::Terminal;
use console_protocol::frame::{
    ANSWER_OCTETS_MAX, FrameError, FrameReader, INPUT_OCTETS_MAX, REQUEST_OCTETS_MAX, encode,
};
use console_protocol::messages::{Answer, FrontEnd, OnBehalf, Request};
use console_protocol::table;
use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io::{self, BufRead, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const READ_OCTETS: usize = 16 << 10;

/// Why a command has no answer; each has OpenDNSSEC's exit code.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("Unable to connect to engine. connect() failed: {} (\"{path}\")", words_of(.cause))]
    Connect {
        /// The socket.
        path: String,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The command line is too long, or the answer is none.
    #[error("Error handling message from daemon: {0}")]
    Frame(#[from] FrameError),
    /// The daemon ended, or does not want to talk.
    #[error("[Remote closed connection]")]
    Closed,
    /// What the system says while reading or writing.
    #[error("read(): {}", words_of(.0))]
    Broken(#[source] io::Error),
    /// Standard input, which the command takes, cannot be read.
    #[error("standard input: {}", words_of(.0))]
    Input(#[source] io::Error),
    /// There is too much of it.
    #[error("standard input: more than {INPUT_OCTETS_MAX} octets; nothing was changed")]
    InputTooLong,
    /// It is no text.
    #[error("standard input: not a text in UTF-8; nothing was changed")]
    InputNotText,
}

impl ClientError {
    /// OpenDNSSEC's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            ClientError::Connect { .. } => 201,
            ClientError::Closed => 206,
            ClientError::Broken(_) => 207,
            ClientError::Frame(_) => 208,
            ClientError::Input(_) | ClientError::InputTooLong | ClientError::InputNotText => 1,
        }
    }
}

/// An error as C's `strerror` has it.
fn words_of(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    }
}

/// How an answer ends.
enum Ended {
    Exit(u8),
    Question(String),
}

/// Longest answer to a question that is read as one, in octets.
const YES_OCTETS_MAX: u64 = 1024;

/// Whether what is typed begins with a y, as OpenDNSSEC 1.x takes it; the end of input is a no.
fn is_yes(terminal: &mut Terminal<'_>) -> bool {
    let mut line = Vec::new();
    let read = (&mut *terminal.stdin).take(YES_OCTETS_MAX).read_until(b'\n', &mut line);
    read.is_ok() && matches!(line.first(), Some(b'y' | b'Y'))
}

/// Standard input, if the command takes it.
fn input_of(
    front_end: FrontEnd,
    words: &[String],
    terminal: &mut Terminal<'_>,
) -> Result<Option<String>, ClientError> {
    if !table::find(front_end, words).is_some_and(|(command, _)| command.takes_input) {
        return Ok(None);
    }
    let mut octets = Vec::new();
    let most = INPUT_OCTETS_MAX as u64 + 1;
    (&mut *terminal.stdin).take(most).read_to_end(&mut octets).map_err(ClientError::Input)?;
    input(octets).map(Some)
}

/// What was read, as a request takes it.
pub(crate) fn input(octets: Vec<u8>) -> Result<String, ClientError> {
    if octets.len() > INPUT_OCTETS_MAX {
        return Err(ClientError::InputTooLong);
    }
    String::from_utf8(octets).map_err(|_| ClientError::InputNotText)
}

/// A connection to the daemon.
pub struct Connection {
    stream: UnixStream,
    reader: FrameReader,
    on_behalf: Option<OnBehalf>,
}

impl Connection {
    /// Connects to the socket at `path`.
    pub fn open(path: &str) -> Result<Connection, ClientError> {
        let stream = UnixStream::connect(Path::new(path))
            .map_err(|cause| ClientError::Connect { path: path.to_owned(), cause })?;
        let reader = FrameReader::new(ANSWER_OCTETS_MAX);
        Ok(Connection { stream, reader, on_behalf: None })
    }

    /// Says for whom the next commands are.
    pub fn set_on_behalf(&mut self, somebody: Option<OnBehalf>) {
        self.on_behalf = somebody;
    }

    /// Gives a command, passes on what it prints, and returns its exit code.
    pub fn command(
        &mut self,
        front_end: FrontEnd,
        words: Vec<String>,
        terminal: &mut Terminal<'_>,
    ) -> Result<u8, ClientError> {
        let on_behalf = self.on_behalf.clone();
        let input = input_of(front_end, &words, terminal)?;
        let mut request = Request { front_end, words, is_confirmed: false, on_behalf, input };
        loop {
            match self.exchange(&request, terminal)? {
                Ended::Exit(exit_code) => return Ok(exit_code),
                Ended::Question(text) => terminal.say(&text),
            }
            if !is_yes(terminal) {
                terminal.say("Okay, quitting...\n");
                return Ok(0);
            }
            request.is_confirmed = true;
        }
    }

    /// One request, and what it prints.
    fn exchange(
        &mut self,
        request: &Request,
        terminal: &mut Terminal<'_>,
    ) -> Result<Ended, ClientError> {
        let frame = encode(request, REQUEST_OCTETS_MAX)?;
        self.stream.write_all(&frame).map_err(broken)?;
        let mut octets = vec![0; READ_OCTETS];
        loop {
            while let Some(answer) = self.reader.take()? {
                match answer {
                    // When nobody reads it, the exit code still says what was done.
                    Answer::Stdout(text) => drop(terminal.stdout.write_all(&text)),
                    Answer::Stderr(text) => drop(terminal.stderr.write_all(&text)),
                    Answer::End { exit_code } => {
                        let _ = terminal.stdout.flush();
                        return Ok(Ended::Exit(exit_code));
                    }
                    Answer::Question(text) => {
                        return Ok(Ended::Question(String::from_utf8_lossy(&text).into_owned()));
                    }
                }
            }
            match self.stream.read(&mut octets) {
                Ok(0) => return Err(ClientError::Closed),
                Ok(count) => self.reader.push(&octets[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// The daemon's process.
    pub fn daemon(&self) -> Option<i32> {
        getsockopt(&self.stream, PeerCredentials).ok().map(|peer| peer.pid())
    }

    /// Waits until the daemon is gone; it leaves a connection on which it was stopped to the
    /// system to close. Says so each `period` that it is not.
    pub fn wait_until_gone(mut self, period: Duration, mut not_yet: impl FnMut()) {
        // Without a period it waits all the same.
        let _ = self.stream.set_read_timeout(Some(period));
        let mut octets = [0; 64];
        loop {
            match self.stream.read(&mut octets) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => not_yet(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) if count > 0 => {}
                _ => return,
            }
        }
    }
}

fn broken(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => ClientError::Closed,
        _ => ClientError::Broken(error),
    }
}
