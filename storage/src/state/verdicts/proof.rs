//! Proof of the chain: every entry follows the one before, the first one follows what was removed,
//! and the last one is the one that the store names.
//! In: the rows as they stand. Out: [`ChainProof`], which says what is broken and where.
//! What it cannot tell: that somebody with the store in hand made the whole chain anew. For that a
//! hash that was noted elsewhere is compared (`known`); the daemon writes one into its log each
//! day. Limit: [`FAULTS_MAX`] faults are told.

use super::super::StateStore;
use super::super::error::StateError;
use super::values::decode_event;
use super::{ChainHash, Link, VerdictEvent, hash_of, split};

/// Most faults that are told.
const FAULTS_MAX: usize = 100;

/// What is wrong with the chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainFault {
    /// Its hash is not that of what it says and of the one before.
    #[error("entry {number} is broken: it, or the entry before it, was changed")]
    Broken {
        /// Its number.
        number: u64,
    },
    /// It cannot be read.
    #[error("entry {number} cannot be read")]
    Unreadable {
        /// Its number.
        number: u64,
    },
    /// Entries that should be there are not.
    #[error("entries {from} to {to} are missing")]
    Missing {
        /// Number of the first.
        from: u64,
        /// Number of the last.
        to: u64,
    },
    /// The last entry is not the one that was written last.
    #[error("the chain ends with entry {found:?}, and the last one written was {head:?}")]
    Head {
        /// The last one there is.
        found: Option<u64>,
        /// The last one written.
        head: Option<u64>,
    },
    /// The entries before the first one were not removed by the log itself.
    #[error("entries before {first} are gone, and no entry says that they were removed")]
    Base {
        /// The first one there is.
        first: u64,
    },
    /// An entry has another hash than was known.
    #[error("entry {number} has another hash than the one that was noted: the chain was made anew")]
    Known {
        /// Its number.
        number: u64,
    },
    /// The entry whose hash is known is not there.
    #[error("entry {number}, whose hash was noted, is not in the log")]
    KnownMissing {
        /// Its number.
        number: u64,
    },
}

/// What a walk along the chain showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainProof {
    /// Number of the first entry there is.
    pub first: u64,
    /// How many entries there are.
    pub count: u64,
    /// The last one's number and hash; `None`: there is none.
    pub last: Option<(u64, ChainHash)>,
    /// What is wrong; nothing, if the chain is whole.
    pub faults: Vec<ChainFault>,
}

/// The walk so far.
struct Walk {
    at: Link,
    count: u64,
    known: Option<(u64, ChainHash)>,
    pruned: Option<Link>,
    faults: Vec<ChainFault>,
}

impl Walk {
    fn fault(&mut self, fault: ChainFault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    fn step(&mut self, number: u64, row: &[u8]) {
        if number != self.at.next {
            self.fault(ChainFault::Missing { from: self.at.next, to: number.saturating_sub(1) });
            self.at.next = number;
        }
        self.count += 1;
        let Some((hash, value)) = split(row) else {
            self.at.next = number.saturating_add(1);
            return self.fault(ChainFault::Unreadable { number });
        };
        if hash_of(&self.at, value) != hash {
            self.fault(ChainFault::Broken { number });
        }
        match decode_event(value) {
            Ok(entry) => {
                if let VerdictEvent::Pruned { through, hash } = entry.event {
                    let next = through.saturating_add(1);
                    self.pruned = Some(Link { next, previous: hash });
                }
            }
            Err(_) => self.fault(ChainFault::Unreadable { number }),
        }
        if let Some((_, known)) = self.known.take_if(|(known, _)| *known == number)
            && known != hash
        {
            self.fault(ChainFault::Known { number });
        }
        self.at = Link { next: number.saturating_add(1), previous: hash };
    }
}

impl StateStore {
    /// Walks along the chain. `known`: number and hash of an entry, noted earlier.
    pub fn verdicts_verify(
        &self,
        known: Option<(u64, ChainHash)>,
    ) -> Result<ChainProof, StateError> {
        let (base, head) = (self.base()?, self.head()?);
        let mut walk = Walk { at: base, count: 0, known, pruned: None, faults: Vec::new() };
        // What comes in meanwhile is not walked.
        self.walk(base.next, &mut |link, row| {
            // Files that a crash left may have earlier ones.
            if (base.next..head.next).contains(&link.next) {
                walk.step(link.next, row);
            }
            Ok(link.next < head.next)
        })?;
        if walk.at != head {
            let number = |link: &Link| link.next.checked_sub(1);
            let (found, head) = (number(&walk.at), number(&head));
            walk.fault(ChainFault::Head { found, head });
        }
        if base != Link::START && walk.pruned != Some(base) {
            walk.fault(ChainFault::Base { first: base.next });
        }
        if let Some((number, _)) = walk.known {
            walk.fault(ChainFault::KnownMissing { number });
        }
        let last = (walk.count > 0).then(|| (walk.at.next.saturating_sub(1), walk.at.previous));
        Ok(ChainProof { first: base.next, count: walk.count, last, faults: walk.faults })
    }
}
