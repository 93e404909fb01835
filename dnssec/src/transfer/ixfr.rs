//! Differences out: what is kept of the last versions, and the one condensed difference that a
//! secondary gets for all that it lacks. RFC 1995 §4 (order), §5 (condensation), §2 (when it is
//! not worth it).
//! In: differences as the journal has them, the serial that a secondary has. Out: a transfer, or
//! the reason why the whole zone is sent.
//! Never: more differences than the zone has octets: what is larger is of no use. A difference is
//! sent from where it is kept, however many secondaries get it.

use super::packing::UNIT_OCTETS;
use super::packing::writer::{Heading, PACKED_OCTETS, RecordTooLong, Writer};
use crate::zone::diff::Difference;
use crate::zone::patch::{PatchError, composed};
use crate::{Name, RrType, Serial, Ttl};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// One published version's difference to the one before.
#[derive(Clone, Debug)]
pub struct Step {
    /// Serial of the version before.
    pub from: Serial,
    /// Serial of the version.
    pub to: Serial,
    /// What changed.
    pub difference: Arc<Difference>,
}

impl Step {
    fn octets(&self) -> usize {
        self.difference.removed.len() + self.difference.added.len()
    }
}

/// Steps are never more than this, whatever the size of the zone: about the signatures, old and
/// new, of an opt-out zone with 1.4 million delegations.
pub const HISTORY_OCTETS_MAX: usize = 64 << 20;
/// Nor more than so many.
pub const HISTORY_STEPS_MAX: usize = 1_000;

/// The steps that lead to the last published version, oldest first, without a gap.
#[derive(Clone, Debug, Default)]
pub struct History {
    steps: VecDeque<Step>,
    octets: usize,
}

impl History {
    /// Adds the newest step, and forgets the oldest ones beyond `octets_max` (of which the newest
    /// is kept in any case). What does not lead to it is forgotten.
    pub fn push(&mut self, step: Step, octets_max: usize) {
        if self.steps.back().is_some_and(|last| last.to != step.from) {
            self.clear();
        }
        self.octets += step.octets();
        self.steps.push_back(step);
        let most = octets_max.min(HISTORY_OCTETS_MAX);
        while self.steps.len() > 1
            && (self.octets > most || self.steps.len() > HISTORY_STEPS_MAX)
            && let Some(oldest) = self.steps.pop_front()
        {
            self.octets -= oldest.octets();
        }
    }

    /// Forgets all: the next version does not follow from the last by a known difference.
    pub fn clear(&mut self) {
        (self.steps, self.octets) = (VecDeque::new(), 0);
    }

    /// Serial that the steps lead to.
    pub fn serial(&self) -> Option<Serial> {
        self.steps.back().map(|step| step.to)
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Octets of all differences.
    pub fn octets(&self) -> usize {
        self.octets
    }

    /// The differences from the version of `serial` to the last; `None`: that one is not known.
    pub fn since(&self, serial: Serial) -> Option<Vec<Arc<Difference>>> {
        // Serials only rise, so each is the beginning of one step at most.
        let first = self.steps.iter().position(|step| step.from == serial)?;
        Some(self.steps.range(first..).map(|step| step.difference.clone()).collect())
    }
}

/// Why the whole zone is sent instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WholeInstead {
    /// The difference is larger than the zone.
    #[error("{octets} octets changed, and the zone has {whole}")]
    Larger {
        /// Octets of the difference.
        octets: usize,
        /// Octets of the zone.
        whole: usize,
    },
    /// The steps are damaged.
    #[error("the differences make no sense: {0}")]
    Damaged(Box<PatchError>),
    /// The difference does not take one SOA away and bring another.
    #[error("the difference is without its SOA records")]
    NoSoa,
}

/// A record of a difference.
#[derive(Clone, Copy, Debug)]
struct WireRecord<'a> {
    owner: &'a [u8],
    rtype: RrType,
    ttl: Ttl,
    rdata: &'a [u8],
}

/// Splits the first record off; `None` when the octets are none.
fn split_record(bytes: &[u8]) -> Option<(WireRecord<'_>, &[u8])> {
    let (_, owner_length) = Name::from_wire(bytes).ok()?;
    let (owner, rest) = bytes.split_at(owner_length);
    let (head, rest) = rest.split_first_chunk::<10>()?;
    let (rdata, rest) =
        rest.split_at_checked(usize::from(u16::from_be_bytes([head[8], head[9]])))?;
    let rtype = RrType(u16::from_be_bytes([head[0], head[1]]));
    let ttl = Ttl(u32::from_be_bytes([head[4], head[5], head[6], head[7]]));
    Some((WireRecord { owner, rtype, ttl, rdata }, rest))
}

/// One condensed difference as it is sent.
#[derive(Debug)]
pub struct Ixfr {
    /// The apex in lower case.
    apex: Name,
    difference: Arc<Difference>,
    /// Where the SOA records are: in what is removed, the secondary's; in what is added, the new.
    soas: [Range<usize>; 2],
    /// Where each unit begins: in which part, at which octet.
    starts: Vec<(usize, usize)>,
}

