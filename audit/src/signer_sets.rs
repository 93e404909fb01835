//! Which keys sign which RRsets of a zone, summed up: the distinct sets of keys of which single
//! RRsets have signatures. In a smooth roll (RFC 6781 §4.1.1.1) some RRsets are signed by the old
//! key and others by the new one, and only these sets tell whether each of them can be verified
//! with a given DNSKEY RRset (RFC 7583 §3.2).
//!
//! The DNSKEY RRset at the apex is not among them. Memory: an honest zone has one to three sets.
//! Limit: [`SIGNER_SETS_MAX`] sets; beyond it only that there are more is known.

use std::fmt;

use crate::wire;

/// Sets that are told apart; a zone with more is not the work of a signer.
pub(crate) const SIGNER_SETS_MAX: usize = 64;

/// What an RRSIG says about its key (RFC 4034 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    /// Algorithm number.
    pub algorithm: u8,
    /// Key tag.
    pub key_tag: u16,
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "algorithm {}, key tag {}", self.algorithm, self.key_tag)
    }
}

/// One set of keys, and the first name with an RRset that has signatures of just these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignerSet {
    /// In rising order, without repetitions.
    pub(crate) keys: Box<[KeyId]>,
    /// First in canonical order.
    pub(crate) owner: Box<[u8]>,
}

/// Half a SHA-256, so that nobody makes two zones with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignersDigest([u8; 16]);

/// The distinct sets of some RRsets, in rising order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SignerSets {
    sets: Vec<SignerSet>,
    /// Whether there were more than the limit.
    pub(crate) are_too_many: bool,
}

impl SignerSets {
    /// Notes the keys of the signatures of one RRset, which are put in order. An RRset without
    /// signatures is not noted. RRsets come in canonical order of their owner names.
    pub(crate) fn note(&mut self, keys: &mut Vec<KeyId>, owner: &[u8]) {
        if keys.is_empty() {
            return;
        }
        if keys.len() > 1 {
            keys.sort_unstable();
            keys.dedup();
        }
        self.insert(keys, owner);
    }

    /// Adds a set that is not known; gives the place of one that is.
    fn insert(&mut self, keys: &[KeyId], owner: &[u8]) -> Option<usize> {
        match self.sets.binary_search_by(|set| (*set.keys).cmp(keys)) {
            Ok(at) => return Some(at),
            Err(_) if self.sets.len() == SIGNER_SETS_MAX => self.are_too_many = true,
            Err(at) => {
                self.sets.insert(at, SignerSet { keys: keys.into(), owner: owner.into() });
            }
        }
        None
    }

    /// Takes over the sets of other RRsets.
    pub(crate) fn merge(&mut self, other: &SignerSets) {
        self.are_too_many |= other.are_too_many;
        for set in &other.sets {
            if let Some(at) = self.insert(&set.keys, &set.owner)
                && wire::compare_names(&set.owner, &self.sets[at].owner).is_lt()
            {
                self.sets[at].owner.clone_from(&set.owner);
            }
        }
    }

    /// What tells these sets from others, without their owner names.
    pub(crate) fn digest(&self) -> SignersDigest {
        let mut octets = vec![u8::from(self.are_too_many)];
        for set in &self.sets {
            // At most 64 sets of keys, each of as many as one RRset may have signatures.
            octets.extend((set.keys.len() as u64).to_be_bytes());
            for key in &set.keys {
                octets.push(key.algorithm);
                octets.extend(key.key_tag.to_be_bytes());
            }
        }
        let mut digest = [0; 16];
        digest
            .copy_from_slice(&ring::digest::digest(&ring::digest::SHA256, &octets).as_ref()[..16]);
        SignersDigest(digest)
    }

    /// The sets, in rising order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SignerSet> {
        self.sets.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key_tag: u16) -> KeyId {
        KeyId { algorithm: 13, key_tag }
    }

    #[test]
    fn equal_sets_are_one_and_keep_the_first_name() {
        let mut sets = SignerSets::default();
        sets.note(&mut vec![id(2), id(1), id(2)], b"\x01A\0");
        sets.note(&mut vec![id(1), id(2)], b"\x01b\0");
        sets.note(&mut vec![id(1)], b"\x01c\0");
        sets.note(&mut vec![], b"\x01d\0");
        let mut other = SignerSets::default();
        other.note(&mut vec![id(1)], b"\x01a\0");
        sets.merge(&other);
        let found: Vec<_> =
            sets.iter().map(|set| (set.keys.to_vec(), set.owner.to_vec())).collect();
        assert_eq!(
            found,
            [(vec![id(1)], b"\x01a\0".to_vec()), (vec![id(1), id(2)], b"\x01A\0".to_vec())]
        );
        assert!(!sets.are_too_many);
    }

    #[test]
    fn there_is_a_limit() {
        let mut sets = SignerSets::default();
        for tag in 0..200 {
            sets.note(&mut vec![id(tag)], b"\0");
        }
        assert_eq!(sets.iter().count(), SIGNER_SETS_MAX);
        assert!(sets.are_too_many);
        let mut other = SignerSets::default();
        other.merge(&sets);
        assert!(other.are_too_many);
    }
}
