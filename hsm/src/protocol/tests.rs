//! Frames: what goes in comes out, and whatever else comes in is an error and never a panic.

use super::*;
use crate::error::{Cause, PinTries, Place, SlotError};
use crate::packed::Packed;
use crate::slot::{KeyEntry, KeyKind};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use proptest::prelude::*;

fn place() -> Place {
    Place { repository: "main".to_owned(), token: "Anchor".to_owned() }
}

fn answers() -> Vec<Answer> {
    let key = KeyId::new(b"0123456789abcdef").unwrap();
    let algorithm = Algorithm::EcdsaP256Sha256;
    let entry = |algorithm| KeyEntry {
        id: key.clone(),
        label: "a key".to_owned(),
        kind: KeyKind::EcdsaP256,
        bits: 256,
        algorithm,
    };
    let cause = || Cause::of("words");
    vec![
        Answer::Opened(Opened { label: "Anchor".to_owned(), whole_messages: vec![8, 10] }),
        Answer::PublicKey(PublicKey { algorithm, bytes: vec![7; 64] }),
        Answer::Keys(vec![entry(None), entry(Some(algorithm))]),
        Answer::Signatures([b"one".as_slice(), b"", b"three"].into_iter().collect()),
        Answer::Done,
        Answer::Failed(SlotError::PinRejected { place: place(), tries: PinTries::Low }),
        Answer::Failed(SlotError::ModuleFault {
            place: place(),
            operation: "C_Sign",
            cause: cause(),
        }),
        Answer::Failed(SlotError::AlgorithmMismatch {
            place: place(),
            key: key.clone(),
            algorithm,
        }),
        Answer::Failed(SlotError::GenerateSurprise {
            place: place(),
            key,
            surprise: "extractable",
        }),
    ]
}

fn buffer_of(mut bytes: &[u8]) -> FrameBuffer {
    let mut buffer = FrameBuffer::default();
    while buffer.fill(&mut bytes).unwrap() {}
    buffer
}

#[test]
fn messages_come_out_as_they_went_in() {
    let mut bytes = Vec::new();
    for (id, answer) in answers().iter().enumerate() {
        write_frame(id as u64, answer, &mut bytes).unwrap();
    }
    let mut buffer = buffer_of(&bytes);
    for (id, body) in answers().into_iter().enumerate() {
        assert!(!buffer.is_at_boundary());
        let payload = buffer.next_payload().unwrap().unwrap();
        let expected = Envelope { id: id as u64, body };
        assert_eq!(read_message::<Answer>(payload).unwrap(), expected);
    }
    assert!(buffer.is_at_boundary() && buffer.next_payload().unwrap().is_none());
}

#[test]
fn odd_frames_are_told_apart() {
    let mut frame = Vec::new();
    write_frame(1, &Answer::Done, &mut frame).unwrap();
    let mut other_version = frame.clone();
    other_version[0] = 9;
    let fault = buffer_of(&other_version).next_payload().unwrap_err();
    assert_eq!(fault, FrameFault::Version { found: 9 });
    let mut too_long = frame.clone();
    too_long[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
    let fault = buffer_of(&too_long).next_payload().unwrap_err();
    assert_eq!(fault, FrameFault::TooLong { length: u32::MAX as usize });
    let mut payload = frame[5..].to_vec();
    payload.push(0);
    let fault = read_message::<Answer>(&payload).unwrap_err();
    assert_eq!(fault, FrameFault::Trailing { length: 1 });
    let fault = read_message::<Answer>(&[1, 200]).unwrap_err();
    assert!(matches!(fault, FrameFault::Garbled(_)));
}

#[test]
fn too_long_a_message_leaves_the_buffer_as_it_was() {
    let mut long = Packed::default();
    assert!(long.push(&vec![0; FRAME_LENGTH_MAX]));
    let mut out = b"before".to_vec();
    let fault = write_frame(1, &Answer::Signatures(long), &mut out).unwrap_err();
    assert!(matches!(fault, FrameFault::TooLong { .. }));
    assert_eq!(out, b"before");
}

/// Ends that do not rise would be read outside the bytes.
#[test]
fn lists_that_are_none_are_refused() {
    let good: Packed = [b"ab".as_slice(), b"c"].into_iter().collect();
    let mut frame = Vec::new();
    write_frame(1, &Answer::Signatures(good), &mut frame).unwrap();
    let last = frame.len() - 1;
    frame[last] = 9;
    let mut buffer = buffer_of(&frame);
    let payload = buffer.next_payload().unwrap().unwrap();
    assert!(matches!(read_message::<Answer>(payload), Err(FrameFault::Garbled(_))));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_message::<Answer>(&bytes);
        let _ = read_message::<Request>(&bytes);
        let _ = read_message::<OpenRequest<'_>>(&bytes);
        let mut buffer = buffer_of(&bytes);
        while let Ok(Some(_)) = buffer.next_payload() {}
    }

    /// A frame whose bytes were changed or cut is a message or a fault, and cut short it is not
    /// given out.
    #[test]
    fn damaged_frames_never_panic(
        which in 0..9_usize, at in any::<prop::sample::Index>(), value in any::<u8>(),
    ) {
        let mut frame = Vec::new();
        write_frame(3, &answers()[which], &mut frame).unwrap();
        let at = at.index(frame.len());
        let mut cut = buffer_of(&frame[..at]);
        prop_assert!(cut.next_payload().unwrap().is_none());
        frame[at] = value;
        if let Ok(Some(payload)) = buffer_of(&frame).next_payload() {
            let _ = read_message::<Answer>(payload);
        }
    }
}
