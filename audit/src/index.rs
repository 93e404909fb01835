//! Index of a zone's records by offsets into the caller's blocks, in canonical order, and the
//! classification of its owner names. RFC 4034 §6 (order), RFC 4035 §2.2-2.4 (what is
//! authoritative), RFC 6672 §2.3 (nothing below a DNAME), RFC 5155 §7.1 (empty non-terminals).
//!
//! The order of the input is not trusted. The stable sort notices sorted runs by itself, so
//! input that is in order costs one comparison a record.

use std::cmp::Ordering;
use std::ops::Range;

use crate::rdata;
use crate::wire::{self, HEADER_LENGTH, Record, rtype, u16_at, u32_at};

/// Where one record lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    block: u32,
    offset: u32,
    pub(crate) rtype: u16,
    owner_length: u8,
}

/// The records of one zone in canonical order of owner, type, RDATA.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    blocks: &'a [&'a [u8]],
    pub(crate) entries: Vec<Entry>,
    /// Block and offset of each place where reading had to stop.
    pub(crate) damage: Vec<(usize, usize)>,
}

impl<'a> Index<'a> {
    /// Reads and orders all records. The caller has checked that there are at most 2^32 blocks of
    /// less than 2^32 octets each.
    pub(crate) fn read(blocks: &'a [&'a [u8]]) -> Self {
        let mut index = Index { blocks, entries: Vec::new(), damage: Vec::new() };
        for (number, block) in blocks.iter().enumerate() {
            let mut offset = 0;
            while offset < block.len() {
                let Some((record, length)) = wire::read_record(&block[offset..]) else {
                    index.damage.push((number, offset));
                    break;
                };
                index.entries.push(Entry {
                    block: number as u32,
                    offset: offset as u32,
                    rtype: record.rtype,
                    owner_length: record.owner.len() as u8,
                });
                offset += length;
            }
        }
        let mut entries = std::mem::take(&mut index.entries);
        entries.sort_by(|&left, &right| index.compare(left, &index, right));
        index.entries = entries;
        index
    }

    /// Canonical order of two records, which may belong to different zones.
    pub(crate) fn compare(&self, left: Entry, other: &Index<'_>, right: Entry) -> Ordering {
        wire::compare_names(self.owner(left), other.owner(right))
            .then_with(|| left.rtype.cmp(&right.rtype))
            .then_with(|| {
                let (left_rdata, right_rdata) =
                    (self.record(left).rdata, other.record(right).rdata);
                rdata::compare(left.rtype, left_rdata, right_rdata)
            })
    }

    /// The blocks that the entries point into.
    pub(crate) fn blocks(&self) -> &'a [&'a [u8]] {
        self.blocks
    }

    /// Owner name of a record.
    pub(crate) fn owner(&self, entry: Entry) -> &'a [u8] {
        let start = entry.offset as usize;
        &self.blocks[entry.block as usize][start..start + usize::from(entry.owner_length)]
    }

    /// The record itself.
    pub(crate) fn record(&self, entry: Entry) -> Record<'a> {
        let bytes = &self.blocks[entry.block as usize][entry.offset as usize..];
        let (owner, rest) = bytes.split_at(usize::from(entry.owner_length));
        // The header was there when the record was read, so the defaults are never taken.
        let rdata_length = usize::from(u16_at(rest, 8).unwrap_or(0));
        Record {
            owner,
            rtype: entry.rtype,
            class: u16_at(rest, 2).unwrap_or(0),
            ttl: u32_at(rest, 4).unwrap_or(0),
            rdata: &rest[HEADER_LENGTH..HEADER_LENGTH + rdata_length],
        }
    }

    /// Type that an RRSIG entry covers; 0 if the RDATA is too short to tell.
    pub(crate) fn covered(&self, entry: Entry) -> u16 {
        u16_at(self.record(entry).rdata, 0).unwrap_or(0)
    }
}

/// What an owner name is in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NodeKind {
    /// Not at or below the apex.
    OutOfZone,
    /// The apex.
    Apex,
    /// A name with authoritative data.
    Authoritative,
    /// A delegation without DS.
    InsecureDelegation,
    /// A delegation with DS.
    SecureDelegation,
    /// Below a zone cut or a DNAME.
    Occluded,
    /// Only records of DNSSEC's own (NSEC, NSEC3, RRSIG): no name of the zone's data.
    DenialOnly,
}

/// What the record types at a name say about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TypesAt {
    /// Something beside records of DNSSEC's own.
    has_data: bool,
    has_ns: bool,
    has_ds: bool,
    has_dname: bool,
}

impl TypesAt {
    pub(crate) fn of(types: impl Iterator<Item = u16>) -> Self {
        let mut found = Self::default();
        for record_type in types {
            found.has_data |= !matches!(record_type, rtype::RRSIG | rtype::NSEC | rtype::NSEC3);
            found.has_ns |= record_type == rtype::NS;
            found.has_ds |= record_type == rtype::DS;
            found.has_dname |= record_type == rtype::DNAME;
        }
        found
    }
}

impl NodeKind {
    /// What an owner name is, by its types and whether a zone cut or a DNAME above hides it.
    pub(crate) fn of(
        owner: &[u8],
        apex: &[u8],
        types: TypesAt,
        is_hidden: impl FnOnce() -> bool,
    ) -> Self {
        if !wire::is_at_or_below(owner, apex) {
            Self::OutOfZone
        } else if !types.has_data {
            Self::DenialOnly
        } else if is_hidden() {
            Self::Occluded
        } else if owner.len() == apex.len() {
            Self::Apex
        } else if !types.has_ns {
            Self::Authoritative
        } else if types.has_ds {
            Self::SecureDelegation
        } else {
            Self::InsecureDelegation
        }
    }

