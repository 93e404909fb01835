//! A calendar made of what happens to keys: each entry says when, who acts, which key, and what.
//! In: moments, notes. Out: entries by time. Never: text for one output only; that is in
//! [`super::table`], [`super::json`] and [`super::ics`].

use super::forward::Assumptions;
use super::names::{KeyName, find, shell_word};
use super::{Moment, ZonePlan, date};
use crate::Timestamp;
use crate::enforcer::history::KeyEvent;
use crate::enforcer::{Backup, DsAtParent, KeyUse, RecordKind, RecordState};
use crate::key::{KeyId, KeyRole};
use std::fmt;

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The parent zone's registry.
    Parent,
    /// The operator.
    You,
    /// This program.
    Machine,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Actor::Parent => "parent",
            Actor::You => "you",
            Actor::Machine => "machine",
        })
    }
}

/// Something that happens to a zone rather than to one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// A roll by hand is due.
    RollByHand { role: KeyRole },
    /// A roll is announced.
    RollSoon { role: KeyRole, at: Timestamp },
    /// The policy has no keys.
    GoesUnsigned,
    /// The keys that are there are used up, and more are made by hand only.
    KeysByHand { role: KeyRole },
    /// The policy's salt is made anew.
    Resalt,
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The zone takes a key.
    Taken,
    /// A key is to leave.
    Leaves,
    /// Records come to these states.
    Moved(Vec<(RecordKind, RecordState)>),
    /// A standby key is called, or a key becomes one.
    Purpose(KeyUse),
    /// A key is revoked (RFC 5011).
    Revoked,
    /// The zone forgets a key.
    Gone,
    /// The parent is told to show (`true`) or to remove the DS.
    Told(bool),
    /// The parent shows the DS (`true`), or has removed it.
    Shows(bool),
    /// Somebody tells the program that the parent did.
    Heard(bool),
    /// The key has to be backed up.
    BackedUp,
    /// The keys of a role are to be rolled by hand.
    RollByHand(KeyRole),
    /// A roll is announced.
    RollSoon(KeyRole, Timestamp),
    /// The zone becomes unsigned, step by step.
    GoesUnsigned,
    /// Keys of a role are to be made by hand.
    KeysByHand(KeyRole),
    /// No more keys go into this repository (`<Capacity>`), and one is wanted.
    NoRoom(String),
    /// The NSEC3 salt is made anew.
    Resalt,
}

/// One line of a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who acts.
    pub actor: Actor,
    /// The key, where it is about one.
    pub key: Option<KeyId>,
    /// What happens.
    pub what: What,
}

