//! Input breaker: whether a new input may take the place of the last one without a look by an
//! operator. A cut-off copy, a lost final dot, an old file: each would be signed faithfully, and
//! every audit of the signed zone would approve it, since it is what came in.
//! RFC 1035 §5.1 (final dot), RFC 1982 §3.2 (serials), RFC 9471 §2 (glue).
//!
//! In: the last input that was signed, the new one, limits. Out: [`Trip`]s; none lets it pass.
//! [`change_in`] looks at the owners that differ, range by range, so that threads can share the
//! work; [`judge`] weighs the sum. The cost follows the change: chunks that both versions share are
//! not looked at, and only where more changed than [`InputLimits::small_change`] and
//! [`InputLimits::small_growth`] let pass are the records of the last input counted by type.
//! Without a last input only what is wrong in itself trips: doubled origin, TTLs.
//! The final newline of a first file is not asked for.
//! Never: the file (its last bytes are an argument), decisions about what becomes of the input.
//! Limit: an input with as many records, delegations and servers as the last, all of other
//! content, passes unless its delegations have other names.

mod limits;
#[cfg(test)]
mod tests;
mod trip;

pub use limits::{END_MARKER_LENGTH_MAX, InputLimits};
pub use trip::Trip;

use crate::zone::ZoneVersion;
use crate::zone::chunk::{OwnerKind, OwnerView, RrsetView};
use crate::zone::diff::{KeyRange, each_difference};
use crate::zone::key::{ancestor_lengths, key_to_name, push_owner_key};
use crate::{Name, RrType};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// So much of the end of a file is enough for [`judge`], in bytes.
pub const TAIL_BYTES: usize = 4 * END_MARKER_LENGTH_MAX;

/// Names that are told of each kind; the rest are counted.
pub const SAMPLE_NAMES_MAX: usize = 5;

/// How many there are, and the names of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many.
    pub count: u64,
    /// The first [`SAMPLE_NAMES_MAX`].
    pub names: Vec<Name>,
}

impl Sample {
    fn note(&mut self, name: impl FnOnce() -> Option<Name>) {
        self.count += 1;
        if self.names.len() < SAMPLE_NAMES_MAX {
            self.names.extend(name());
        }
    }

    fn append(&mut self, other: Sample) {
        let room = SAMPLE_NAMES_MAX - self.names.len().min(SAMPLE_NAMES_MAX);
        self.count += other.count;
        self.names.extend(other.names.into_iter().take(room));
    }
}

/// What there is more of than before, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Surplus {
    /// Now, less those before.
    difference: i64,
    /// Owners that have more than before.
    at: Sample,
}

impl Surplus {
    fn note(&mut self, before: u64, now: u64, name: impl FnOnce() -> Option<Name>) {
        self.difference += now as i64 - before as i64;
        if now > before {
            self.at.note(name);
        }
    }

    fn append(&mut self, other: Surplus) {
        self.difference += other.difference;
        self.at.append(other.at);
    }

    /// As a sample that counts the difference; `None`: no more than `limit`.
    fn above(&self, limit: u64) -> Option<Sample> {
        let count = u64::try_from(self.difference).ok().filter(|more| *more > limit)?;
        Some(Sample { count, names: self.at.names.clone() })
    }
}

/// How an input differs from the last one, or a range of its owners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Owners that differ.
    owners: u64,
    /// Records more or less of each type.
    types: BTreeMap<RrType, i64>,
    /// Owner names that are gone.
    gone: Sample,
    /// Delegations that are gone, or are none any more.
    lost: Sample,
    /// Names that end in the origin twice, of owners and in RDATA.
    doubled: Surplus,
    /// RRsets with too long a TTL.
    long_ttls: Surplus,
    /// The longest of them, in seconds.
    longest_ttl: u32,
    /// Keys of the delegations that may have lost their glue, or come without.
    cuts: BTreeSet<Vec<u8>>,
}

impl Change {
    /// The change of two ranges.
    #[must_use]
    pub fn and(mut self, later: Change) -> Change {
        self.owners += later.owners;
        for (rtype, count) in later.types {
            *self.types.entry(rtype).or_default() += count;
        }
        self.gone.append(later.gone);
        self.lost.append(later.lost);
        self.doubled.append(later.doubled);
        self.long_ttls.append(later.long_ttls);
        self.longest_ttl = self.longest_ttl.max(later.longest_ttl);
        self.cuts.extend(later.cuts);
        self
    }

    fn records(&self) -> i64 {
        self.types.values().sum()
    }
}

