//! Who signs how much: a tally of signatures by key, kept for each chunk, so that a question about
//! a key of a zone costs its chunks and not its records.
//! In: RRsets and their signatures, one after the other. Out: RRsets by signer.
//! Memory: eight bytes for each key that signs in a chunk, of which there are one or two.

use crate::{Algorithm, KeyTag};

/// So many RRsets have a signature by a key of this algorithm and tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignerCount {
    /// Algorithm number.
    pub algorithm: u8,
    /// Tag of the key.
    pub key_tag: KeyTag,
    /// How many RRsets.
    pub rrset_count: u32,
}

impl SignerCount {
    /// Whether it is about keys of this tag and algorithm.
    pub fn is_of(&self, algorithm: Algorithm, key_tag: KeyTag) -> bool {
        self.algorithm == algorithm.number() && self.key_tag == key_tag
    }
}

/// Counts the signed RRsets of one chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: Vec<SignerCount>,
    /// For each of the counts, the RRset that was counted last.
    last: Vec<u32>,
    signed_rrset_count: u32,
    /// Number of the open RRset, from 1, and whether it has a signature.
    open: u32,
    is_signed: bool,
}

impl Tally {
    /// The signatures that come are over another RRset.
    pub(super) fn begin_rrset(&mut self) {
        self.open += 1;
        self.is_signed = false;
    }

    /// The open RRset has a signature by this key. Several by one key count once.
    pub(super) fn note(&mut self, algorithm: u8, key_tag: KeyTag) {
        self.signed_rrset_count += u32::from(!self.is_signed);
        self.is_signed = true;
        let is_it = |count: &SignerCount| (count.algorithm, count.key_tag) == (algorithm, key_tag);
        match self.counts.iter().position(is_it) {
            Some(at) if self.last[at] == self.open => {}
            Some(at) => {
                self.counts[at].rrset_count += 1;
                self.last[at] = self.open;
            }
            None => {
                self.counts.push(SignerCount { algorithm, key_tag, rrset_count: 1 });
                self.last.push(self.open);
            }
        }
    }

    /// Signed RRsets, and those of each signer.
    pub(super) fn finish(self) -> (u32, Box<[SignerCount]>) {
        (self.signed_rrset_count, self.counts.into_boxed_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rrset_with_two_signatures_of_one_key_counts_once() {
        let mut tally = Tally::default();
        for signatures in [&[1, 2][..], &[], &[1, 1], &[2]] {
            tally.begin_rrset();
            signatures.iter().for_each(|tag| tally.note(13, KeyTag(*tag)));
        }
        let (rrsets, counts) = tally.finish();
        let counts: Vec<_> =
            counts.iter().map(|count| (count.key_tag.0, count.rrset_count)).collect();
        assert_eq!((rrsets, counts), (3, vec![(1, 2), (2, 2)]));
    }
}