/// The entries of a plan, by time; at one moment in the order in which they happen.
pub(super) fn entries(
    moments: &[Moment],
    notes: &[(Timestamp, Note)],
    names: &[KeyName],
    assumptions: &Assumptions<'_>,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = notes.iter().map(|(at, note)| noted(*at, *note)).collect();
    for (at, events) in moments {
        let first = entries.len();
        for (id, event) in events.iter().filter(|(id, _)| find(names, id).is_some()) {
            match event {
                KeyEvent::Record { kind, to, .. } => {
                    move_in(&mut entries, first, *at, id, (*kind, *to))
                }
                event => entries.extend(
                    happened(event, assumptions).into_iter().map(|(actor, what)| Entry {
                        at: *at,
                        actor,
                        key: Some(id.clone()),
                        what,
                    }),
                ),
            }
        }
    }
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn noted(at: Timestamp, note: Note) -> Entry {
    let (actor, what) = match note {
        Note::RollByHand { role } => (Actor::You, What::RollByHand(role)),
        Note::RollSoon { role, at } => (Actor::Machine, What::RollSoon(role, at)),
        Note::GoesUnsigned => (Actor::Machine, What::GoesUnsigned),
        Note::KeysByHand { role } => (Actor::You, What::KeysByHand(role)),
        Note::Resalt => (Actor::Machine, What::Resalt),
    };
    Entry { at, actor, key: None, what }
}

/// Adds a move to the key's other moves of the same moment, which begin at `first`.
fn move_in(
    entries: &mut Vec<Entry>,
    first: usize,
    at: Timestamp,
    id: &KeyId,
    moved: (RecordKind, RecordState),
) {
    let same = entries[first..].iter_mut().rev().find(|entry| entry.key.as_ref() == Some(id));
    if let Some(Entry { what: What::Moved(moves), .. }) = same {
        // A record that went two steps at once is where the second one led.
        moves.retain(|(kind, _)| *kind != moved.0);
        moves.push(moved);
        return;
    }
    let what = What::Moved(vec![moved]);
    entries.push(Entry { at, actor: Actor::Machine, key: Some(id.clone()), what });
}

/// What an event means for a calendar, and who does it.
fn happened(event: &KeyEvent, assumptions: &Assumptions<'_>) -> Vec<(Actor, What)> {
    let by = |is_machine| if is_machine { Actor::Machine } else { Actor::You };
    let scene = &assumptions.scene;
    let observer = by(scene.parent.is_some());
    match event {
        KeyEvent::Taken { .. } => vec![(Actor::Machine, What::Taken)],
        KeyEvent::Goal { introducing: false } => vec![(Actor::Machine, What::Leaves)],
        KeyEvent::Goal { introducing: true } | KeyEvent::Record { .. } => Vec::new(),
        KeyEvent::Purpose { purpose } => vec![(Actor::Machine, What::Purpose(*purpose))],
        KeyEvent::Revoked => vec![(Actor::Machine, What::Revoked)],
        KeyEvent::Gone => vec![(Actor::Machine, What::Gone)],
        KeyEvent::Backup { backup: Backup::Done } => vec![(Actor::You, What::BackedUp)],
        KeyEvent::Backup { .. } => Vec::new(),
        KeyEvent::DsAtParent { to, .. } => match to {
            DsAtParent::Submitted => {
                vec![(by(assumptions.commands.submits || scene.publishes_cds), What::Told(true))]
            }
            DsAtParent::Retracted => {
                vec![(by(assumptions.commands.retracts || scene.publishes_cds), What::Told(false))]
            }
            DsAtParent::Seen => {
                vec![(Actor::Parent, What::Shows(true)), (observer, What::Heard(true))]
            }
            DsAtParent::Unsubmitted => {
                vec![(Actor::Parent, What::Shows(false)), (observer, What::Heard(false))]
            }
            DsAtParent::Submit | DsAtParent::Retract => Vec::new(),
        },
    }
}

impl Entry {
    /// What happens, without the key's name.
    pub fn text(&self) -> String {
        match &self.what {
            What::Taken => "is taken into the zone".to_owned(),
            What::Leaves => "is to leave".to_owned(),
            What::Moved(moves) => moved_text(moves),
            What::Purpose(KeyUse::Standby) => "is kept as a standby key".to_owned(),
            What::Purpose(KeyUse::Regular) => "is called to sign".to_owned(),
            What::Revoked => "is revoked (RFC 5011)".to_owned(),
            What::Gone => "is removed".to_owned(),
            What::Told(comes) => match (comes, self.actor) {
                (true, Actor::Machine) => "the DS is announced to the parent".to_owned(),
                (true, _) => "hand the DS to the parent".to_owned(),
                (false, Actor::Machine) => "the parent is asked to remove the DS".to_owned(),
                (false, _) => "ask the parent to remove the DS".to_owned(),
            },
            What::Shows(true) => "shows the DS".to_owned(),
            What::Shows(false) => "has removed the DS".to_owned(),
            What::Heard(comes) => match (comes, self.actor) {
                (true, Actor::Machine) => {
                    "all servers of the parent are seen to show it".to_owned()
                }
                (true, _) => "see that the parent shows the DS, and say so".to_owned(),
                (false, Actor::Machine) => "no server of the parent is seen to show it".to_owned(),
                (false, _) => "see that the DS is gone, and say so".to_owned(),
            },
            What::BackedUp => "make a backup: the key is not used before".to_owned(),
            What::RollByHand(role) => format!("roll the {role}s: their lifetime is over"),
            What::RollSoon(role, at) => {
                format!("announces that the {role}s roll on {}", date::date(*at))
            }
            What::GoesUnsigned => "the policy has no keys: the zone becomes unsigned".to_owned(),
            What::KeysByHand(role) => {
                format!("make keys: no {role} is left, and keys are made by hand")
            }
            What::NoRoom(repository) => format!(
                "no key left in repository {repository}: raise its Capacity, or remove keys that \
                 are out of use"
            ),
            What::Resalt => "the NSEC3 salt is made anew, and the NSEC3 chain with it".to_owned(),
        }
    }

    /// A short word for programs.
    pub fn code(&self) -> &'static str {
        match &self.what {
            What::Taken => "key-taken",
            What::Leaves => "key-leaves",
            What::Moved(_) => "records-moved",
            What::Purpose(KeyUse::Standby) => "key-standby",
            What::Purpose(KeyUse::Regular) => "key-called",
            What::Revoked => "key-revoked",
            What::Gone => "key-removed",
            What::Told(true) => "ds-submit",
            What::Told(false) => "ds-retract",
            What::Shows(true) => "ds-appears",
            What::Shows(false) => "ds-disappears",
            What::Heard(true) => "ds-seen",
            What::Heard(false) => "ds-gone",
            What::BackedUp => "backup",
            What::RollByHand(_) => "roll-by-hand",
            What::RollSoon(..) => "roll-announced",
            What::GoesUnsigned => "unsigned",
            What::KeysByHand(_) => "generate-by-hand",
            What::NoRoom(_) => "repository-full",
            What::Resalt => "resalt",
        }
    }

    /// What the operator types; `None` where somebody else acts.
    pub fn command(&self, plan: &ZonePlan) -> Option<String> {
        if self.actor != Actor::You {
            return None;
        }
        // Names have no blanks: this is a word for a zone that does not exist yet.
        let zone = match plan.zone.contains(' ') {
            true => "ZONE".to_owned(),
            false => shell_word(&plan.zone),
        };
        let names = &plan.plan.names;
        let name = self.key.as_ref().and_then(|id| find(names, id));
        let key = match name.and_then(|name| name.tag) {
            Some(tag) => format!("--keytag {tag}"),
            None => "--keytag KEYTAG".to_owned(),
        };
        match &self.what {
            // That it was told needs no saying: where no command of the configuration does it,
            // the enforcer takes it for done.
            What::Told(_) => Some(format!("ods-enforcer key export --zone {zone} --ds")),
            What::Heard(_) => Some(format!("ods-enforcer key {} --zone {zone} {key}", self.code())),
            What::BackedUp => {
                Some("ods-enforcer backup prepare; ods-enforcer backup commit".to_owned())
            }
            What::RollByHand(role) => {
                Some(format!("ods-enforcer key rollover --zone {zone} --keytype {role}"))
            }
            What::KeysByHand(_) => {
                let policy = shell_word(&plan.policy);
                Some(format!("ods-enforcer key generate --policy {policy} --duration P1Y"))
            }
            What::NoRoom(_) => Some(format!("ods-enforcer key purge --zone {zone} --delete")),
            _ => None,
        }
    }
}

