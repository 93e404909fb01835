//! Input breaker (guard W11): whether a new unsigned zone may take the place of the last one
//! without a look by an operator. A cut-off transfer, a lost final dot, an old copy: each is
//! faithfully signed by a signer that does not ask.
//!
//! In: a short summary of the last accepted input and one of the new. Out: findings `B101` to
//! `B113`. What is held stays out, and the last zone stays signed. Pure, and no part of the audit:
//! the same check serves where only the input is to be judged. RFC 1034 §4.2, RFC 1035 §5.1,
//! RFC 1982 §3.2.
//!
//! Memory of a summary: 8 octets a delegation. Limit: what lies in the zone and is missing is
//! looked for name by name, at the cost of a few binary searches each.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::{BreakerId, RecordType, Severity};
use crate::index::{NodeKind, Zone};
use crate::prepared::{AuditError, read};
use crate::rdata;
use crate::wire::{self, Record, rtype};

/// What is kept of an input, to hold the next one against.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSummary {
    /// Serial of the SOA, if there is one.
    pub serial: Option<u32>,
    /// SOA records at the apex.
    pub soas: u64,
    /// Records in the zone.
    pub records: u64,
    /// Records in the zone by type; those of the signer's own types are left out.
    pub types: BTreeMap<u16, u64>,
    /// Name servers of the zone, in lower case and order.
    pub apex_ns: Vec<Vec<u8>>,
    /// One number for each delegation, in rising order: a hash of its name.
    pub delegations: Vec<u64>,
    /// Owner names.
    pub names: u64,
    /// Owner names that end in the origin twice, and names in RDATA that do.
    pub doubled: Places,
    /// Names in RDATA.
    pub targets: u64,
    /// Names in RDATA that lie in the zone and do not exist.
    pub missing_targets: Places,
    /// Records outside the zone.
    pub out_of_zone: Places,
    /// Largest TTL, and a name that has it.
    pub largest_ttl: (u32, Vec<u8>),
    /// Places where reading had to stop.
    pub unreadable: u64,
}

/// How many there are, and the owner name of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Places {
    /// How many.
    pub count: u64,
    /// Owner name in wire form; empty if there is none.
    pub first: Vec<u8>,
}

impl Places {
    fn note(&mut self, owner: &[u8]) {
        if self.count == 0 {
            self.first = owner.to_vec();
        }
        self.count += 1;
    }
}

/// Thresholds. A change counts only when it is larger than both the part and the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerLimits {
    /// Change of the number of records, as a percentage of the last number.
    pub size_percent: u32,
    /// The same for the records of each type.
    pub type_percent: u32,
    /// Changes of at most so many records are always let through.
    pub records_least: u64,
    /// Delegations that are gone, as a percentage of the last number.
    pub delegations_percent: u32,
    /// So many delegations may always go.
    pub delegations_least: u64,
    /// Names that are doubled or missing, as a percentage of all; what was there before is let
    /// through.
    pub odd_names_percent: u32,
    /// Largest TTL in seconds; `None`: any.
    pub ttl_maximum: Option<u32>,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            size_percent: 20,
            type_percent: 30,
            records_least: 50,
            delegations_percent: 5,
            delegations_least: 10,
            odd_names_percent: 2,
            ttl_maximum: None,
        }
    }
}

/// One thing about an input that an operator should see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerFinding {
    /// What it is.
    pub id: BreakerId,
    /// Owner name in wire form; the apex when it is about the whole zone.
    pub owner: Vec<u8>,
    /// Values found and allowed.
    pub detail: String,
}

impl fmt::Display for BreakerFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, owner, detail } = self;
        let (severity, title) = (id.severity(), id.title());
        write!(f, "{id} {severity}: {}: {title}", wire::NameText(owner))?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        write!(f, " [{}]; remedy: {}", id.reference(), id.remedy())
    }
}

/// The gravest of some findings; `None`: nothing was found.
#[must_use]
pub fn severity(findings: &[BreakerFinding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.id.severity()).max()
}

impl InputSummary {
    /// Reads an input, as blocks of wire records in any order. `apex` is a wire name.
    ///
    /// # Errors
    /// [`AuditError`] if the apex is no name, or blocks or records are too many or too large.
    pub fn read(apex: &[u8], blocks: &[&[u8]]) -> Result<Self, AuditError> {
        if wire::name_length(apex) != Some(apex.len()) {
            return Err(AuditError::BadApex { length: apex.len() });
        }
        let apex = apex.to_ascii_lowercase();
        let index = read(blocks)?;
        let unreadable = index.damage.len() as u64;
        let zone = Zone::new(index, &apex);
        let mut summary = InputSummary { unreadable, ..InputSummary::default() };
        let mut last_target: (Vec<u8>, bool) = (Vec::new(), false);
        for node in 0..zone.nodes.len() {
            summary.note_owner(&zone, node, &apex, &mut last_target);
        }
        summary.apex_ns.sort_unstable();
        summary.delegations.sort_unstable();
        Ok(summary)
    }

