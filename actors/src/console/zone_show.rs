//! `zone show` and `zone list` (ours): where a zone stands, what its masters say, what its
//! secondaries have. In: states that everybody may see. Out: text, or JSON with the same facts.
//! Never: questions to anybody; all of it is known already.
//! In JSON times are seconds since 1970, in text the local time; what is not known is `null`, `-`.

use super::dispatch::{Handler, Handlers};
use super::output::Output;
use super::site::Site;
use crate::settings::{ZoneInput, ZoneOutput, zone_text};
use crate::transfers::{OutboundStatus, UpdateTally};
use crate::zone::{Phase, ZoneStatus};
use console_protocol::parse::Invocation;
use dnssec::Timestamp;
use std::sync::Arc;

mod json;
mod list;
mod text;

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[
    ("zone show", Handler::Now(show)),
    ("zone list", Handler::Now(list::list)),
    ("show zones", Handler::Now(list::list)),
];

/// What is known of a zone at one moment.
struct View {
    zone: String,
    policy: String,
    /// Where it comes from and where it goes.
    input: Way,
    output: Way,
    status: ZoneStatus,
    outbound: Option<OutboundStatus>,
    /// `None`: nobody may send any.
    updates: Option<UpdateTally>,
    now: Timestamp,
}

/// How a zone comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    File,
    Dns,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Way::File => "file",
            Way::Dns => "DNS",
        }
    }
}

impl View {
    fn of(site: &Site, zone: &Arc<crate::system::RunningZone>) -> View {
        let settings = &zone.settings;
        View {
            zone: zone_text(&settings.name),
            policy: settings.policy.name.clone(),
            input: match settings.input {
                ZoneInput::File(_) => Way::File,
                ZoneInput::Transfer(_) => Way::Dns,
            },
            output: match settings.output {
                ZoneOutput::File(_) => Way::File,
                ZoneOutput::Dns(_) => Way::Dns,
            },
            status: zone.status.borrow().clone(),
            outbound: site.staff.zones.publications().status(&settings.name),
            updates: site.staff.zones.publications().updates(&settings.name),
            now: site.staff.clock.now(),
        }
    }
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Loading => "loading",
        Phase::WaitingForTransfer => "waiting for its first transfer",
        Phase::WaitingForKeys => "waiting for keys",
        Phase::Running => "being signed",
        Phase::Idle => "signed",
        Phase::Failed => "failed",
        Phase::Quarantined => "in quarantine",
    }
}

fn show(site: &Site, invocation: &Invocation) -> Output {
    let typed = invocation.operands.first().map_or("", String::as_str);
    let Some(zone) = site.zone(typed) else {
        return Output::refused(format!("zone {typed} is not known\n"), 1);
    };
    let view = View::of(site, &zone);
    Output::done(match invocation.has("json") {
        true => json::zone(&view) + "\n",
        false => text::zone(&view),
    })
}

#[cfg(test)]
mod tests;
