//! Frames between an Anchorite and its audit host, over a Unix socket pair.
//!
//! Header of 16 octets: version, kind, two of zero, length of the payload (32 bits, least
//! significant octet first), ticket (64 bits). Records travel as they are, messages in postcard
//! form. Frames of several tickets may be mixed.
//! In: bytes of a process that may have lost its mind. Out: frames or a [`FrameFault`]. Never:
//! panics, allocation beyond [`PAYLOAD_MAX`] for what a header promises.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};

/// Parent and host are one binary, so there is no other version to talk to.
const VERSION: u8 = 1;
/// Longest payload, in octets.
pub(crate) const PAYLOAD_MAX: usize = 16 << 20;
const HEADER_LENGTH: usize = 16;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A question begins: [`Question`](crate::messages::Question).
    Ask,
    /// Records of the part with this number.
    Records(Part),
    /// The question is complete.
    End,
    /// The copy with the ticket's number is needed no more.
    Release,
    /// How far the audit is: [`Progress`].
    Progress,
    /// What came of it: [`Answer`](crate::messages::Answer).
    Answer,
}

/// Which records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The signed candidate, or what is added to it.
    Candidate,
    /// The source, or what is added to it.
    Source,
    /// What is removed from the candidate.
    Removed,
    /// What is removed from the source.
    SourceRemoved,
}

const KINDS: [(u8, Kind); 9] = [
    (1, Kind::Ask),
    (2, Kind::Records(Part::Candidate)),
    (3, Kind::Records(Part::Source)),
    (4, Kind::Records(Part::Removed)),
    (5, Kind::Records(Part::SourceRemoved)),
    (6, Kind::End),
    (7, Kind::Release),
    (8, Kind::Progress),
    (9, Kind::Answer),
];

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameFault {
    /// Another version.
    #[error("a frame of version {0}, this program speaks version {VERSION}")]
    Version(u8),
    /// Another kind.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// Too long.
    #[error("a frame of {0} octets, at most {PAYLOAD_MAX} are allowed")]
    TooLong(usize),
    /// Not what its kind says.
    #[error("a frame that is no message: {0}")]
    Garbled(#[from] postcard::Error),
    /// A frame that makes no sense here.
    #[error("a frame that nobody asked for ({0})")]
    Unasked(&'static str),
    /// The connection.
    #[error("the connection broke: {0}")]
    Connection(#[from] io::Error),
}

/// A frame that came.
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) ticket: u64,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The message in it.
    pub(crate) fn message<M: DeserializeOwned>(&self) -> Result<M, FrameFault> {
        Ok(postcard::from_bytes(&self.payload)?)
    }
}

/// Reads one frame; `None` at the end of the connection between frames.
pub(crate) fn read(from: &mut impl Read) -> Result<Option<Frame>, FrameFault> {
    let mut header = [0; HEADER_LENGTH];
    let mut filled = 0;
    while filled < HEADER_LENGTH {
        match from.read(&mut header[filled..]) {
            Ok(0) if filled == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof).into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let [version, kind, _, _, a, b, c, d, ticket @ ..] = header;
    if version != VERSION {
        return Err(FrameFault::Version(version));
    }
    let known = KINDS.iter().find(|(number, _)| *number == kind);
    let kind = known.ok_or(FrameFault::Kind(kind))?.1;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > PAYLOAD_MAX {
        return Err(FrameFault::TooLong(length));
    }
    let mut payload = vec![0; length];
    from.read_exact(&mut payload)?;
    Ok(Some(Frame { kind, ticket: u64::from_le_bytes(ticket), payload }))
}

/// Writes one frame. The payload goes out as it is, without a copy.
pub(crate) fn write(
    to: &mut impl Write,
    kind: Kind,
    ticket: u64,
    payload: &[u8],
) -> Result<(), FrameFault> {
    if payload.len() > PAYLOAD_MAX {
        return Err(FrameFault::TooLong(payload.len()));
    }
    let number = KINDS.iter().find(|(_, known)| *known == kind).map_or(0, |(number, _)| *number);
    let mut header = [0; HEADER_LENGTH];
    header[0] = VERSION;
    header[1] = number;
    // PAYLOAD_MAX is below 2^32.
    header[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    header[8..].copy_from_slice(&ticket.to_le_bytes());
    to.write_all(&header)?;
    to.write_all(payload)?;
    Ok(())
}

/// Writes a message.
pub(crate) fn write_message(
    to: &mut impl Write,
    kind: Kind,
    ticket: u64,
    message: &impl Serialize,
) -> Result<(), FrameFault> {
    write(to, kind, ticket, &postcard::to_allocvec(message)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_as_they_went() {
        let mut bytes = Vec::new();
        for (_, kind) in KINDS {
            write(&mut bytes, kind, 7, b"abc").unwrap();
        }
        let mut from = bytes.as_slice();
        for (_, kind) in KINDS {
            let frame = read(&mut from).unwrap().unwrap();
            assert_eq!(
                (frame.kind, frame.ticket, frame.payload.as_slice()),
                (kind, 7, &b"abc"[..])
            );
        }
        assert!(read(&mut from).unwrap().is_none());
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut good = Vec::new();
        write(&mut good, Kind::End, 1, b"abc").unwrap();
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            read(&mut bytes.as_slice()).err().map(|fault| fault.to_string())
        };
        assert!(refused(&|bytes| bytes[0] = 9).unwrap().contains("version 9"));
        assert!(refused(&|bytes| bytes[1] = 0).unwrap().contains("unknown kind 0"));
        assert!(refused(&|bytes| bytes[7] = 0xff).unwrap().contains("at most"));
        assert!(refused(&|bytes| bytes.truncate(18)).unwrap().contains("broke"));
        assert!(refused(&|bytes| bytes.truncate(5)).unwrap().contains("broke"));
        let long = vec![0; PAYLOAD_MAX + 1];
        assert!(write(&mut Vec::new(), Kind::End, 1, &long).is_err());
    }
}
