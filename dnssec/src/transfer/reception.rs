//! One transfer in, as a state machine over the bytes of its messages.
//! RFC 5936 §2.2 (AXFR), RFC 1995 §4 (IXFR), RFC 9103 §7 (the same over TLS).
//!
//! In: what was asked, then each message in turn, its TSIG verified before. Out: what it is worth
//! so far ([`Taken`]), and at the end what was received ([`Received`]).
//!
//! ```text
//! first SOA --+-- old, equal --> up to date, or old: nothing is used
//!             +-- another record, or the same SOA --> whole zone, to the same SOA again
//!             +-- SOA we asked from --> removed --SOA--> added --SOA--+--> removed ...
//!                                                                     +--> the first SOA: done
//! ```
//!
//! A transfer counts only when it is complete: the final SOA is the first one, byte for byte, and
//! nothing follows it. A whole zone is not unpacked here, where one thread works: its messages are
//! walked for SOA records and counted, and [`each_record`] unpacks any of them later, on any
//! thread. The steps of an IXFR are unpacked at once.
//! Never: I/O; TSIG; whether records make a zone (`zone::load`) or a step fits (`zone::patch`).
//! Limits: records and bytes by [`Limits`]; [`STEP_COUNT_MAX`] steps, [`STEPS_BYTES_MAX`] bytes of
//! them; each message has a record, so messages are bounded too.

mod fault;
mod message;
#[cfg(test)]
mod tests;

pub use fault::Fault;
pub use message::{RecordError, each_record};

use crate::transfer::message::{AXFR, IXFR};
use crate::transfer::rcode::Rcode;
use crate::zone::diff::Difference;
use crate::zone::load::{LimitUnit, Limits};
use crate::zone::soa_serial;
use crate::{Name, RrType, Serial, rdata};
use message::{Answer, RawRecord, read_head};

/// Most differences that one IXFR may consist of.
pub const STEP_COUNT_MAX: usize = 10_000;
/// Most bytes of unpacked records in an IXFR: they are held in memory, and from there on the
/// whole zone is the better way.
pub const STEPS_BYTES_MAX: usize = 256 << 20;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The SOA record alone; only what is newer than `have` is of interest.
    Soa {
        /// The serial that we have; `None`: any is newer.
        have: Option<Serial>,
    },
    /// The whole zone.
    Axfr {
        /// The serial that we have, when only a newer one is of use.
        have: Option<Serial>,
    },
    /// The changes since this serial.
    Ixfr {
        /// The serial that we have.
        from: Serial,
    },
}

impl Wanted {
    /// The type in the question.
    pub fn rtype(self) -> RrType {
        match self {
            Wanted::Soa { .. } => RrType::SOA,
            Wanted::Axfr { .. } => AXFR,
            Wanted::Ixfr { .. } => IXFR,
        }
    }

    /// The serial that an answer has to be newer than.
    pub fn have(self) -> Option<Serial> {
        match self {
            Wanted::Soa { have } | Wanted::Axfr { have } => have,
            Wanted::Ixfr { from } => Some(from),
        }
    }
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// UDP: one message, which may be cut short.
    Datagram,
    /// TCP or TLS.
    Stream,
}

/// What the transfer is worth after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There is more to come.
    More,
    /// Done: the serial is the one that we have.
    UpToDate {
        /// That serial.
        serial: Serial,
    },
    /// Done: the master has an older serial than we.
    Older {
        /// Its serial.
        serial: Serial,
    },
    /// Done: the master has a newer serial; only after [`Wanted::Soa`].
    Newer {
        /// Its serial.
        serial: Serial,
    },
    /// Done: it does not fit a datagram, and has to be asked for by stream.
    OverStream {
        /// Whether the message says so (TC), or is just too short.
        is_truncated: bool,
    },
    /// Done: everything is here.
    Complete,
}

/// What kind of transfer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not known before the second record.
    Unknown,
    /// The whole zone: the messages are to be kept.
    Whole,
    /// Differences: they are kept here.
    Steps,
}

/// A complete transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The whole zone, in the messages that were taken.
    Whole {
        /// Its serial.
        serial: Serial,
        /// Its records, the SOA counted once.
        record_count: u64,
        /// RDATA of its SOA, names in lower case.
        soa: Vec<u8>,
    },
    /// Differences, in their order. The first record of each list is the SOA.
    Steps {
        /// Serial before the first.
        from: Serial,
        /// Serial after the last.
        to: Serial,
        /// One from each serial to the next.
        steps: Vec<Difference>,
    },
}

