//! What an Anchorite and its slot hosts say to each other, over a Unix socket pair.
//!
//! A frame is a version byte, the payload's length (32 bits, least significant byte first) and a
//! payload: one [`Envelope`] in postcard form, which has to fill it to the last byte. The first
//! request is [`Request::Open`]; after its answer requests may overlap, and answers come in any
//! order, matched by their ids.
//! In: bytes of a process that may have lost its mind. Out: messages, or a [`FrameFault`]; after
//! that the connection is of no use. Never: panics, allocation beyond [`FRAME_LENGTH_MAX`].

mod messages;
#[cfg(test)]
mod tests;

pub(crate) use messages::{
    Answer, OpenRequest, Opened, Proof, Request, SecretIn, SigningForm, TokenIn,
};

use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// Version of the protocol. Parent and host are one binary, so there is no other to talk to.
pub(crate) const VERSION: u8 = 1;
/// Longest payload of a frame, in bytes.
pub(crate) const FRAME_LENGTH_MAX: usize = 16 << 20;
/// Length of version byte and length field.
const HEADER_LENGTH: usize = 5;
/// How much is read at once.
const READ_LENGTH: usize = 64 << 10;

/// A request or an answer with the id that ties them together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope<T> {
    pub(crate) id: u64,
    pub(crate) body: T,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameFault {
    #[error("a frame of version {found}, this program speaks version {VERSION}")]
    Version { found: u8 },
    #[error("a frame of {length} bytes, at most {FRAME_LENGTH_MAX} are allowed")]
    TooLong { length: usize },
    #[error("a frame that is no message: {0}")]
    Garbled(#[from] postcard::Error),
    #[error("a frame with {length} bytes after its message")]
    Trailing { length: usize },
    #[error("an answer nobody asked for (id {id})")]
    Unasked { id: u64 },
    #[error("an answer of the wrong kind")]
    WrongKind,
    #[error("a frame that was cut off")]
    CutOff,
}

/// Appends a message to `out` as a frame. On an error `out` is as before.
pub(crate) fn write_frame<T: Serialize>(
    id: u64,
    body: &T,
    out: &mut Vec<u8>,
) -> Result<(), FrameFault> {
    let start = out.len();
    out.extend_from_slice(&[VERSION, 0, 0, 0, 0]);
    let frame = std::mem::take(out);
    let mut frame = postcard::to_extend(&Envelope { id, body }, frame)?;
    let length = frame.len() - start - HEADER_LENGTH;
    if length > FRAME_LENGTH_MAX {
        frame.truncate(start);
        *out = frame;
        return Err(FrameFault::TooLong { length });
    }
    // FRAME_LENGTH_MAX is below 2^32.
    frame[start + 1..start + HEADER_LENGTH].copy_from_slice(&(length as u32).to_le_bytes());
    *out = frame;
    Ok(())
}

/// The message of a payload.
pub(crate) fn read_message<'a, T: Deserialize<'a>>(
    payload: &'a [u8],
) -> Result<Envelope<T>, FrameFault> {
    let (envelope, rest) = postcard::take_from_bytes(payload)?;
    match rest.len() {
        0 => Ok(envelope),
        length => Err(FrameFault::Trailing { length }),
    }
}

/// Length of the payload behind a header.
pub(crate) fn payload_length(header: [u8; HEADER_LENGTH]) -> Result<usize, FrameFault> {
    let [version, a, b, c, d] = header;
    if version != VERSION {
        return Err(FrameFault::Version { found: version });
    }
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > FRAME_LENGTH_MAX {
        return Err(FrameFault::TooLong { length });
    }
    Ok(length)
}

/// Bytes that have come, as frames. A read that times out in the middle of a frame loses nothing.
#[derive(Default)]
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
    /// What is before it has been given out.
    start: usize,
}

impl FrameBuffer {
    /// Reads once. `Ok(false)` at the end of the connection.
    pub(crate) fn fill(&mut self, from: &mut impl Read) -> io::Result<bool> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let old = self.bytes.len();
        // Memory grows with what has really come, not with what a header promises.
        self.bytes.resize(old + READ_LENGTH, 0);
        let result = from.read(&mut self.bytes[old..]);
        let read = *result.as_ref().unwrap_or(&0);
        self.bytes.truncate(old + read);
        result.map(|count| count > 0)
    }

    /// The next payload, if it is here as a whole.
    pub(crate) fn next_payload(&mut self) -> Result<Option<&[u8]>, FrameFault> {
        let rest = &self.bytes[self.start..];
        let Some((header, after)) = rest.split_first_chunk::<HEADER_LENGTH>() else {
            return Ok(None);
        };
        let length = payload_length(*header)?;
        if after.len() < length {
            return Ok(None);
        }
        let begin = self.start + HEADER_LENGTH;
        self.start = begin + length;
        Ok(Some(&self.bytes[begin..begin + length]))
    }

    /// Whether the connection could end here without loss.
    pub(crate) fn is_at_boundary(&self) -> bool {
        self.start == self.bytes.len()
    }
}