/// How the owners in `range` differ. `old` is an [`empty`] version where there is no last input.
pub fn change_in(
    old: &ZoneVersion,
    new: &ZoneVersion,
    limits: &InputLimits,
    range: &KeyRange,
) -> Change {
    let mut change = Change::default();
    let look = Look::new(&new.apex, limits);
    let is_glue_judged = limits.missing_glue.is_some() && !old.names.is_empty();
    each_difference(&old.names, &new.names, range, |before, after| {
        let Some(key) = before.or(after).map(|owner| owner.key()) else { return };
        let name = || key_to_name(&new.apex, key);
        change.owners += 1;
        let (was, is) = (look.at(before.as_ref()), look.at(after.as_ref()));
        for (owner, sign) in [(&before, -1), (&after, 1)] {
            for rrset in owner.iter().flat_map(OwnerView::rrsets) {
                if !is_of_signer(rrset.rtype) {
                    let count = change.types.entry(rrset.rtype).or_default();
                    *count += sign * i64::from(rrset.record_count);
                }
            }
        }
        if after.is_none() {
            change.gone.note(name);
        }
        if is_delegation(before.as_ref()) && !is_delegation(after.as_ref()) {
            change.lost.note(name);
        }
        change.doubled.note(was.doubled, is.doubled, name);
        change.long_ttls.note(was.long_ttls, is.long_ttls, name);
        change.longest_ttl = change.longest_ttl.max(is.longest_ttl);
        if is_glue_judged {
            change.cuts.extend(before.and_then(|owner| cut_of(old, &owner)));
            change.cuts.extend(after.and_then(|owner| cut_of(new, &owner)));
        }
    });
    change
}

/// A version of the same zone with nothing in it: what there was before the first input.
#[must_use]
pub fn empty(apex: &Name) -> ZoneVersion {
    ZoneVersion { apex: apex.clone(), names: [].into(), hashes: [].into() }
}

/// Why the new input is to be held; nothing: it may be signed. `change` is that of all its owners,
/// `tail` the end of its file, [`TAIL_BYTES`] of it or all.
#[must_use]
pub fn judge(
    old: &ZoneVersion,
    new: &ZoneVersion,
    change: &Change,
    tail: &[u8],
    limits: &InputLimits,
) -> Vec<Trip> {
    if change.owners == 0 {
        return Vec::new();
    }
    let is_first = old.names.is_empty();
    let mut trips = judge_end(tail, is_first, limits);
    if !is_first {
        judge_sizes(old, change, limits, &mut trips);
        judge_apex(old, new, limits, &mut trips);
    }
    // Few names of a first input may be doubled and meant: nothing tells.
    let few = if is_first { change.records().unsigned_abs() / FIRST_DOUBLED_SHARE } else { 0 };
    if let Some(limit) = limits.doubled_origin
        && let Some(names) = change.doubled.above(limit.max(few))
    {
        trips.push(Trip::DoubledOrigin { names, limit });
    }
    if let Some(limit) = limits.ttl_max
        && let Some(owners) = change.long_ttls.above(0)
    {
        trips.push(Trip::LongTtl { owners, longest: change.longest_ttl, limit: limit.0 });
    }
    if let Some(limit) = limits.missing_glue
        && let Some(delegations) = missing_glue(old, new, &change.cuts).above(limit)
    {
        trips.push(Trip::MissingGlue { delegations, limit });
    }
    trips
}

/// Part of the records of a first input that may be doubled, as a divisor.
const FIRST_DOUBLED_SHARE: u64 = 100;

/// Whether the file may have been cut off. Many write zone files by hand, and are told what is
/// missing at the end when the first one is replaced.
fn judge_end(tail: &[u8], is_first: bool, limits: &InputLimits) -> Vec<Trip> {
    let mut trips = Vec::new();
    if limits.needs_newline && !is_first && tail.last() != Some(&b'\n') {
        trips.push(Trip::NoFinalNewline);
    }
    if let Some(marker) = &limits.end_marker {
        let mut lines = tail.rsplit(|octet| *octet == b'\n').map(<[u8]>::trim_ascii);
        let last = lines.find(|line| !line.is_empty());
        if last != Some(marker.trim().as_bytes()) {
            trips.push(Trip::NoEndMarker { marker: marker.clone() });
        }
    }
    trips
}

/// SHA-256 of what a version holds, however it is cut into chunks: two inputs with one digest are
/// the same zone. Walks the zone.
#[must_use]
pub fn digest(version: &ZoneVersion) -> [u8; 32] {
    let mut hash = Sha256::new();
    for owner in version.chunks().flat_map(|chunk| chunk.owners()) {
        // Entries tell their own length: no two lists of them are the same bytes.
        hash.update(owner.as_bytes());
    }
    hash.finalize().into()
}