/// Where in the transfer the next record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    First,
    Whole,
    /// In the records that go, from this serial.
    Removed {
        from: Serial,
    },
    /// In the records that come, up to this serial.
    Added {
        to: Serial,
    },
    Done,
    /// It broke a rule, and nothing of it counts.
    Broken,
}

/// A transfer under way.
#[derive(Debug)]
pub struct Reception {
    apex: Name,
    id: u16,
    wanted: Wanted,
    carrier: Carrier,
    limits: Limits,
    state: State,
    /// The first SOA: RDATA as it came, and its serial.
    soa: Vec<u8>,
    serial: Serial,
    record_count: u64,
    byte_count: u64,
    steps: Vec<Difference>,
    steps_bytes: usize,
}

impl Reception {
    /// A transfer of which nothing has come yet. `id` is that of the question.
    pub fn new(
        apex: &Name,
        id: u16,
        wanted: Wanted,
        carrier: Carrier,
        limits: Limits,
    ) -> Reception {
        Reception {
            apex: apex.clone(),
            id,
            wanted,
            carrier,
            limits,
            state: State::Start,
            soa: Vec::new(),
            serial: Serial(0),
            record_count: 0,
            byte_count: 0,
            steps: Vec::new(),
            steps_bytes: 0,
        }
    }

    /// What kind of transfer it is, as far as that can be told.
    pub fn form(&self) -> Form {
        match self.state {
            State::Start | State::First | State::Broken => Form::Unknown,
            _ if !self.steps.is_empty() => Form::Steps,
            State::Whole | State::Done => Form::Whole,
            State::Removed { .. } | State::Added { .. } => Form::Steps,
        }
    }

    /// Takes the next message. After a fault, or anything but [`Taken::More`], none may follow.
    pub fn take(&mut self, message: &[u8]) -> Result<Taken, Fault> {
        let taken = self.take_message(message);
        if taken.is_err() {
            self.state = State::Broken;
        }
        taken
    }

    fn take_message(&mut self, message: &[u8]) -> Result<Taken, Fault> {
        let head = read_head(message, self.id)?;
        if head.rcode != 0 {
            return Err(Fault::Refused { rcode: Rcode(head.rcode.into()) });
        }
        self.byte_count += message.len() as u64;
        if self.byte_count > self.limits.byte_count_max {
            let limit = self.limits.byte_count_max;
            return Err(Fault::LimitExceeded { limit, unit: LimitUnit::Bytes });
        }
        let (apex, rtype) = (&self.apex, self.wanted.rtype());
        let mut answer = Answer::to_question(message, &head, apex, rtype)?;
        if head.is_truncated {
            return match self.carrier {
                Carrier::Datagram => Ok(Taken::OverStream { is_truncated: true }),
                Carrier::Stream => Err(Fault::TruncatedStream),
            };
        }
        if head.counts[1] == 0 {
            return Err(Fault::NoRecords);
        }
        if self.state == State::Start
            && let Some(done) = self.take_first(&mut answer)?
        {
            return Ok(done);
        }
        while let Some(record) = answer.next_record()? {
            if self.state == State::Done {
                return Err(Fault::RecordsAfterEnd);
            }
            self.take_record(&record)?;
        }
        match (self.state, self.carrier) {
            (State::Done, _) => Ok(Taken::Complete),
            (_, Carrier::Stream) => Ok(Taken::More),
            (_, Carrier::Datagram) => Ok(Taken::OverStream { is_truncated: false }),
        }
    }

    /// What was received; `None`: it is not complete.
    pub fn finish(self) -> Option<Received> {
        let to = self.serial;
        match (self.state, self.wanted) {
            (State::Done, Wanted::Ixfr { from }) if !self.steps.is_empty() => {
                Some(Received::Steps { from, to, steps: self.steps })
            }
            (State::Done, _) => {
                let record_count = self.record_count;
                Some(Received::Whole { serial: to, record_count, soa: self.soa })
            }
            _ => None,
        }
    }

