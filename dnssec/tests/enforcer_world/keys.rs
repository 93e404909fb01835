//! The keys of the world: small numbers for them, so that sets of keys are bits.
//! A revoked key is another key to everybody who validates: its DNSKEY, tag and DS differ
//! (RFC 5011 §2.1).

use super::versions::KeySet;
use dnssec::Algorithm;
use dnssec::key::KeyId;

/// The algorithms that the model plays with.
pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::RsaSha256, Algorithm::EcdsaP256Sha256, Algorithm::Ed25519];

/// Index of an algorithm in [`ALGORITHMS`].
pub(crate) fn algorithm_index(algorithm: Algorithm) -> usize {
    ALGORITHMS.iter().position(|it| *it == algorithm).expect("the model's algorithms only")
}

#[derive(Clone, Debug)]
struct Entry {
    id: KeyId,
    is_revoked: bool,
}

/// Numbers of keys. A number is given again when no cache knows its key any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    entries: Vec<Option<Entry>>,
    of_algorithm: [KeySet; ALGORITHMS.len()],
}

impl Keys {
    /// The number of a key that has one.
    pub(crate) fn find(&self, id: &KeyId, is_revoked: bool) -> Option<usize> {
        let is_it = |entry: &Option<Entry>| {
            entry.as_ref().is_some_and(|it| it.id == *id && it.is_revoked == is_revoked)
        };
        self.entries.iter().position(is_it)
    }

    /// The number of a key, which it gets if it has none.
    pub(crate) fn number(&mut self, id: &KeyId, is_revoked: bool, algorithm: Algorithm) -> usize {
        if let Some(number) = self.find(id, is_revoked) {
            return number;
        }
        let number = self.entries.iter().position(Option::is_none).unwrap_or(self.entries.len());
        assert!(number < 128, "more than 128 keys at once");
        self.entries.resize(self.entries.len().max(number + 1), None);
        self.entries[number] = Some(Entry { id: id.clone(), is_revoked });
        let set = &mut self.of_algorithm[algorithm_index(algorithm)];
        *set = set.or(KeySet::of(&[number]));
        number
    }

    /// How many keys have a number.
    pub(crate) fn count(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// All keys of an algorithm.
    pub(crate) fn of_algorithm(&self, index: usize) -> KeySet {
        self.of_algorithm[index]
    }

    /// Those that are revoked.
    pub(crate) fn revoked(&self) -> KeySet {
        let is_revoked = |entry: &Option<Entry>| entry.as_ref().is_some_and(|it| it.is_revoked);
        let numbers = (0..self.entries.len()).filter(|it| is_revoked(&self.entries[*it]));
        KeySet::of(&numbers.collect::<Vec<_>>())
    }

    /// Gives the numbers back that are not in `used`.
    pub(crate) fn forget_all_but(&mut self, used: KeySet) {
        for number in 0..self.entries.len() {
            if !used.has(number) {
                self.entries[number] = None;
            }
        }
        for set in &mut self.of_algorithm {
            *set = set.and(used);
        }
    }

    /// The ids of a set, for reports.
    pub(crate) fn text(&self, set: KeySet) -> String {
        let text = |number: usize| match &self.entries[number] {
            Some(entry) if entry.is_revoked => format!("{}(revoked)", entry.id),
            Some(entry) => entry.id.to_string(),
            None => format!("#{number}"),
        };
        let texts: Vec<String> = set.numbers().map(text).collect();
        format!("{{{}}}", texts.join(" "))
    }
}