    fn note_owner(
        &mut self,
        zone: &Zone<'_>,
        node: usize,
        apex: &[u8],
        last_target: &mut (Vec<u8>, bool),
    ) {
        let (owner, kind) = (zone.owner(node), zone.nodes[node].kind);
        if kind == NodeKind::OutOfZone {
            return zone.records(node).iter().for_each(|_| self.out_of_zone.note(owner));
        }
        self.names += 1;
        if is_doubled(owner, apex) {
            self.doubled.note(owner);
        }
        if kind.is_delegation() {
            self.delegations.push(name_hash(owner));
        }
        for &entry in zone.records(node) {
            if matches!(entry.rtype, rtype::RRSIG | rtype::NSEC | rtype::NSEC3) {
                continue;
            }
            let record = zone.index.record(entry);
            self.records += 1;
            *self.types.entry(record.rtype).or_default() += 1;
            if record.ttl > self.largest_ttl.0 || self.records == 1 {
                self.largest_ttl = (record.ttl, owner.to_vec());
            }
            if kind == NodeKind::Apex {
                self.note_apex(&record);
            }
            if let Some(target) = target_of(&record) {
                self.targets += 1;
                if is_doubled(target, apex) {
                    self.doubled.note(owner);
                }
                if !wire::equal_names(&last_target.0, target) {
                    *last_target = (target.to_vec(), is_missing(zone, target, apex));
                }
                if last_target.1 {
                    self.missing_targets.note(owner);
                }
            }
        }
    }

    fn note_apex(&mut self, record: &Record<'_>) {
        match record.rtype {
            rtype::SOA => {
                self.soas += 1;
                self.serial = rdata::soa(record.rdata).map(|soa| soa.serial);
            }
            rtype::NS => self.apex_ns.push(record.rdata.to_ascii_lowercase()),
            _ => {}
        }
    }
}

/// The name in RDATA that something is expected at: NS, CNAME, PTR, MX, SRV, DNAME.
fn target_of<'r>(record: &Record<'r>) -> Option<&'r [u8]> {
    let start = match record.rtype {
        rtype::NS | rtype::CNAME | rtype::DNAME | 12 => 0,
        15 => 2,
        33 => 6,
        _ => return None,
    };
    let name = record.rdata.get(start..)?;
    (wire::name_length(name) == Some(name.len())).then_some(name)
}

/// Whether a name is `x.ORIGIN.ORIGIN`: what becomes of `x.ORIGIN` without its final dot.
fn is_doubled(name: &[u8], apex: &[u8]) -> bool {
    if apex.len() <= 1 || name.len() < 2 * apex.len() - 1 || !wire::is_at_or_below(name, apex) {
        return false;
    }
    let head = &name[..name.len() - apex.len()];
    wire::is_at_or_below(&[head, &[0]].concat(), apex)
}

