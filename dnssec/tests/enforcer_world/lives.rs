//! What may happen in a life that is played, what it covered, and why it ended early.
//! In and out: nothing; types only.

use super::world::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

const YEAR: u64 = 365 * 86_400;

/// What may happen in a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    /// The operator edits the policy, on average this often in days; 0: never.
    pub(crate) edit_days: u64,
    /// The operator rolls keys and tries commands, on average this often in days; 0: never.
    pub(crate) command_days: u64,
    /// The machine is off, or publication is refused, now and then; the core is told what was
    /// published when.
    pub(crate) has_outages: bool,
    /// Evaluations come late now and then.
    pub(crate) is_late: bool,
    /// Operator and parent act at the earliest legal second.
    pub(crate) is_eager: bool,
    /// A record that is not where the core believes it to be is a fault.
    pub(crate) checks_claims: bool,
    /// The zone publishes CDS, and its parent follows that.
    pub(crate) has_cds: bool,
    /// The parent's servers are asked what they show; nobody says `ds-seen` or `ds-gone`.
    pub(crate) is_watched: bool,
    /// Policies have standby keys.
    pub(crate) has_standby: bool,
    /// Policies have `<RFC5011/>`: validators follow the zone's KSKs.
    pub(crate) is_followed: bool,
    /// Repositories have `<RequireBackup/>`: keys could be lost until an operator backs them up.
    pub(crate) needs_backup: bool,
    /// Keys are made by hand only, and now and then there are none.
    pub(crate) is_short_of_keys: bool,
    /// Length, in days.
    pub(crate) days: u64,
}

/// What a play covered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Covered {
    pub(crate) lives: u64,
    pub(crate) seconds: u64,
    pub(crate) evaluations: u64,
    pub(crate) views: u64,
    /// Answers that would have been others if asked again at the same moment.
    pub(crate) second_thoughts: u64,
    pub(crate) refused_commands: u64,
    pub(crate) edits: u64,
    pub(crate) outages: u64,
    pub(crate) conservative_misses: u64,
    /// Changes of the DS set that a parent took from CDS.
    pub(crate) syncs: u64,
    /// Keys that validators came to trust by RFC 5011, and keys that they saw revoked.
    pub(crate) learnt: u64,
    pub(crate) revocations: u64,
    /// Standby keys that were called.
    pub(crate) calls: u64,
    /// How often `ds-seen --no-retire` had old keys stay.
    pub(crate) stays: u64,
    /// Versions with a DNSKEY of an algorithm that data is not signed with.
    pub(crate) source_misses: u64,
    /// Records that are not where the core believes them to be, without harm to any view.
    pub(crate) false_claims: u64,
    /// Keys that went all the way, by role.
    pub(crate) lived: BTreeMap<String, u64>,
    /// Hashes of the zone's states.
    pub(crate) states: BTreeSet<u64>,
}

impl Covered {
    pub(crate) fn add(&mut self, other: Covered) {
        self.lives += other.lives;
        self.seconds += other.seconds;
        self.evaluations += other.evaluations;
        self.views += other.views;
        self.second_thoughts += other.second_thoughts;
        self.refused_commands += other.refused_commands;
        self.edits += other.edits;
        self.outages += other.outages;
        self.conservative_misses += other.conservative_misses;
        self.false_claims += other.false_claims;
        self.source_misses += other.source_misses;
        self.syncs += other.syncs;
        self.learnt += other.learnt;
        self.revocations += other.revocations;
        self.calls += other.calls;
        self.stays += other.stays;
        for (role, count) in other.lived {
            *self.lived.entry(role).or_default() += count;
        }
        self.states.extend(other.states);
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lives, years, states) = (self.lives, self.seconds / YEAR, self.states.len());
        writeln!(f, "{lives} lives, {years} years, {} evaluations", self.evaluations)?;
        writeln!(f, "{} views, {states} states, lived: {:?}", self.views, self.lived)?;
        let (edits, outages, refused) = (self.edits, self.outages, self.refused_commands);
        writeln!(f, "{edits} edits, {outages} outages, {refused} refused commands")?;
        let (misses, source) = (self.conservative_misses, self.source_misses);
        writeln!(f, "{misses} conservative misses, {source} source misses")?;
        let (syncs, calls, stays) = (self.syncs, self.calls, self.stays);
        writeln!(f, "{syncs} changes by CDS, {calls} standby keys called, {stays} stays")?;
        let (learnt, revocations) = (self.learnt, self.revocations);
        writeln!(f, "{learnt} trust anchors learnt, {revocations} revocations")?;
        let (claims, thoughts) = (self.false_claims, self.second_thoughts);
        write!(f, "{claims} false claims, {thoughts} second thoughts")
    }
}

/// Why a play ended early.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) seed: u64,
    pub(crate) why: Why,
    pub(crate) log: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    View(Fault),
    /// A command that does not apply was taken.
    BadCommandTaken(&'static str),
    /// A command that applies was refused.
    GoodCommandRefused(&'static str),
    /// The core wants to look again and again at the same moment.
    Spins(String),
    /// The core takes key after key.
    TooManyKeys,
    /// Nothing moves any more, and the keys are not what the policy wants.
    Stuck {
        keys: String,
    },
    /// A zone needs a key that is not in its token any more.
    NotInToken(String),
}

impl From<Fault> for Why {
    fn from(fault: Fault) -> Why {
        Why::View(fault)
    }
}
