//! What a group remembers: who is in the rotation, which keys are agreed, who has proven them.
//! In: events (a failure, a proof, time that has passed). Out: who signs next, who is due.
//! Never: calls to slots; all of this stands behind one lock that is held for moments only.
//! Limits: one entry for each key that was asked for or recorded.

use super::agreement::{Reaction, least_busy, next_pause, reaction, zsk_tag};
use crate::error::SlotError;
use crate::slot::Slot;
use crate::verify::Verifier;
use dnssec::key::{KeyId, PublicKey};
use dnssec::{Algorithm, KeyTag};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Failures in a row after which a member's slot is opened anew.
const REOPEN_AFTER: u32 = 3;
/// How long a member that lacks a key is not asked for it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// First pause before a member that is shut out is looked at again. It doubles each time that the
/// member is shut out, until an operator says that it is mended.
const OUT_PAUSE: Duration = Duration::from_secs(600);
/// Longest pause of a member that is shut out.
const OUT_PAUSE_MAX: Duration = Duration::from_secs(6 * 3600);

/// A key as it is asked for.
pub(super) type KeyName = (KeyId, Algorithm);

/// A key that the group agrees on.
pub(super) struct GroupKey {
    pub(super) public: PublicKey,
    pub(super) verifier: Verifier,
}

/// What is known of one member and one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not asked since the member came in.
    Unproven,
    /// It shows the group's key and has signed a challenge with it.
    Proven,
    /// It cannot serve this key.
    Lacking,
}

struct KeyState {
    key: Arc<GroupKey>,
    standings: Vec<Standing>,
}

/// Why a member is shut out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberFault {
    /// Its slot says that an operator has to look.
    #[error(transparent)]
    Slot(#[from] SlotError),
    /// It shows another public key for an id than the group does.
    #[error(
        "it shows another key for the id {key}: key tag {member_tag} and not {group_tag} (as of \
         a ZSK); compare the token with the backup and make it a copy of the others, then it is \
         taken back by itself, and at once after a SIGHUP"
    )]
    OtherKey {
        /// The id.
        key: KeyId,
        /// Tag of the group's key.
        group_tag: KeyTag,
        /// Tag of the member's key.
        member_tag: KeyTag,
    },
}

impl MemberFault {
    /// Whether looking again may help before an operator has done something about the PIN. Each
    /// look would offer it once more, and a token counts.
    fn waits_for_operator(&self) -> bool {
        matches!(
            self,
            MemberFault::Slot(
                SlotError::PinRejected { .. }
                    | SlotError::PinLocked { .. }
                    | SlotError::PinFinalTry { .. }
                    | SlotError::PinMissing { .. }
            )
        )
    }

    /// Whether it is the same kind of fault.
    fn is_like(&self, other: &MemberFault) -> bool {
        match (self, other) {
            (MemberFault::Slot(one), MemberFault::Slot(other)) => {
                std::mem::discriminant(one) == std::mem::discriminant(other)
            }
            (MemberFault::OtherKey { .. }, MemberFault::OtherKey { .. }) => true,
            (MemberFault::Slot(_), MemberFault::OtherKey { .. })
            | (MemberFault::OtherKey { .. }, MemberFault::Slot(_)) => false,
        }
    }
}

/// Where a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    In,
    /// `reason` is `None` before the first opening.
    Away {
        reason: Option<SlotError>,
        pause: Option<Duration>,
        left: Duration,
    },
    /// `left` until it is looked at again; `None`: not before an operator says so.
    Out {
        fault: MemberFault,
        left: Option<Duration>,
    },
}

struct MemberState {
    presence: Presence,
    slot: Option<Arc<dyn Slot>>,
    /// Rises when the member leaves: what began before says nothing about what is now.
    epoch: u64,
    failures: u32,
    /// How often it was shut out since an operator has spoken.
    outs: u32,
    /// How long it is not in by now, at least.
    absent: Duration,
    under_way: usize,
    served: u64,
}

/// A member to put work to.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) member: usize,
    pub(super) epoch: u64,
    pub(super) slot: Arc<dyn Slot>,
}

/// What a failure did to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    Left,
    ShutOut,
}

