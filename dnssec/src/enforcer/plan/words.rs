//! Conditions of the core in plain words. In: gates, terms. Out: text.

use super::date::length;
use crate::enforcer::{DsAtParent, DsShown, Gate, RecordKind, RecordState, Rule, WaitTerm};

/// What has to be true.
pub(super) fn gate(gate: Gate) -> String {
    match gate {
        Gate::RollType(first) => {
            format!("the roll type has the {first} of the same key come first")
        }
        Gate::Rule(Rule::ChainExists) => "some key has a DS".to_owned(),
        Gate::Rule(Rule::ChainValid) => {
            "whichever DS and DNSKEY sets a cache holds, they fit".to_owned()
        }
        Gate::Rule(Rule::SignaturesValid) => {
            "whichever DNSKEY set and signatures a cache holds, they fit".to_owned()
        }
        Gate::Rule(Rule::EveryView) => {
            "every mix of what caches may hold still validates".to_owned()
        }
        Gate::Rule(Rule::SignedAtSource) => {
            "the zone has signatures of each algorithm that has a DNSKEY in it".to_owned()
        }
        Gate::Time => "caches have forgotten what was there before".to_owned(),
        Gate::Published => "a published version of the zone shows the present state".to_owned(),
        Gate::DsAtParent(DsAtParent::Seen) => {
            "the parent is known to show the DS (ds-seen)".to_owned()
        }
        Gate::DsAtParent(DsAtParent::Unsubmitted) => {
            "the DS is known to be gone from the parent (ds-gone)".to_owned()
        }
        Gate::DsAtParent(other) => format!("the DS at the parent is known as {other}"),
        Gate::ParentShows(DsShown::Everywhere) => {
            "all servers of the parent show the DS".to_owned()
        }
        Gate::ParentShows(DsShown::Nowhere) => "no server of the parent shows the DS".to_owned(),
        Gate::ParentShows(DsShown::Somewhere) => {
            "some servers of the parent show the DS".to_owned()
        }
        Gate::Backup => "the key is backed up".to_owned(),
        Gate::AddHoldDown => {
            "nothing but the DNSKEY set needs the key, and another one was there for 30 days \
             (RFC 5011)"
                .to_owned()
        }
        Gate::RemoveHoldDown => {
            "the key was published as revoked for 30 days (RFC 5011)".to_owned()
        }
    }
}

/// What a wait is made of.
pub(super) fn terms(terms: &[WaitTerm]) -> String {
    let mut text = String::new();
    for term in terms {
        text += match (text.is_empty(), term.is_subtracted) {
            (_, true) => " - ",
            (true, false) => "",
            (false, false) => " + ",
        };
        text += &format!("{} {}", term.name, length(term.length));
    }
    text
}

/// A state in a few words.
pub(super) fn state(state: RecordState) -> &'static str {
    match state {
        RecordState::Hidden => "in no cache",
        RecordState::Rumoured => "published, not in all caches yet",
        RecordState::Omnipresent => "in all caches",
        RecordState::Unretentive => "withdrawn, in some caches still",
    }
}

/// A record as pictures name it.
pub(super) fn record(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Ds => "DS at parent",
        RecordKind::Dnskey => "DNSKEY",
        RecordKind::RrsigDnskey => "signs the keys",
        RecordKind::Rrsig => "signs the zone",
    }
}
