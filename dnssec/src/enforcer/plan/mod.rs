//! What will happen to a zone's keys, why they are where they are, and a picture of both: the
//! enforcer's core run forward, and its conditions told in words.
//! In: lives, policies, histories, the time. Out: calendars (text, JSON, iCalendar of RFC 5545),
//! explanations, timelines (text, SVG). All of it is text made of data.
//! Never: changes of what is remembered; I/O; a clock. Bytes of zone names reach the text in
//! presentation form only, other foreign text without control characters.
//! Limits: [`EVALUATIONS_MAX`] and [`KEYS_MAX`] for one zone; a plan that needs more is cut short
//! and says so.

mod agenda;
mod calendar;
mod capacity;
mod chart;
mod date;
mod explain;
mod finding;
mod forward;
mod ics;
mod json;
mod names;
mod rolls;
mod strip;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod words;
mod world;

pub use calendar::{Actor, Entry, What};
pub use capacity::fill_repositories;
pub use chart::svg;
pub use date::{length as length_text, minute as minute_text};
pub use explain::{explain_key, explain_zone};
pub use finding::Finding;
pub use forward::{Assumptions, EVALUATIONS_MAX, KEYS_MAX, Plan, plan};
pub use ics::icalendar;
pub use json::json;
pub use names::KeyName;
pub use rolls::{Roll, rolls};
pub use strip::strip;
pub use table::table;
pub use timeline::{Mark, RecordTrack, Span, Timeline, Track, timeline};

use super::history::KeyEvent;
use crate::Timestamp;
use crate::key::KeyId;

/// What happened, or will happen, at one moment: as a history has it.
pub type Moment = (Timestamp, Vec<(KeyId, KeyEvent)>);

/// How long a parent is assumed to take to show a DS, or to remove one, once it was told.
pub const PARENT_DELAY_DEFAULT: crate::Seconds = crate::Seconds(86_400);

/// Whether commands of the configuration tell the parent about DSs, so that nobody has to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DsCommands {
    /// One hands over new DSs (`<DelegationSignerSubmitCommand>`).
    pub submits: bool,
    /// One takes DSs back (`<DelegationSignerRetractCommand>`).
    pub retracts: bool,
}

/// One zone's plan with what it is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePlan {
    /// The zone, or a word for one that does not exist yet.
    pub zone: String,
    /// Its policy.
    pub policy: String,
    /// What will happen.
    pub plan: Plan,
}