pub(super) struct State {
    members: Vec<MemberState>,
    keys: HashMap<KeyName, KeyState>,
    /// Keys that are made and not agreed yet, with the member that has made them.
    pub(super) made: HashMap<KeyId, usize>,
    pub(super) closing: bool,
    look_again: Duration,
    /// Slots that are out of use; to be dropped without the lock, since their processes end then.
    pub(super) retired: Vec<Arc<dyn Slot>>,
}

impl State {
    pub(super) fn new(members: usize) -> State {
        let member = || MemberState {
            presence: Presence::Away { reason: None, pause: None, left: Duration::ZERO },
            slot: None,
            epoch: 0,
            failures: 0,
            outs: 0,
            absent: Duration::ZERO,
            under_way: 0,
            served: 0,
        };
        State {
            members: std::iter::repeat_with(member).take(members).collect(),
            keys: HashMap::new(),
            made: HashMap::new(),
            closing: false,
            look_again: LOOK_AGAIN,
            retired: Vec::new(),
        }
    }

    pub(super) fn presence(&self, member: usize) -> &Presence {
        &self.members[member].presence
    }

    pub(super) fn under_way(&self, member: usize) -> usize {
        self.members[member].under_way
    }

    /// How long a member is not in by now, at least.
    pub(super) fn absent(&self, member: usize) -> Duration {
        self.members[member].absent
    }

    /// How many of the agreed keys a member has proven.
    pub(super) fn proven_count(&self, member: usize) -> usize {
        let is_proven = |key: &&KeyState| key.standings[member] == Standing::Proven;
        self.keys.values().filter(is_proven).count()
    }

    /// Members that are not shut out.
    pub(super) fn able_count(&self) -> usize {
        let is_out = |member: &&MemberState| matches!(member.presence, Presence::Out { .. });
        self.members.len() - self.members.iter().filter(is_out).count()
    }

    /// Whether a member in the rotation has proven the key.
    pub(super) fn is_proven(&self, name: &KeyName) -> bool {
        let key = self.keys.get(name);
        self.seats()
            .iter()
            .any(|seat| key.is_some_and(|key| key.standings[seat.member] == Standing::Proven))
    }

    /// Keys that are agreed, at most `limit`.
    pub(super) fn agreed(&self, limit: usize) -> Vec<(KeyName, Arc<GroupKey>)> {
        let keys = self.keys.iter().take(limit);
        keys.map(|(name, state)| (name.clone(), Arc::clone(&state.key))).collect()
    }

    pub(super) fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn key(&self, name: &KeyName) -> Option<Arc<GroupKey>> {
        self.keys.get(name).map(|state| Arc::clone(&state.key))
    }

    /// Takes up a key that is agreed or recorded; nobody has proven it yet.
    pub(super) fn add_key(&mut self, name: KeyName, key: GroupKey) -> Arc<GroupKey> {
        let standings = vec![Standing::Unproven; self.members.len()];
        let new = KeyState { key: Arc::new(key), standings };
        Arc::clone(&self.keys.entry(name).or_insert(new).key)
    }

    pub(super) fn forget_key(&mut self, id: &KeyId) {
        self.keys.retain(|(known, _), _| known != id);
        self.made.remove(id);
    }

    /// The members in the rotation.
    pub(super) fn seats(&self) -> Vec<Seat> {
        let seat = |(member, state): (usize, &MemberState)| match (&state.presence, &state.slot) {
            (Presence::In, Some(slot)) => {
                Some(Seat { member, epoch: state.epoch, slot: Arc::clone(slot) })
            }
            _ => None,
        };
        self.members.iter().enumerate().filter_map(seat).collect()
    }

    /// Members that lack a key are asked again when it is next used.
    pub(super) fn ask_again(&mut self, name: &KeyName) {
        let key = self.keys.get_mut(name);
        for standing in key.into_iter().flat_map(|key| &mut key.standings) {
            if *standing == Standing::Lacking {
                *standing = Standing::Unproven;
            }
        }
    }

    /// The members in the rotation that were not asked for this key yet.
    pub(super) fn unproven(&self, name: &KeyName) -> Vec<Seat> {
        let mut seats = self.seats();
        if let Some(key) = self.keys.get(name) {
            seats.retain(|seat| key.standings[seat.member] == Standing::Unproven);
        }
        seats
    }

