//! What a plan finds out about its policy: rolls that never end, records that never arrive.
//! In: what the plan saw. Out: findings and their words. Never: decisions.

use super::date;
use crate::enforcer::{Gate, LimitingTtl, RecordKind, RecordState};
use crate::key::KeyRole;
use crate::{Seconds, Timestamp};

/// What a plan found out about its policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// No key is ever taken: a roll would take longer than the key lives.
    LifetimeTooShort {
        /// Of which role.
        role: KeyRole,
        /// `<Lifetime>`.
        lifetime: Seconds,
        /// What a roll waits for at least, besides the TTL of the keys.
        ttl: LimitingTtl,
    },
    /// A key's lifetime ends before it has come into use everywhere: the next roll begins late.
    RollsLate {
        /// Of which role.
        role: KeyRole,
        /// When the lifetime ends first.
        at: Timestamp,
    },
    /// Nothing is scheduled, and a record has not come to its end: it never will.
    Stuck {
        /// The key.
        key: String,
        /// Which record.
        kind: RecordKind,
        /// Where it should go.
        wants: RecordState,
        /// What is in the way.
        gates: Vec<Gate>,
    },
    /// Keys of this role are never rolled (`<Lifetime>` zero).
    NeverRolled {
        /// Of which role.
        role: KeyRole,
    },
    /// The plan ends early: too much happens, or keys come faster than they leave.
    CutShort {
        /// Where it ends.
        at: Timestamp,
        /// Keys that the zone has then.
        keys: usize,
    },
}

impl Finding {
    /// Whether keys of the policy never come to where they belong.
    pub fn is_fault(&self) -> bool {
        !matches!(self, Finding::NeverRolled { .. })
    }

    /// What it means.
    pub fn text(&self) -> String {
        match self {
            Finding::LifetimeTooShort { role, lifetime, ttl } => {
                let (what, ttl) = match ttl {
                    LimitingTtl::ParentDs(ttl) => ("the DS", ttl),
                    LimitingTtl::MaxZone(ttl) => ("the zone (MaxZoneTTL)", ttl),
                };
                format!(
                    "no roll of the {role}s could ever finish, so no {role} is taken: the \
                     lifetime is {}, and the TTLs of {what} ({}) and of the keys are as long. \
                     Raise Lifetime, or lower the TTLs.",
                    date::length(*lifetime),
                    date::length(*ttl)
                )
            }
            Finding::RollsLate { role, at } => format!(
                "a {role} takes longer to come into use than it is to live: on {} its lifetime is \
                 over, and the next roll waits until it has arrived. Raise Lifetime, or shorten \
                 what a roll waits for.",
                date::date(*at)
            ),
            Finding::Stuck { key, kind, wants, gates } => format!(
                "the {kind} of {key} never becomes {wants}: {}.",
                gates.iter().map(|gate| super::words::gate(*gate)).collect::<Vec<_>>().join("; ")
            ),
            Finding::NeverRolled { role } => {
                format!("{role}s are never rolled by the clock (Lifetime 0)")
            }
            Finding::CutShort { at, keys } => format!(
                "the plan ends on {}: the zone has {keys} keys then, and more happens than a plan \
                 can hold",
                date::date(*at)
            ),
        }
    }
}