impl Ixfr {
    /// The condensed transfer of steps that follow one another. `whole_octets` is what the zone
    /// itself has: a larger difference is not sent.
    pub fn new(
        apex: &Name,
        steps: &[Arc<Difference>],
        whole_octets: usize,
    ) -> Result<Ixfr, WholeInstead> {
        let difference = match steps {
            [only] => Arc::clone(only),
            steps => {
                let composed = composed(steps.iter().map(Arc::as_ref));
                Arc::new(composed.map_err(|cause| WholeInstead::Damaged(Box::new(cause)))?)
            }
        };
        let octets = difference.removed.len() + difference.added.len();
        if octets > whole_octets {
            return Err(WholeInstead::Larger { octets, whole: whole_octets });
        }
        let mut starts = vec![(0, 0)];
        let mut octets = 0;
        let mut soas = [const { None }; 2];
        for (part, bytes) in [&difference.removed, &difference.added].into_iter().enumerate() {
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (record, after) = split_record(rest).ok_or(WholeInstead::NoSoa)?;
                let place = bytes.len() - rest.len()..bytes.len() - after.len();
                rest = after;
                match (record.rtype, &soas[part]) {
                    (RrType::SOA, Some(_)) => return Err(WholeInstead::NoSoa),
                    (RrType::SOA, None) => soas[part] = Some(place),
                    _ => {
                        if octets >= UNIT_OCTETS {
                            starts.push((part, place.start));
                            octets = 0;
                        }
                        octets += place.len();
                    }
                }
            }
        }
        let [Some(old_soa), Some(new_soa)] = soas else { return Err(WholeInstead::NoSoa) };
        let soas = [old_soa, new_soa];
        Ok(Ixfr { apex: apex.to_lowercase(), difference, soas, starts })
    }

    /// Removed and added records.
    fn parts(&self) -> [&[u8]; 2] {
        [&self.difference.removed, &self.difference.added]
    }

    /// The SOA record of the version before or of the new one.
    fn soa(&self, part: usize) -> &[u8] {
        &self.parts()[part][self.soas[part].clone()]
    }

    /// Number of units; at least one.
    pub(super) fn unit_count(&self) -> usize {
        self.starts.len()
    }

    /// Messages of the unit at `index`: new SOA, old SOA, removed records, new SOA, added records,
    /// new SOA.
    pub(super) fn render(&self, index: usize, heading: &Heading) -> Result<Vec<u8>, RecordTooLong> {
        let mut writer = Writer::new(heading, &self.apex, index == 0, PACKED_OCTETS);
        self.write_unit(index, &mut writer)?;
        Ok(writer.finish())
    }

    /// The whole transfer as one message, for UDP; `None` when it is longer than `octets_max`.
    pub fn single(
        &self,
        heading: &Heading,
        octets_max: usize,
    ) -> Result<Option<Vec<u8>>, RecordTooLong> {
        // Pointers save less than half of what records have at least.
        let octets: usize = self.parts().map(<[u8]>::len).iter().sum();
        if self.starts.len() > 1 || octets > 16 * octets_max {
            return Ok(None);
        }
        let mut writer = Writer::new(heading, &self.apex, true, usize::MAX);
        self.write_unit(0, &mut writer)?;
        // A datagram needs no length before it.
        let message = |writer: Writer<'_>| writer.finish().split_off(2);
        Ok((writer.message_octets() <= octets_max).then(|| message(writer)))
    }

    fn write_unit(&self, index: usize, writer: &mut Writer<'_>) -> Result<(), RecordTooLong> {
        let parts = self.parts();
        let (first_part, first_at) = self.starts[index];
        let end = (1, parts[1].len());
        let (end_part, end_at) = self.starts.get(index + 1).copied().unwrap_or(end);
        if index == 0 {
            push_records(writer, self.soa(1))?;
            push_records(writer, self.soa(0))?;
        }
        for (part, records) in parts.iter().enumerate().take(end_part + 1).skip(first_part) {
            let from = if part == first_part { first_at } else { 0 };
            let to = if part == end_part { end_at } else { records.len() };
            // A unit may begin where a part does: the SOA before that belongs to this unit, and not
            // to the one that ends there.
            if part == 1 && from == 0 && to > 0 {
                push_records(writer, self.soa(1))?;
            }
            // The SOA stands where it is told from the rest, and not once more among that.
            let soa = &self.soas[part];
            let [before, after] = [from..to.min(soa.start), from.max(soa.end)..to];
            for range in [before, after].into_iter().filter(|range| range.start < range.end) {
                push_records(writer, &records[range])?;
            }
        }
        match index + 1 == self.starts.len() {
            true => push_records(writer, self.soa(1)),
            false => Ok(()),
        }
    }
}

fn push_records(writer: &mut Writer<'_>, records: &[u8]) -> Result<(), RecordTooLong> {
    let mut rest = records;
    while let Some((record, after)) = split_record(rest) {
        writer.record(record.owner, record.rtype, record.ttl, record.rdata)?;
        rest = after;
    }
    Ok(())
}
