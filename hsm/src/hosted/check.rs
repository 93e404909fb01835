//! Verifying what a host has signed, on the parent's side: the module lives in the host and may
//! have written anywhere there, this process's memory it cannot reach (rule HSM-5).
//! In: messages, signatures, a public key made ready. Out: which signatures are wrong.
//! Spread over threads as far as there is enough to do.

use crate::packed::Packed;
use crate::verify::Verifier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What a thread takes at once. RSA is verified in some 10 µs, P-256 in 45.
const STEP: usize = 16;

/// Positions of the signatures that do not verify, in rising order.
pub(super) fn wrong_positions(
    verifier: &Verifier,
    messages: &Packed,
    signatures: &Packed,
) -> Vec<usize> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let start = next.fetch_add(STEP, Ordering::Relaxed);
            if start >= messages.len() {
                return wrong;
            }
            let end = messages.len().min(start + STEP);
            wrong.extend((start..end).filter(|position| {
                let pair = messages.get(*position).zip(signatures.get(*position));
                !pair.is_some_and(|(message, signature)| verifier.verify(message, signature))
            }));
        }
    };
    let core_count = thread::available_parallelism().map_or(1, usize::from);
    let helper_count = core_count.min(messages.len() / (2 * STEP)).saturating_sub(1);
    if helper_count == 0 {
        return work();
    }
    let mut wrong = thread::scope(|scope| {
        let helpers: Vec<_> = (0..helper_count)
            // Without helpers this thread does it all.
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut wrong = work();
        for helper in helpers {
            match helper.join() {
                Ok(found) => wrong.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        wrong
    });
    wrong.sort_unstable();
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{BuiltinToken, Unlock};
    use crate::slot::{GenerateRequest, SignBatch, Slot, random_key_id};
    use dnssec::Algorithm;

    #[test]
    fn every_wrong_signature_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let unlock = Unlock::Pin("1234".into());
        let path = folder.path().join("keys");
        let token = BuiltinToken::create("main", &path, "Anchor", &unlock).unwrap();
        let key = random_key_id().unwrap();
        let algorithm = Algorithm::Ed25519;
        let public = token.generate(&GenerateRequest::new(key.clone(), algorithm)).unwrap();
        let verifier = Verifier::new(&public).unwrap();
        let texts: Vec<_> = (0..200).map(|n: u32| n.to_be_bytes()).collect();
        let messages: Packed = texts.iter().map(<[u8; 4]>::as_slice).collect();
        let batch = SignBatch { key, algorithm, messages };
        let signatures = token.sign(&batch).unwrap();
        assert!(wrong_positions(&verifier, &batch.messages, &signatures).is_empty());
        let mut altered = Packed::default();
        for (position, signature) in signatures.iter().enumerate() {
            let mut signature = signature.to_vec();
            match position {
                0 | 77 => signature[5] ^= 1,
                199 => signature.clear(),
                _ => {}
            }
            assert!(altered.push(&signature));
        }
        assert_eq!(wrong_positions(&verifier, &batch.messages, &altered), [0, 77, 199]);
        let short = signatures.slice(0, 198);
        assert_eq!(wrong_positions(&verifier, &batch.messages, &short), [198, 199]);
    }
}