/// Moves in words. DNSKEY and its signature mostly go together and are told together then.
fn moved_text(moves: &[(RecordKind, RecordState)]) -> String {
    let state = |kind| moves.iter().find(|(other, _)| *other == kind).map(|(_, state)| *state);
    let keys = state(RecordKind::Dnskey);
    let is_pair = keys.is_some() && keys == state(RecordKind::RrsigDnskey);
    let told = RecordKind::ALL.into_iter().filter_map(|kind| match kind {
        RecordKind::RrsigDnskey if is_pair => None,
        kind => Some(one_moved(kind, state(kind)?, is_pair)),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn one_moved(kind: RecordKind, to: RecordState, is_pair: bool) -> &'static str {
    use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
    use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};
    match (kind, to) {
        (Ds, Rumoured) => "DS is to come",
        (Ds, Omnipresent) => "DS is everywhere",
        (Ds, Unretentive) => "DS is to go",
        (Ds, Hidden) => "DS is out of all caches",
        (Dnskey, Rumoured) if is_pair => "DNSKEY is published and signs the keys",
        (Dnskey, Rumoured) => "DNSKEY is published",
        (Dnskey, Omnipresent) => "DNSKEY is everywhere",
        (Dnskey, Unretentive) => "DNSKEY is withdrawn",
        (Dnskey, Hidden) => "DNSKEY is out of all caches",
        (RrsigDnskey, Rumoured) => "signs the keys",
        (RrsigDnskey, Omnipresent) => "its signature of the keys is everywhere",
        (RrsigDnskey, Unretentive) => "stops signing the keys",
        (RrsigDnskey, Hidden) => "its signature of the keys is out of all caches",
        (Rrsig, Rumoured) => "begins to sign the zone",
        (Rrsig, Omnipresent) => "its signatures are everywhere",
        (Rrsig, Unretentive) => "stops signing the zone",
        (Rrsig, Hidden) => "its signatures are out of all caches",
    }
}
