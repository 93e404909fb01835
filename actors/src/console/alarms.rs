//! What is wrong right now, in one list: what `monitor health` says, for people. In: the newest
//! snapshot of everybody's state. Out: [`Trouble`]s, the worst first, each with who acts next.
//! Never: questions to anybody, so that it comes at once, whatever is stuck.

use super::site::Site;
use crate::health::moment;
use dnssec::health::{Check, Question, State, Trouble, verdict};

/// What is wrong, as far as it is known.
pub(super) fn alarms(site: &Site) -> Vec<Trouble> {
    let (snapshot, now) = (site.staff.health.newest(), moment(&site.staff.clock));
    let report = verdict(Check::Health, &Question::default(), &snapshot, now);
    // Until the first snapshot, nothing is known to be wrong.
    report.troubles.into_iter().filter(|trouble| trouble.state != State::Unknown).collect()
}