fn judge_sizes(old: &ZoneVersion, change: &Change, limits: &InputLimits, trips: &mut Vec<Trip>) {
    let is_large = |count: i64| count.unsigned_abs() > small(limits, count);
    let has_lost = change.lost.count > limits.small_loss;
    let mut changes = change.types.values().copied().chain([change.records()]);
    if !has_lost && !changes.any(is_large) {
        return;
    }
    let (types, delegations) = counts(old);
    let before = types.values().sum();
    let size = (limits.shrink_percent, limits.growth_percent);
    if let Some(limit) = exceeded(before, change.records(), limits, size) {
        let now = before.saturating_add_signed(change.records());
        trips.push(Trip::Size { before, now, limit, gone: change.gone.clone() });
    }
    for (rtype, count) in &change.types {
        let before = types.get(rtype).copied().unwrap_or_default();
        // A type that was not there has no percentage; the size of all records tells.
        let of_type = (limits.type_shrink_percent, limits.type_growth_percent);
        if before > 0
            && let Some(limit) = exceeded(before, *count, limits, of_type)
        {
            let now = before.saturating_add_signed(*count);
            trips.push(Trip::TypeSize { rtype: *rtype, before, now, limit });
        }
    }
    if let Some(limit) = limits.delegations_percent
        && has_lost
        && change.lost.count * 100 > delegations * u64::from(limit)
    {
        let lost = change.lost.clone();
        trips.push(Trip::DelegationsLost { before: delegations, lost, limit });
    }
}

/// The change that is never too large, in the direction of this one.
fn small(limits: &InputLimits, change: i64) -> u64 {
    if change < 0 { limits.small_change } else { limits.small_growth }
}

/// The limit that a change of a number exceeds.
fn exceeded(
    before: u64,
    change: i64,
    limits: &InputLimits,
    (shrink, growth): (Option<u32>, Option<u32>),
) -> Option<u32> {
    let size = change.unsigned_abs();
    let percent = if change < 0 { shrink } else { growth };
    let is_exceeded = |percent: &u32| {
        size > small(limits, change)
            && u128::from(size) * 100 > u128::from(before) * u128::from(*percent)
    };
    percent.filter(is_exceeded)
}

fn judge_apex(old: &ZoneVersion, new: &ZoneVersion, limits: &InputLimits, trips: &mut Vec<Trip>) {
    let servers = |version: &ZoneVersion| -> BTreeSet<Vec<u8>> {
        let apex = version.apex_owner();
        let servers = apex.and_then(|apex| apex.rrset(RrType::NS));
        servers.iter().flat_map(RrsetView::rdatas).map(<[u8]>::to_ascii_lowercase).collect()
    };
    let (before, now) = (servers(old), servers(new));
    if limits.keeps_apex_server && !before.is_empty() && before.is_disjoint(&now) {
        let (before, now) = (before.len() as u64, now.len() as u64);
        trips.push(Trip::ApexServersReplaced { before, now });
    }
    if let (Some(before), Some(now)) = (old.serial(), new.serial())
        && limits.holds_old_serial
        && now != before
        && !now.is_after(before)
    {
        trips.push(Trip::SerialBackwards { before, now });
    }
}

/// Records by type, and delegations. Walks the zone.
fn counts(version: &ZoneVersion) -> (BTreeMap<RrType, u64>, u64) {
    let (mut types, mut delegations) = (BTreeMap::new(), 0);
    for owner in version.names.iter().flat_map(|chunk| chunk.owners()) {
        delegations += u64::from(is_delegation(Some(&owner)));
        for rrset in owner.rrsets().filter(|rrset| !is_of_signer(rrset.rtype)) {
            *types.entry(rrset.rtype).or_default() += u64::from(rrset.record_count);
        }
    }
    (types, delegations)
}

/// Whether a signer makes these: they come and go with `<Passthrough/>`, and are no data.
fn is_of_signer(rtype: RrType) -> bool {
    matches!(rtype, RrType::RRSIG | RrType::NSEC | RrType::NSEC3 | RrType::NSEC3PARAM)
}

fn is_delegation(owner: Option<&OwnerView<'_>>) -> bool {
    owner.is_some_and(|owner| owner.kind() == OwnerKind::Delegation)
}

