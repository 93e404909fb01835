//! Questions about one state of a zone: what a name is, and which names are its neighbours.
//! RFC 4034 §6.1 (order), RFC 4035 §2.3 (NSEC chain), RFC 5155 §7.1 (hash ring).
//!
//! Each answer costs a few binary searches, or is bounded by a named limit.

use crate::incremental::NotIncremental;
use crate::incremental::block::{List, Position, Records};
use crate::index::{NodeKind, TypesAt};
use crate::nsec3::Hash;
use crate::rdata;
use crate::wire::{self, Record, rtype};

/// Names looked at in a walk below an empty non-terminal or a zone cut.
const WALK_NAMES_MAX: usize = 4096;

/// The two lists of one state.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    pub(super) others: &'v List,
    pub(super) nsec3s: &'v List,
    /// In lower case.
    apex: &'v [u8],
    /// What is at the apex; most questions ask for it.
    apex_types: Option<TypesAt>,
}

impl<'v> View<'v> {
    pub(super) fn new(others: &'v List, nsec3s: &'v List, apex: &'v [u8]) -> Self {
        let apex_types = others.find(apex).map(|position| types_at(others, position));
        View { others, nsec3s, apex, apex_types }
    }

    /// The apex in lower case.
    pub(super) fn apex(self) -> &'v [u8] {
        self.apex
    }

    /// Records of a name, from both lists.
    pub(super) fn records(self, name: &[u8]) -> impl Iterator<Item = (&'v [u8], Record<'v>)> {
        Records(self.others.records_of(name)).chain(Records(self.nsec3s.records_of(name)))
    }

    /// Whether there are records at a name.
    pub(super) fn has(self, name: &[u8]) -> bool {
        self.others.find(name).is_some() || self.nsec3s.find(name).is_some()
    }

    fn types(self, name: &[u8]) -> Option<TypesAt> {
        if wire::equal_names(name, self.apex) {
            return self.apex_types;
        }
        self.others.find(name).map(|position| types_at(self.others, position))
    }

    /// The highest zone cut or DNAME above `name`.
    pub(super) fn hidden_by(self, name: &[u8]) -> Option<&[u8]> {
        if !wire::is_at_or_below(name, self.apex) {
            return None;
        }
        (wire::label_count(self.apex)..wire::label_count(name))
            .map(|labels| wire::ancestor(name, labels))
            .find(|ancestor| {
                // Nothing higher hides it, or the search had ended there.
                self.types(ancestor).is_some_and(|types| {
                    NodeKind::of(ancestor, self.apex, types, || false).hides_below(types)
                })
            })
    }

    /// What a name is; nothing if it has no records but those of NSEC3.
    pub(super) fn kind(self, name: &[u8]) -> Option<NodeKind> {
        self.types(name).map(|types| self.kind_with(name, types))
    }

    fn kind_with(self, name: &[u8], types: TypesAt) -> NodeKind {
        NodeKind::of(name, self.apex, types, || self.hidden_by(name).is_some())
    }

    /// Whether a name hides what is below it.
    pub(super) fn hides_below(self, name: &[u8]) -> bool {
        self.types(name).is_some_and(|types| self.kind_with(name, types).hides_below(types))
    }

    /// Whether a name belongs into an NSEC chain.
    pub(super) fn is_in_chain(self, name: &[u8]) -> bool {
        self.kind(name).is_some_and(NodeKind::is_in_chain)
    }

    /// The next name of the chain at `position` or after it, and its kind.
    fn chain_from(self, mut position: Position) -> Option<(&'v [u8], NodeKind, Position)> {
        while let Some(owner) = self.others.owner(position) {
            let kind = self.kind_with(owner, types_at(self.others, position));
            if kind.is_in_chain() {
                return Some((owner, kind, position));
            }
            position = match self.hidden_by(owner) {
                Some(top) => self.after_subtree(top),
                None => self.others.next(position),
            };
        }
        None
    }

    fn after(self, name: &[u8]) -> Position {
        self.others.partition(|owner| wire::compare_names(owner, name).is_le())
    }

    fn after_subtree(self, top: &[u8]) -> Position {
        self.others.partition(|owner| {
            wire::compare_names(owner, top).is_le() || wire::is_at_or_below(owner, top)
        })
    }

    /// The name of the chain that comes after `name`.
    pub(super) fn next_in_chain(self, name: &[u8]) -> Option<&'v [u8]> {
        self.chain_from(self.after(name)).map(|(owner, _, _)| owner)
    }

    /// The name of the chain that comes before `name`.
    pub(super) fn previous_in_chain(self, name: &[u8]) -> Option<&'v [u8]> {
        let mut position = self.others.at_or_after(name);
        loop {
            position = self.others.previous(position)?;
            let owner = self.others.owner(position)?;
            if self.kind_with(owner, types_at(self.others, position)).is_in_chain() {
                return Some(owner);
            }
            if let Some(top) = self.hidden_by(owner) {
                // What hides others is itself in the chain.
                return self.others.owner(self.others.find(top)?);
            }
        }
    }

    /// The first name of the chain below `name`, which is not in the chain itself.
    pub(super) fn first_below(self, name: &[u8]) -> Option<&'v [u8]> {
        let (owner, _, _) = self.chain_from(self.after(name))?;
        wire::is_at_or_below(owner, name).then_some(owner)
    }

    /// The first name of the chain below `name` that must have an NSEC3 in an opt-out zone.
    ///
    /// # Errors
    /// [`NotIncremental::TooMuch`] if there are too many others before it.
    pub(super) fn first_required_below(
        self,
        name: &[u8],
    ) -> Result<Option<&'v [u8]>, NotIncremental> {
        let mut position = self.after(name);
        for _ in 0..WALK_NAMES_MAX {
            let Some((owner, kind, at)) = self.chain_from(position) else { return Ok(None) };
            if !wire::is_at_or_below(owner, name) {
                return Ok(None);
            }
            if kind != NodeKind::InsecureDelegation {
                return Ok(Some(owner));
            }
            position = self.others.next(at);
        }
        Err(NotIncremental::TooMuch { names: WALK_NAMES_MAX, limit: WALK_NAMES_MAX })
    }

    /// All names below `name`.
    ///
    /// # Errors
    /// [`NotIncremental::TooMuch`] if there are too many.
    pub(super) fn all_below(self, name: &[u8]) -> Result<Vec<&'v [u8]>, NotIncremental> {
        let mut found = Vec::new();
        let mut position = self.after(name);
        while let Some(owner) = self.others.owner(position) {
            if !wire::is_at_or_below(owner, name) {
                break;
            }
            if found.len() == WALK_NAMES_MAX {
                return Err(NotIncremental::TooMuch {
                    names: found.len() + 1,
                    limit: WALK_NAMES_MAX,
                });
            }
            found.push(owner);
            position = self.others.next(position);
        }
        Ok(found)
    }

    /// Owner name of the NSEC3 for this hash: the one that matches it, or else covers it.
    pub(super) fn nsec3_for(self, hash: &Hash) -> Nsec3For<'v> {
        let name = self.nsec3_name(hash);
        let position = self.nsec3s.at_or_after(&name);
        match self.nsec3s.owner(position) {
            Some(owner) if wire::equal_names(owner, &name) => Nsec3For::Matching(owner),
            _ => {
                let before = self.nsec3s.previous(position);
                let covering = before.and_then(|position| self.nsec3s.owner(position));
                covering.or(self.nsec3s.last_owner()).map_or(Nsec3For::None, Nsec3For::Covering)
            }
        }
    }

    fn nsec3_name(self, hash: &Hash) -> Vec<u8> {
        [&[32], &wire::base32hex_label(hash)[..], self.apex].concat()
    }

    /// The owner name after `name` in the ring of NSEC3 records.
    pub(super) fn next_in_ring(self, name: &[u8]) -> Option<&'v [u8]> {
        let position = self.nsec3s.partition(|owner| wire::compare_names(owner, name).is_le());
        self.nsec3s.owner(position).or_else(|| self.nsec3s.first_owner())
    }

    /// The owner name before `name` in the ring of NSEC3 records.
    pub(super) fn previous_in_ring(self, name: &[u8]) -> Option<&'v [u8]> {
        let before = self.nsec3s.previous(self.nsec3s.at_or_after(name));
        before.and_then(|position| self.nsec3s.owner(position)).or(self.nsec3s.last_owner())
    }

    /// The bitmaps of the NSEC3 records at an owner name, in order.
    pub(super) fn nsec3_bitmaps(self, name: &[u8]) -> Vec<Option<&'v [u8]>> {
        let records = Records(self.nsec3s.records_of(name));
        let nsec3s = records.filter(|(_, record)| record.rtype == rtype::NSEC3);
        let mut bitmaps: Vec<_> = nsec3s
            .map(|(_, record)| rdata::nsec3(record.rdata).map(|nsec3| nsec3.bitmap))
            .collect();
        bitmaps.sort_unstable();
        bitmaps
    }

    /// TTL that denial records must have (RFC 9077 §3), if the apex has one SOA.
    pub(super) fn denial_ttl(self) -> Option<u32> {
        let mut soas = Records(self.others.records_of(self.apex))
            .filter(|(_, record)| record.rtype == rtype::SOA);
        let (Some((_, record)), None) = (soas.next(), soas.next()) else { return None };
        rdata::soa(record.rdata).map(|soa| record.ttl.min(soa.minimum))
    }
}

/// Which NSEC3 answers for a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nsec3For<'v> {
    Matching(&'v [u8]),
    Covering(&'v [u8]),
    /// There are no NSEC3 records.
    None,
}

fn types_at(list: &List, position: Position) -> TypesAt {
    TypesAt::of(Records(list.records(position)).map(|(_, record)| record.rtype))
}