    /// Takes the first record of all: a SOA, whose serial may be the end of it.
    fn take_first(&mut self, answer: &mut Answer<'_>) -> Result<Option<Taken>, Fault> {
        let Some(record) = answer.next_record()? else { return Err(Fault::NoRecords) };
        if !self.is_apex_soa(&record)? {
            return Err(Fault::NoFirstSoa);
        }
        (self.soa, self.serial) = read_soa(&record)?;
        (self.state, self.record_count) = (State::First, 1);
        let serial = self.serial;
        match (self.wanted, self.wanted.have()) {
            (_, Some(have)) if have == serial => Ok(Some(Taken::UpToDate { serial })),
            (_, Some(have)) if !serial.is_after(have) => Ok(Some(Taken::Older { serial })),
            (Wanted::Soa { .. }, _) => Ok(Some(Taken::Newer { serial })),
            _ => Ok(None),
        }
    }

    fn take_record(&mut self, record: &RawRecord<'_>) -> Result<(), Fault> {
        self.record_count += 1;
        if self.record_count > self.limits.record_count_max {
            let limit = self.limits.record_count_max;
            return Err(Fault::LimitExceeded { limit, unit: LimitUnit::Records });
        }
        if record.rtype != RrType::SOA {
            match self.state {
                State::First => self.state = State::Whole,
                State::Removed { .. } | State::Added { .. } => self.keep(record)?,
                State::Start | State::Whole | State::Done | State::Broken => {}
            }
            return Ok(());
        }
        if !self.is_apex_soa(record)? {
            return Err(Fault::SoaElsewhere { owner: record.owner()? });
        }
        let (soa, serial) = read_soa(record)?;
        match (self.state, self.wanted) {
            (State::First, Wanted::Ixfr { from }) if serial == from => {
                self.begin_step(record, from)
            }
            (State::First, Wanted::Ixfr { from }) if serial != self.serial => {
                Err(Fault::WrongStart { wanted: from, got: serial })
            }
            (State::Removed { from }, _) => {
                if !serial.is_after(from) {
                    return Err(Fault::SerialNotRising { from, to: serial });
                }
                self.state = State::Added { to: serial };
                self.keep(record)
            }
            (State::Added { to }, _) if to == self.serial => self.end(&soa),
            (State::Added { to }, _) if serial == to => self.begin_step(record, to),
            (State::Added { to }, _) => Err(Fault::Gap { wanted: to, got: serial }),
            // A zone of nothing but a SOA ends with the second record.
            _ => self.end(&soa),
        }
    }

    fn begin_step(&mut self, record: &RawRecord<'_>, from: Serial) -> Result<(), Fault> {
        if self.steps.len() == STEP_COUNT_MAX {
            return Err(Fault::TooManySteps);
        }
        self.steps.push(Difference::default());
        self.state = State::Removed { from };
        self.keep(record)
    }

    /// The SOA that ends the transfer; it has to be the one that began it.
    fn end(&mut self, soa: &[u8]) -> Result<(), Fault> {
        if soa != self.soa {
            return Err(Fault::SoaChanged);
        }
        // It was counted as the first record.
        self.record_count -= 1;
        self.state = State::Done;
        Ok(())
    }

    /// Unpacks a record into the last step.
    fn keep(&mut self, record: &RawRecord<'_>) -> Result<(), Fault> {
        let Some(step) = self.steps.last_mut() else { return Ok(()) };
        let list = match self.state {
            State::Added { .. } => &mut step.added,
            _ => &mut step.removed,
        };
        let before = list.len();
        record.unpack(list)?;
        self.steps_bytes += list.len() - before;
        if self.steps_bytes > STEPS_BYTES_MAX {
            let limit = STEPS_BYTES_MAX as u64;
            return Err(Fault::LimitExceeded { limit, unit: LimitUnit::Bytes });
        }
        Ok(())
    }

    fn is_apex_soa(&self, record: &RawRecord<'_>) -> Result<bool, Fault> {
        Ok(record.rtype == RrType::SOA && record.owner()? == self.apex)
    }
}

/// The RDATA of a SOA in canonical form, and its serial.
fn read_soa(record: &RawRecord<'_>) -> Result<(Vec<u8>, Serial), Fault> {
    let rdata = record.rdata()?;
    let serial = soa_serial(&rdata).ok_or(Fault::Malformed { at: record.at() })?;
    let mut form = Vec::with_capacity(rdata.len());
    rdata::canonicalise(RrType::SOA, &rdata, &mut form);
    Ok((form, serial))
}