    /// Whether everything below a name of this kind is hidden.
    pub(crate) fn hides_below(self, types: TypesAt) -> bool {
        self.is_delegation() || (self.is_in_chain() && types.has_dname)
    }

    /// Whether the name belongs into an NSEC chain.
    pub(crate) fn is_in_chain(self) -> bool {
        matches!(
            self,
            Self::Apex | Self::Authoritative | Self::InsecureDelegation | Self::SecureDelegation
        )
    }

    /// Whether the name is a zone cut below the apex.
    pub(crate) fn is_delegation(self) -> bool {
        matches!(self, Self::InsecureDelegation | Self::SecureDelegation)
    }
}

/// One owner name: where its records start, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    first: u32,
    pub(crate) kind: NodeKind,
}

/// An empty non-terminal: the ancestor with `labels` labels of the owner name `node`, the first
/// name below it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EmptyNonTerminal {
    pub(crate) node: u32,
    pub(crate) labels: u8,
    /// Whether something other than insecure delegations lies below it.
    pub(crate) required: bool,
}

/// The candidate: its records, owner names and empty non-terminals.
#[derive(Debug)]
pub(crate) struct Zone<'a> {
    pub(crate) index: Index<'a>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) empty_non_terminals: Vec<EmptyNonTerminal>,
    /// Which node is the apex, if there are records at the apex.
    pub(crate) apex_node: Option<usize>,
}

impl<'a> Zone<'a> {
    /// Groups records by owner name and classifies each owner name.
    pub(crate) fn new(index: Index<'a>, apex: &[u8]) -> Self {
        let mut zone =
            Zone { index, nodes: Vec::new(), empty_non_terminals: Vec::new(), apex_node: None };
        zone.group();
        zone.classify(apex);
        zone.find_empty_non_terminals();
        zone
    }

    fn group(&mut self) {
        let mut previous: Option<&[u8]> = None;
        for (at, &entry) in self.index.entries.iter().enumerate() {
            let owner = self.index.owner(entry);
            if previous.is_none_or(|previous| !wire::equal_names(previous, owner)) {
                // At most 2^32 records, which the caller has checked.
                self.nodes.push(Node { first: at as u32, kind: NodeKind::OutOfZone });
                previous = Some(owner);
            }
        }
    }

    fn classify(&mut self, apex: &[u8]) {
        let mut top: Option<&[u8]> = None;
        for at in 0..self.nodes.len() {
            let owner = self.owner(at);
            let types = TypesAt::of(self.records(at).iter().map(|entry| entry.rtype));
            let is_hidden = || top.is_some_and(|top| wire::is_at_or_below(owner, top));
            let kind = NodeKind::of(owner, apex, types, is_hidden);
            if kind.hides_below(types) {
                top = Some(owner);
            }
            if kind == NodeKind::Apex {
                self.apex_node = Some(at);
            }
            self.nodes[at].kind = kind;
        }
    }

    /// In canonical order a name that exists comes before everything below it, so an ancestor
    /// that neither is nor is above the name before is empty. Those still open are on a stack.
    fn find_empty_non_terminals(&mut self) {
        let Some(apex_node) = self.apex_node else { return };
        let mut previous = self.owner(apex_node);
        let mut open: Vec<usize> = Vec::new();
        for at in apex_node..self.nodes.len() {
            let kind = self.nodes[at].kind;
            if !kind.is_in_chain() {
                continue;
            }
            let owner = self.owner(at);
            let shared = wire::shared_labels(previous, owner);
            previous = owner;
            let found = &mut self.empty_non_terminals;
            while open.last().is_some_and(|&last| usize::from(found[last].labels) > shared) {
                open.pop();
            }
            for labels in shared + 1..wire::label_count(owner) {
                open.push(found.len());
                // A name has at most 127 labels.
                let labels = labels as u8;
                found.push(EmptyNonTerminal { node: at as u32, labels, required: false });
            }
            if kind != NodeKind::InsecureDelegation {
                // What is above a required one was marked together with it.
                for &ancestor in open.iter().rev() {
                    if std::mem::replace(&mut found[ancestor].required, true) {
                        break;
                    }
                }
            }
        }
    }

    /// Positions of the entries of one owner name.
    pub(crate) fn span(&self, node: usize) -> Range<usize> {
        let end = self.nodes.get(node + 1).map_or(self.index.entries.len(), |n| n.first as usize);
        self.nodes[node].first as usize..end
    }

    /// The entries of one owner name.
    pub(crate) fn records(&self, node: usize) -> &[Entry] {
        &self.index.entries[self.span(node)]
    }

    /// The owner name itself, in the letter case of its first record.
    pub(crate) fn owner(&self, node: usize) -> &'a [u8] {
        self.index.owner(self.index.entries[self.nodes[node].first as usize])
    }

    /// The entries at the owner name that have this type.
    pub(crate) fn rrset(&self, node: usize, wanted: u16) -> &[Entry] {
        let records = self.records(node);
        let start = records.partition_point(|entry| entry.rtype < wanted);
        let end = records.partition_point(|entry| entry.rtype <= wanted);
        &records[start..end]
    }

    /// The entries of this type at the apex.
    pub(crate) fn apex_rrset(&self, wanted: u16) -> &[Entry] {
        self.apex_node.map_or(&[], |apex_node| self.rrset(apex_node, wanted))
    }
}
