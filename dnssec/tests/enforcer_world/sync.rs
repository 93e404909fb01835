//! CDS and CDNSKEY, and a parent that follows them (RFC 7344, RFC 8078): what the zone's servers
//! show, what the parent reads of it, and when it acts. The records are those of the real rule
//! (`signing::parent_sync`). The parent keeps the order of what it reads (RFC 7344 §6.2) and makes
//! none of the checks of §4.1 that would save a zone that asks for the wrong thing.

use super::random::Random;
use super::versions::Versions;
use dnssec::enforcer::{KeyLife, RecordKind, ZoneLife};
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use dnssec::signing::parent_sync::{ParentSync, delegation};

const DAY: u64 = 86_400;

/// What CDS asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Silent,
    /// The DS set shall be of these keys.
    Keys(Vec<KeyId>),
    Delete,
}

impl Wish {
    /// What the zone asks for, by the rule. A key's RDATA is its id here.
    pub(crate) fn of(life: &ZoneLife, policy: &Policy) -> Wish {
        let dnskey_of = |id: &KeyId| Some(id.as_bytes().to_vec());
        let delegation = delegation(life, policy, dnskey_of).expect("each key has its id");
        match delegation.sync {
            ParentSync::Silent => Wish::Silent,
            ParentSync::Delete => Wish::Delete,
            ParentSync::Keys(keys) => {
                Wish::Keys(keys.iter().filter_map(|bytes| KeyId::new(bytes)).collect())
            }
        }
    }

    pub(crate) fn names(&self, id: &KeyId) -> bool {
        matches!(self, Wish::Keys(keys) if keys.contains(id))
    }
}

/// One version of the CDS RRset; later ones have higher numbers (RFC 7344 §6.2: by the inception
/// of their signatures).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) order: u64,
    pub(crate) wish: Wish,
}

/// What is published, and how far the parent has read.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    shown: Versions<Said>,
    newest: Said,
    /// The number of the version that the parent acted on last.
    acted_on: u64,
    /// How often the parent looks, in seconds; 0: at once.
    interval: u64,
    pub(crate) next_poll: Option<u64>,
}

impl Sync {
    pub(crate) fn new(is_eager: bool, random: &mut Random) -> Sync {
        let silent = Said { order: 0, wish: Wish::Silent };
        let interval = match is_eager {
            true => 0,
            false => random.pick(&[0, 3600, DAY, DAY, 30 * DAY, 150 * DAY]),
        };
        Sync {
            shown: Versions::since_ever(silent.clone(), 0),
            newest: silent,
            acted_on: 0,
            interval,
            next_poll: None,
        }
    }

    /// The zone's servers begin to show this.
    pub(crate) fn publish(&mut self, now: u64, wish: Wish, delay: u64, random: &mut Random) {
        if wish == self.newest.wish {
            return;
        }
        self.newest = Said { order: self.newest.order + 1, wish };
        self.shown.close(now, delay, |_, _| false);
        self.shown.open(&self.newest, 0);
        self.plan(now, random);
    }

    /// The keys that the published CDS names.
    pub(crate) fn named(&self) -> Vec<KeyId> {
        match &self.newest.wish {
            Wish::Keys(keys) => keys.clone(),
            Wish::Silent | Wish::Delete => Vec::new(),
        }
    }

    fn plan(&mut self, now: u64, random: &mut Random) {
        if self.next_poll.is_none() {
            let wait = if self.interval == 0 { 0 } else { 1 + random.below(self.interval) };
            self.next_poll = Some(now + wait);
        }
    }

    /// The parent asks one of the zone's servers; what it is to do now, if anything is new.
    pub(crate) fn poll(&mut self, now: u64, random: &mut Random) -> Option<Said> {
        self.next_poll = None;
        let read: Vec<Said> =
            self.shown.fetchable(now).filter(|said| said.order > self.acted_on).cloned().collect();
        let said = match self.interval {
            0 => read.last().cloned(),
            _ if read.is_empty() => None,
            _ => Some(random.pick(&read)),
        };
        if let Some(said) = &said {
            self.acted_on = said.order;
        }
        if self.is_behind() && self.interval != 0 {
            self.plan(now, random);
        }
        // No CDS: nothing is asked for (RFC 7344 §4).
        said.filter(|said| said.wish != Wish::Silent)
    }

    /// Whether the parent has not read all there is.
    pub(crate) fn is_behind(&self) -> bool {
        self.acted_on < self.newest.order
    }

    /// Whether the parent may still read a version that names the key.
    pub(crate) fn may_name(&self, now: u64, id: &KeyId) -> bool {
        self.shown.fetchable(now).any(|said| said.order >= self.acted_on && said.wish.names(id))
    }
}

/// A wrong rule for CDS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WrongSync {
    /// Asks for removal whenever a DS leaves.
    DeletesOnTheWay,
    /// Names keys before their DS may come.
    NamesEarly,
    /// Names the newest key only.
    NamesNewest,
}

impl WrongSync {
    pub(crate) fn wish(self, life: &ZoneLife, right: Wish) -> Wish {
        let staying = || life.keys.iter().filter(|key| key.introducing && key.ds.is_some());
        let leaves = |key: &KeyLife| {
            key.state(RecordKind::Ds) == Some(dnssec::enforcer::RecordState::Unretentive)
        };
        // Before the first DS and on the way to unsigned all is as it should be.
        if !matches!(right, Wish::Keys(_)) {
            return right;
        }
        match self {
            WrongSync::DeletesOnTheWay if life.keys.iter().any(leaves) => Wish::Delete,
            WrongSync::DeletesOnTheWay => right,
            WrongSync::NamesEarly => Wish::Keys(staying().map(|key| key.id.clone()).collect()),
            WrongSync::NamesNewest => {
                Wish::Keys(staying().next_back().map(|key| key.id.clone()).into_iter().collect())
            }
        }
    }
}