    /// Whether a seat still is what it was when it was given out.
    fn is_current(&self, member: usize, epoch: u64) -> bool {
        self.members[member].epoch == epoch
    }

    pub(super) fn stand(&mut self, name: &KeyName, seat: &Seat, standing: Standing) {
        let is_current = self.is_current(seat.member, seat.epoch);
        if let Some(key) = self.keys.get_mut(name).filter(|_| is_current) {
            key.standings[seat.member] = standing;
        }
    }

    /// The least busy member that has proven the key, and is none of `but`; one batch more is
    /// under way there, until [`State::done`].
    pub(super) fn take(&mut self, name: &KeyName, but: &[usize]) -> Option<Seat> {
        let key = self.keys.get(name)?;
        let member = least_busy(self.members.iter().enumerate().map(|(at, member)| {
            let may_sign = member.presence == Presence::In
                && key.standings[at] == Standing::Proven
                && !but.contains(&at);
            may_sign.then_some((member.under_way, member.served))
        }))?;
        let state = &mut self.members[member];
        let slot = Arc::clone(state.slot.as_ref()?);
        state.under_way += 1;
        state.served += 1;
        Some(Seat { member, epoch: state.epoch, slot })
    }

    pub(super) fn done(&mut self, member: usize) {
        self.members[member].under_way -= 1;
    }

    /// A member failed at something, which may have to do with a key.
    pub(super) fn failed(
        &mut self,
        name: Option<&KeyName>,
        seat: &Seat,
        error: &SlotError,
    ) -> Change {
        if !self.is_current(seat.member, seat.epoch) {
            return Change::Nothing;
        }
        match reaction(error) {
            Reaction::Stays => Change::Nothing,
            Reaction::LosesKey => {
                if let Some(name) = name {
                    self.stand(name, seat, Standing::Lacking);
                }
                Change::Nothing
            }
            Reaction::Leaves { pause } => self.leaves(seat.member, error, pause),
            Reaction::ShutOut => self.shut_out(seat.member, MemberFault::Slot(error.clone())),
        }
    }

    /// A member that was being opened failed.
    pub(super) fn not_opened(&mut self, member: usize, error: &SlotError) -> Change {
        match reaction(error) {
            Reaction::ShutOut => self.shut_out(member, MemberFault::Slot(error.clone())),
            Reaction::Leaves { pause } => self.leaves(member, error, pause),
            // No answer to "who are you" is about a key or a request.
            Reaction::LosesKey | Reaction::Stays => self.leaves(member, error, LOOK_AGAIN),
        }
    }

    fn leaves(&mut self, member: usize, error: &SlotError, own: Duration) -> Change {
        let before = match &self.members[member].presence {
            Presence::In => None,
            Presence::Away { pause, .. } => *pause,
            // Looked at again it is not even there; it will have to prove itself either way.
            Presence::Out { .. } => None,
        };
        let pause = next_pause(own, before);
        let reason = Some(error.clone());
        self.moves(member, Presence::Away { reason, pause: Some(pause), left: pause });
        self.members[member].failures += 1;
        if self.members[member].failures >= REOPEN_AFTER {
            self.retire(member);
        }
        Change::Left
    }

    /// Shuts a member out; `Nothing` when that was told for the same reason before.
    pub(super) fn shut_out(&mut self, member: usize, fault: MemberFault) -> Change {
        let outs = self.members[member].outs.saturating_add(1);
        self.members[member].outs = outs;
        let left = (!fault.waits_for_operator()).then(|| out_pause(outs));
        let is_known = match &self.members[member].presence {
            // Told since the operator has spoken, and for this reason, whatever key it was about.
            Presence::Out { fault: old, .. } => outs > 1 && old.is_like(&fault),
            Presence::In | Presence::Away { .. } => false,
        };
        self.moves(member, Presence::Out { fault, left });
        self.retire(member);
        if is_known { Change::Nothing } else { Change::ShutOut }
    }

