//! Messages of a stream, each behind its length (RFC 1035 §4.2.2), read in large pieces.
//! Memory: a piece, or the longest message.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that are asked of the system at once.
const PIECE_BYTES: usize = 256 << 10;

/// A stream of messages.
pub(super) struct Frames<S> {
    stream: S,
    buffer: Vec<u8>,
    /// What was handed out of the buffer.
    taken: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Nothing was read or written yet.
    pub(super) fn new(stream: S) -> Frames<S> {
        Frames { stream, buffer: Vec::new(), taken: 0 }
    }

    /// Sends a message, which has 65,535 octets at most.
    pub(super) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        let framed = [&length.to_be_bytes()[..], message].concat();
        self.stream.write_all(&framed).await?;
        self.stream.flush().await
    }

    /// The next message with its length before it; `None`: the stream has ended.
    pub(super) async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let rest = &self.buffer[self.taken..];
            if let Some(length) = rest.first_chunk::<2>() {
                let end = 2 + usize::from(u16::from_be_bytes(*length));
                if rest.len() >= end {
                    let start = self.taken;
                    self.taken += end;
                    return Ok(Some(&self.buffer[start..start + end]));
                }
            }
            // Less than one message is left: little is moved.
            self.buffer.drain(..self.taken);
            self.taken = 0;
            self.buffer.reserve(PIECE_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
