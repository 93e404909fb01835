//! NSEC3 hashes and the table of a zone's NSEC3 records in hash order. RFC 5155 §5 and §7.1.

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};

use crate::index::Zone;
use crate::wire::{self, rtype};

/// A hash as it stands in NSEC3 records.
pub(crate) type Hash = [u8; 20];

/// NSEC3 hash of a name (RFC 5155 §5), of which the letter case does not matter.
pub(crate) fn hash(name: &[u8], iterations: u16, salt: &[u8]) -> Hash {
    let mut lowered = [0_u8; 255];
    // Names were checked to have at most 255 octets when they were read.
    let lowered = &mut lowered[..name.len().min(255)];
    lowered.copy_from_slice(&name[..name.len().min(255)]);
    lowered.make_ascii_lowercase();
    let mut current = salted(lowered, salt);
    for _ in 0..iterations {
        current = salted(&current, salt);
    }
    current
}

fn salted(octets: &[u8], salt: &[u8]) -> Hash {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(octets);
    context.update(salt);
    let mut hash = [0; 20];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hash that an NSEC3 owner name stands for: one label below the apex.
pub(crate) fn owner_hash(owner: &[u8], apex: &[u8]) -> Option<Hash> {
    let (label, rest) = owner.get(1..)?.split_at_checked(usize::from(*owner.first()?))?;
    if wire::equal_names(rest, apex) { wire::base32hex_hash(label) } else { None }
}

/// The owner names that have NSEC3 records, in hash order.
#[derive(Debug)]
pub(crate) struct Nsec3Table {
    entries: Vec<(Hash, u32)>,
}

impl Nsec3Table {
    pub(crate) fn new(zone: &Zone<'_>, apex: &[u8]) -> Self {
        let mut entries = Vec::new();
        for node in 0..zone.nodes.len() {
            if !zone.rrset(node, rtype::NSEC3).is_empty()
                && let Some(hash) = owner_hash(zone.owner(node), apex)
            {
                // At most 2^32 owner names, as there are at most that many records.
                entries.push((hash, node as u32));
            }
        }
        // Base32hex keeps the order, so this finds one sorted run.
        entries.sort();
        Nsec3Table { entries }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Which owner name stands at `position`.
    pub(crate) fn node(&self, position: usize) -> usize {
        self.entries[position].1 as usize
    }

    /// The hash at `position`.
    pub(crate) fn hash(&self, position: usize) -> &Hash {
        &self.entries[position].0
    }

    /// Position of the NSEC3 that matches `hash`, or else of the one that covers it (`None` if
    /// there are none at all).
    pub(crate) fn find(&self, hash: &Hash) -> Result<usize, Option<usize>> {
        self.entries.binary_search_by(|(other, _)| other.cmp(hash)).map_err(|position| {
            // Before the first hash, the last NSEC3 covers: the chain is a ring.
            position.checked_sub(1).or(self.entries.len().checked_sub(1))
        })
    }

    /// The hash after `position` in the ring.
    pub(crate) fn next_hash(&self, position: usize) -> &Hash {
        &self.entries[(position + 1) % self.entries.len()].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_rfc5155_appendix_a() {
        let salt = [0xaa, 0xbb, 0xcc, 0xdd];
        for (name, label) in [
            (&b"\x07example\0"[..], &b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"[..]),
            (b"\x01A\x07Example\0", b"35mthgpgcu1qg68fab165klnsnk3dpvl"),
            (b"\x01*\x01w\x07example\0", b"r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            assert_eq!(Some(hash(name, 12, &salt)), wire::base32hex_hash(label));
        }
    }

    #[test]
    fn owner_must_be_one_label_below_the_apex() {
        let label = b"\x200p9mhaveqvm6t7vbl5lop2u3t2rp3tom";
        assert!(owner_hash(&[&label[..], b"\x07example\0"].concat(), b"\x07example\0").is_some());
        assert!(owner_hash(&[&label[..], b"\x01a\0"].concat(), b"\x07example\0").is_none());
        assert!(owner_hash(b"\x07example\0", b"\x07example\0").is_none());
    }
}