    /// An operator has mended something: members that are not in are tried at once. A PIN that was
    /// refused is not offered again.
    pub(super) fn mended(&mut self) {
        for member in &mut self.members {
            match &mut member.presence {
                Presence::In => {}
                Presence::Away { pause, left, .. } => (*pause, *left) = (None, Duration::ZERO),
                Presence::Out {
                    fault: MemberFault::Slot(SlotError::PinRejected { .. }), ..
                } => {}
                Presence::Out { left, .. } => *left = Some(Duration::ZERO),
            }
            member.outs = 0;
        }
    }

    fn retire(&mut self, member: usize) {
        self.retired.extend(self.members[member].slot.take());
    }

    /// Shuts out a member that shows another key.
    pub(super) fn differs(
        &mut self,
        seat: &Seat,
        name: &KeyName,
        group: &PublicKey,
        shown: &PublicKey,
    ) -> Change {
        if !self.is_current(seat.member, seat.epoch) {
            return Change::Nothing;
        }
        let (group_tag, member_tag) = (zsk_tag(group), zsk_tag(shown));
        let fault = MemberFault::OtherKey { key: name.0.clone(), group_tag, member_tag };
        self.shut_out(seat.member, fault)
    }

    fn moves(&mut self, member: usize, presence: Presence) {
        let state = &mut self.members[member];
        state.epoch += 1;
        state.presence = presence;
        for key in self.keys.values_mut() {
            key.standings[member] = Standing::Unproven;
        }
    }

    /// The slot of a member that is not in and is to be tried: an old one, or none when it has to
    /// be opened. `None` when the member is in.
    pub(super) fn begin_return(&self, member: usize) -> Option<(u64, Option<Arc<dyn Slot>>)> {
        let state = &self.members[member];
        (state.presence != Presence::In).then(|| (state.epoch, state.slot.clone()))
    }

    /// A member is back with these proofs. `false` when somebody was faster.
    pub(super) fn returns(&mut self, seat: &Seat, proofs: Vec<(KeyName, Standing)>) -> bool {
        let is_in = *self.presence(seat.member) == Presence::In;
        if is_in || !self.is_current(seat.member, seat.epoch) {
            return false;
        }
        let state = &mut self.members[seat.member];
        state.presence = Presence::In;
        state.slot = Some(Arc::clone(&seat.slot));
        state.failures = 0;
        state.absent = Duration::ZERO;
        for (name, standing) in proofs {
            self.stand(&name, seat, standing);
        }
        true
    }

    fn has_lacking(&self) -> bool {
        self.keys.values().any(|key| key.standings.contains(&Standing::Lacking))
    }

    /// Whether every member is in the rotation.
    pub(super) fn is_whole(&self) -> bool {
        self.members.iter().all(|member| member.presence == Presence::In)
    }

    /// How long until something is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let away = self.members.iter().filter_map(|member| match &member.presence {
            Presence::Away { left, .. } => Some(*left),
            Presence::Out { left, .. } => *left,
            Presence::In => None,
        });
        away.chain(self.has_lacking().then_some(self.look_again)).min()
    }

    /// Lets time pass. Out: the members to try again.
    pub(super) fn elapse(&mut self, passed: Duration) -> Vec<usize> {
        if self.has_lacking() {
            self.look_again = self.look_again.saturating_sub(passed);
        }
        if self.look_again.is_zero() {
            self.look_again = LOOK_AGAIN;
            let standings = self.keys.values_mut().flat_map(|key| &mut key.standings);
            for standing in standings.filter(|standing| **standing == Standing::Lacking) {
                *standing = Standing::Unproven;
            }
        }
        let mut due = Vec::new();
        for (position, member) in self.members.iter_mut().enumerate() {
            let left = match &mut member.presence {
                Presence::In => continue,
                Presence::Away { left, .. } => Some(left),
                Presence::Out { left, .. } => left.as_mut(),
            };
            member.absent = member.absent.saturating_add(passed);
            let Some(left) = left else { continue };
            *left = left.saturating_sub(passed);
            if left.is_zero() {
                due.push(position);
            }
        }
        due
    }
}

/// The pause of a member that is shut out for the `outs`th time.
fn out_pause(outs: u32) -> Duration {
    let doubled = 1_u32.checked_shl(outs.saturating_sub(1)).unwrap_or(u32::MAX);
    OUT_PAUSE.saturating_mul(doubled).min(OUT_PAUSE_MAX)
}
