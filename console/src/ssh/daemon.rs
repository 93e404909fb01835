//! A connection to the daemon that does not block. In: requests. Out: answers, as they come.

use crate::client::ClientError;
use console_protocol::frame::{ANSWER_OCTETS_MAX, FrameReader, REQUEST_OCTETS_MAX, encode};
use console_protocol::messages::{Answer, Request};
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const READ_OCTETS: usize = 16 << 10;

/// The daemon, at the other end of its control socket.
pub(super) struct Daemon {
    stream: UnixStream,
    reader: FrameReader,
    octets: Vec<u8>,
}

impl Daemon {
    /// Connects, and gives a command.
    pub(super) async fn ask(path: &Path, request: &Request) -> Result<Daemon, ClientError> {
        let connected = UnixStream::connect(path).await;
        let stream = connected.map_err(|cause| ClientError::Connect {
            path: path.to_string_lossy().into_owned(),
            cause,
        })?;
        let reader = FrameReader::new(ANSWER_OCTETS_MAX);
        let mut daemon = Daemon { stream, reader, octets: vec![0; READ_OCTETS] };
        daemon.ask_again(request).await?;
        Ok(daemon)
    }

    /// Gives the next command, when the answer to the one before has come to its end.
    pub(super) async fn ask_again(&mut self, request: &Request) -> Result<(), ClientError> {
        let frame = encode(request, REQUEST_OCTETS_MAX)?;
        self.stream.write_all(&frame).await.map_err(broken)
    }

    /// The next part of the answer. Nothing is lost when the wait for it is given up.
    pub(super) async fn answer(&mut self) -> Result<Answer, ClientError> {
        loop {
            if let Some(answer) = self.reader.take()? {
                return Ok(answer);
            }
            match self.stream.read(&mut self.octets).await.map_err(broken)? {
                0 => return Err(ClientError::Closed),
                count => self.reader.push(&self.octets[..count]),
            }
        }
    }
}

fn broken(cause: io::Error) -> ClientError {
    match cause.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ClientError::Closed,
        _ => ClientError::Broken(cause),
    }
}
