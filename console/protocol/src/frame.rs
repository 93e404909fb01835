//! Frames: four octets of length in network order, the version byte, the message in postcard.
//! In: messages, or octets as they come out of a socket. Out: octets, or messages.
//! Never: I/O. Limit: the reader of a frame says how long one may be, and a longer one is refused
//! when its length is read, before anything is kept of it.

use crate::PROTOCOL_VERSION;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest request, in octets: what the words of one command may take.
pub const REQUEST_OCTETS_MAX: usize = 64 << 10;
/// Most of a request's input, so that the words find room beside it.
pub const INPUT_OCTETS_MAX: usize = 56 << 10;
/// Longest piece of an answer, in octets, without the frame around it.
pub const PIECE_OCTETS_MAX: usize = 32 << 10;
/// Longest frame of an answer.
pub const ANSWER_OCTETS_MAX: usize = PIECE_OCTETS_MAX + 64;

const LENGTH_OCTETS: usize = 4;

/// Why octets are no frame, or a message does not fit into one. The connection is of no more use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than this reader or writer allows.
    #[error("a message of {octets} octets; at most {max} are allowed")]
    TooLong {
        /// Its length.
        octets: usize,
        /// The limit.
        max: usize,
    },
    /// Another version, or no frame of ours at all.
    #[error("protocol version {found}; this program speaks {PROTOCOL_VERSION}")]
    Version {
        /// What stands in its place.
        found: u8,
    },
    /// The version is right, but the message is not.
    #[error("a message that cannot be read: {0}")]
    Content(#[source] postcard::Error),
    /// Octets behind the message.
    #[error("a message with {octets} octets too many")]
    Rest {
        /// How many.
        octets: usize,
    },
}

/// The octets of a message.
pub fn encode(message: &impl Serialize, octets_max: usize) -> Result<Vec<u8>, FrameError> {
    let head = vec![0, 0, 0, 0, PROTOCOL_VERSION];
    let mut frame = postcard::to_extend(message, head).map_err(FrameError::Content)?;
    let octets = frame.len() - LENGTH_OCTETS;
    match u32::try_from(octets) {
        Ok(length) if octets <= octets_max => {
            frame[..LENGTH_OCTETS].copy_from_slice(&length.to_be_bytes());
            Ok(frame)
        }
        _ => Err(FrameError::TooLong { octets, max: octets_max }),
    }
}

/// Takes frames out of a stream of octets.
#[derive(Debug)]
pub struct FrameReader {
    waiting: Vec<u8>,
    octets_max: usize,
}

impl FrameReader {
    /// A reader of frames of at most `octets_max` octets.
    pub fn new(octets_max: usize) -> FrameReader {
        FrameReader { waiting: Vec::new(), octets_max }
    }

    /// Takes octets in. To be emptied with [`FrameReader::take`] before the next ones.
    pub fn push(&mut self, octets: &[u8]) {
        self.waiting.extend_from_slice(octets);
    }

    /// The next message; `None`: not all of it is here yet.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some((length, rest)) = self.waiting.split_first_chunk::<LENGTH_OCTETS>() else {
            return Ok(None);
        };
        let octets = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if octets > self.octets_max {
            return Err(FrameError::TooLong { octets, max: self.octets_max });
        }
        let Some(frame) = rest.get(..octets) else { return Ok(None) };
        let (found, body) = frame.split_first().unwrap_or((&0, &[]));
        if *found != PROTOCOL_VERSION {
            return Err(FrameError::Version { found: *found });
        }
        let (message, rest) = postcard::take_from_bytes(body).map_err(FrameError::Content)?;
        if !rest.is_empty() {
            return Err(FrameError::Rest { octets: rest.len() });
        }
        self.waiting.drain(..LENGTH_OCTETS + octets);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{FrontEnd, Request};
    use proptest::prelude::*;

    fn request(words: &[&str]) -> Request {
        let words = words.iter().map(|word| word.to_string()).collect();
        Request { front_end: FrontEnd::Signer, ..Request::new(words) }
    }

    #[test]
    fn frames_come_back_in_whatever_pieces_they_arrive() {
        let (first, second) = (request(&["zones"]), request(&["sign", "--all", ""]));
        let mut octets = encode(&first, REQUEST_OCTETS_MAX).unwrap();
        octets.extend(encode(&second, REQUEST_OCTETS_MAX).unwrap());
        for size in 1..octets.len() {
            let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
            let mut found = Vec::new();
            for piece in octets.chunks(size) {
                reader.push(piece);
                while let Some(message) = reader.take::<Request>().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [first.clone(), second.clone()]);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_at_both_ends() {
        let long = request(&[&"x".repeat(1 << 20)]);
        let refused = encode(&long, REQUEST_OCTETS_MAX).unwrap_err();
        assert!(matches!(refused, FrameError::TooLong { octets, .. } if octets > 1 << 20));
        let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
        reader.push(&(1_u32 << 20).to_be_bytes());
        assert!(matches!(reader.take::<Request>(), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn another_version_and_other_octets_are_named() {
        let mut octets = encode(&request(&["zones"]), REQUEST_OCTETS_MAX).unwrap();
        octets[4] = PROTOCOL_VERSION + 1;
        let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
        reader.push(&octets);
        assert_eq!(
            reader.take::<Request>(),
            Err(FrameError::Version { found: PROTOCOL_VERSION + 1 })
        );
        let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
        reader.push(&[0, 0, 0, 0]);
        assert_eq!(reader.take::<Request>(), Err(FrameError::Version { found: 0 }));
        let mut octets = encode(&request(&[]), REQUEST_OCTETS_MAX).unwrap();
        octets.push(7);
        octets[3] += 1;
        let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
        reader.push(&octets);
        assert_eq!(reader.take::<Request>(), Err(FrameError::Rest { octets: 1 }));
    }

    proptest! {
        #[test]
        fn no_octets_panic(
            octets in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0_u32..64,
        ) {
            let mut reader = FrameReader::new(REQUEST_OCTETS_MAX);
            reader.push(&cut.to_be_bytes());
            reader.push(&[PROTOCOL_VERSION]);
            reader.push(&octets);
            while let Ok(Some(_)) = reader.take::<Request>() {}
        }
    }
}