/// FNV-1a of a name in lower case. A collision would hide one lost delegation of thousands.
fn name_hash(name: &[u8]) -> u64 {
    name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether a name lies in the zone and nothing is there: no name, no name below, no wildcard, and
/// no cut or DNAME above.
fn is_missing(zone: &Zone<'_>, name: &[u8], apex: &[u8]) -> bool {
    if !wire::is_at_or_below(name, apex) {
        return false;
    }
    let position = |name: &[u8]| zone.node_at_or_after(name);
    let at = position(name);
    if at < zone.nodes.len() && wire::is_at_or_below(zone.owner(at), name) {
        return false;
    }
    for labels in (wire::label_count(apex)..wire::label_count(name)).rev() {
        let above = wire::ancestor(name, labels);
        let wildcard = [b"\x01*", above].concat();
        for (name, is_wildcard) in [(&wildcard[..], true), (above, false)] {
            let at = position(name);
            if at == zone.nodes.len() || !wire::equal_names(zone.owner(at), name) {
                continue;
            }
            let has_dname = !zone.rrset(at, rtype::DNAME).is_empty();
            if is_wildcard || has_dname || zone.nodes[at].kind.is_delegation() {
                return false;
            }
        }
    }
    true
}

/// Holds a new input against the last one. Without a last one only what is wrong in itself is
/// found.
#[must_use]
pub fn check(
    apex: &[u8],
    last: Option<&InputSummary>,
    new: &InputSummary,
    limits: &BreakerLimits,
) -> Vec<BreakerFinding> {
    let mut findings = Vec::new();
    let mut add = |id, owner: &[u8], detail: String| {
        findings.push(BreakerFinding { id, owner: owner.to_vec(), detail });
    };
    if new.unreadable > 0 {
        add(BreakerId::InputUnreadable, apex, format!("{} places", new.unreadable));
    }
    if new.soas != 1 {
        add(BreakerId::InputSoaCount, apex, format!("{} found", new.soas));
    }
    if let Some(maximum) = limits.ttl_maximum.filter(|&maximum| new.largest_ttl.0 > maximum) {
        let detail = format!("{} s, limit {maximum} s", new.largest_ttl.0);
        add(BreakerId::TtlTooLong, &new.largest_ttl.1, detail);
    }
    let before = last.map_or(0, |last| last.doubled.count);
    if is_more(new.doubled.count, before, new.names + new.targets, limits.odd_names_percent) {
        let detail = format!("{} names, {before} before", new.doubled.count);
        add(BreakerId::DoubledOrigin, &new.doubled.first, detail);
    }
    if let Some(last) = last {
        check_change(apex, last, new, limits, &mut add);
    }
    findings
}

fn check_change(
    apex: &[u8],
    last: &InputSummary,
    new: &InputSummary,
    limits: &BreakerLimits,
    add: &mut impl FnMut(BreakerId, &[u8], String),
) {
    let is_large = |before: u64, now: u64, percent: u32| {
        let change = before.abs_diff(now);
        change > limits.records_least && change * 100 > before * u64::from(percent)
    };
    if is_large(last.records, new.records, limits.size_percent) {
        let detail = format!("{} before, {} now", last.records, new.records);
        add(BreakerId::SizeChanged, apex, detail);
    }
    for (&record_type, &before) in &last.types {
        let now = new.types.get(&record_type).copied().unwrap_or(0);
        let detail = format!("{}: {before} before, {now} now", RecordType(record_type));
        if now == 0 && before > limits.records_least {
            add(BreakerId::TypeGone, apex, detail);
        } else if is_large(before, now, limits.type_percent) {
            add(BreakerId::TypeChanged, apex, detail);
        }
    }
    let lost = lost(&last.delegations, &new.delegations);
    let before = last.delegations.len() as u64;
    if lost > limits.delegations_least
        && lost * 100 > before * u64::from(limits.delegations_percent)
    {
        add(BreakerId::DelegationsLost, apex, format!("{lost} of {before}"));
    }
    if last.apex_ns != new.apex_ns && !last.apex_ns.is_empty() {
        let is_replaced = !last.apex_ns.iter().any(|name| new.apex_ns.contains(name));
        let id = if is_replaced { BreakerId::ApexNsReplaced } else { BreakerId::ApexNsChanged };
        add(id, apex, format!("{} before, {} now", last.apex_ns.len(), new.apex_ns.len()));
    }
    if let (Some(before), Some(now)) = (last.serial, new.serial)
        && now.wrapping_sub(before) > 0x8000_0000
    {
        add(BreakerId::InputSerialBackwards, apex, format!("{now}, before {before}"));
    }
    let (missing, before) = (&new.missing_targets, last.missing_targets.count);
    if is_more(missing.count, before, new.targets, limits.odd_names_percent) {
        let detail = format!("{} names, {before} before", missing.count);
        add(BreakerId::TargetsMissing, &missing.first, detail);
    }
    let (outside, before) = (&new.out_of_zone, last.out_of_zone.count);
    if is_more(outside.count, before, new.records, limits.odd_names_percent) {
        let detail = format!("{} records, {before} before", outside.count);
        add(BreakerId::InputOutOfZone, &outside.first, detail);
    }
}

/// Whether there are more than before, by more than so many of a hundred.
fn is_more(now: u64, before: u64, of: u64, percent: u32) -> bool {
    now.saturating_sub(before) * 100 > of * u64::from(percent)
}

/// How many of `last` are not in `new`; both are in rising order.
fn lost(last: &[u64], new: &[u64]) -> u64 {
    let mut rest = new;
    let mut count = 0;
    for hash in last {
        let position = rest.partition_point(|other| other < hash);
        rest = &rest[position..];
        count += u64::from(rest.first() != Some(hash));
    }
    count
}