/// The key of the delegation that this owner is, or lies under.
fn cut_of(version: &ZoneVersion, owner: &OwnerView<'_>) -> Option<Vec<u8>> {
    let key = owner.key();
    match owner.kind() {
        OwnerKind::Authoritative => None,
        OwnerKind::Delegation => Some(key.to_vec()),
        OwnerKind::Occluded => ancestor_lengths(key, 0)
            .map(|length| &key[..length])
            .find(|above| is_delegation(version.find(above).as_ref()))
            .map(<[u8]>::to_vec),
    }
}

/// Name servers without the address that they need, in the new version more than in the old.
fn missing_glue(old: &ZoneVersion, new: &ZoneVersion, cuts: &BTreeSet<Vec<u8>>) -> Surplus {
    let mut surplus = Surplus::default();
    for cut in cuts {
        let (before, now) = (servers_without_address(old, cut), servers_without_address(new, cut));
        surplus.note(before, now, || key_to_name(&new.apex, cut));
    }
    surplus
}

/// How many servers of a delegation lie below it and have no address (RFC 9471 §2.1).
fn servers_without_address(version: &ZoneVersion, cut: &[u8]) -> u64 {
    let owner = version.find(cut).filter(|owner| is_delegation(Some(owner)));
    let Some(servers) = owner.and_then(|owner| owner.rrset(RrType::NS)) else { return 0 };
    let (mut count, mut key) = (0, Vec::new());
    for rdata in servers.rdatas() {
        let Ok((server, _)) = Name::from_wire(rdata) else { continue };
        key.clear();
        if !push_owner_key(&version.apex, &server, &mut key) || !key.starts_with(cut) {
            continue;
        }
        let has = |owner: &OwnerView<'_>, rtype| owner.rrset(rtype).is_some();
        let has_address =
            |owner: OwnerView<'_>| has(&owner, RrType::A) || has(&owner, RrType::AAAA);
        count += u64::from(!version.find(&key).is_some_and(has_address));
    }
    count
}

/// What is looked at in an owner.
struct Look {
    /// The origin twice, in wire form and lower case; `None`: the root, or too long a name.
    doubled: Option<Name>,
    /// The key of that name.
    doubled_key: Vec<u8>,
    ttl_max: u64,
}

/// What was found in an owner.
#[derive(Default)]
struct Found {
    doubled: u64,
    long_ttls: u64,
    longest_ttl: u32,
}

impl Look {
    fn new(apex: &Name, limits: &InputLimits) -> Look {
        let wire = apex.as_wire();
        let twice = [&wire[..wire.len() - 1], wire].concat();
        let doubled = Name::from_wire(&twice).ok().map(|(name, _)| name);
        let doubled = doubled.filter(|_| limits.doubled_origin.is_some() && !apex.is_root());
        let mut doubled_key = Vec::new();
        if let Some(name) = &doubled {
            push_owner_key(apex, name, &mut doubled_key);
        }
        let ttl_max = limits.ttl_max.map_or(u64::MAX, |limit| limit.0);
        Look { doubled, doubled_key, ttl_max }
    }

    fn at(&self, owner: Option<&OwnerView<'_>>) -> Found {
        let mut found = Found::default();
        let Some(owner) = owner else { return found };
        let is_looked_for = self.doubled.is_some();
        found.doubled += u64::from(is_looked_for && owner.key().starts_with(&self.doubled_key));
        for rrset in owner.rrsets() {
            if u64::from(rrset.ttl.0) > self.ttl_max {
                found.long_ttls += 1;
                found.longest_ttl = found.longest_ttl.max(rrset.ttl.0);
            }
            if let (Some(doubled), Some(at)) = (&self.doubled, name_offset(rrset.rtype)) {
                let names = rrset.rdatas().filter(|rdata| is_below(rdata.get(at..), doubled));
                found.doubled += names.count() as u64;
            }
        }
        found
    }
}

/// Where the name of a server begins in RDATA of this type (RFC 1035 §3.3, RFC 2782, RFC 6672).
fn name_offset(rtype: RrType) -> Option<usize> {
    match rtype {
        RrType::NS | RrType::CNAME | RrType::DNAME | RrType::PTR => Some(0),
        RrType::MX => Some(2),
        RrType::SRV => Some(6),
        _ => None,
    }
}

/// Whether these bytes are a name at or below `ancestor`.
fn is_below(wire: Option<&[u8]>, ancestor: &Name) -> bool {
    let end = ancestor.as_wire();
    let Some(wire) = wire.filter(|wire| wire.len() >= end.len()) else { return false };
    // Most names end otherwise, and need not be read.
    wire[wire.len() - end.len()..].eq_ignore_ascii_case(end)
        && Name::from_wire(wire).is_ok_and(|(name, _)| name.is_at_or_below(ancestor))
}
