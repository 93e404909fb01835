//! The input breaker at work: what tripped, in words that operators see.
//! In: a version that was just read, the last one that was signed, limits. Out: [`Trip`]s.
//! Never: the rules; they are in `dnssec::breaker`.

use super::{RANGES_PER_WORKER, Sorted, crashed};
use crate::runtime::WorkerPool;
use crate::stages::StageError;
use dnssec::Serial;
use dnssec::breaker::{Change, InputLimits, Trip, change_in, empty, judge};
use dnssec::zone::ZoneVersion;
use dnssec::zone::edit::edit_ranges;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// An input that is not signed before an operator says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its zone, as people write it.
    pub zone: String,
    /// Its serial.
    pub serial: Option<Serial>,
    /// Why, a line each.
    pub reasons: Vec<String>,
    /// Whether the operator has said no already.
    pub is_rejected: bool,
    /// Where it can be looked at.
    pub copy: PathBuf,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { zone, serial, reasons, is_rejected, copy } = self;
        let serial = serial.map_or_else(|| "without a serial".to_owned(), |it| format!("{it}"));
        let word = if *is_rejected { "rejected" } else { "held" };
        write!(f, "the input with serial {serial} is {word} and not signed: ")?;
        write!(f, "{}; it is kept in {}", reasons.join("; "), copy.display())?;
        match is_rejected {
            true => Ok(()),
            false => write!(f, "; \"zone input {zone} accept\" has it signed, \"reject\" does not"),
        }
    }
}

/// Why an input is to be held; nothing: it is signed. `last` is the last one that was signed.
pub fn trips(
    pool: &WorkerPool,
    last: Option<Arc<ZoneVersion>>,
    sorted: &Sorted,
    limits: &InputLimits,
) -> Result<Vec<Trip>, StageError> {
    let new = sorted.version.clone();
    if last.as_ref().is_some_and(|last| Arc::ptr_eq(last, &new)) {
        return Ok(Vec::new());
    }
    let old = last.unwrap_or_else(|| Arc::new(empty(&new.apex)));
    let ranges = edit_ranges(&old, &new, pool.workers() * RANGES_PER_WORKER);
    let (before, after, allowed) = (old.clone(), new.clone(), limits.clone());
    let looked =
        pool.map(ranges.into(), move |_, range| change_in(&before, &after, &allowed, range));
    let change = looked.map_err(crashed)?.into_iter().fold(Change::default(), Change::and);
    let mut trips = match &sorted.tail {
        Some(tail) => judge(&old, &new, &change, tail, limits),
        // A transfer tells its own end.
        None => {
            let limits = InputLimits { needs_newline: false, end_marker: None, ..limits.clone() };
            judge(&old, &new, &change, &[], &limits)
        }
    };
    if let Some(detail) = sorted.digest_fault.clone().filter(|_| limits.verifies_digest) {
        trips.push(Trip::WrongDigest { detail });
    }
    Ok(trips)
}
