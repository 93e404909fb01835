//! Looking at members: what they show of a key, and whether they sign with it.
//! In: members in the rotation, or one that comes back. Out: the key that the group agrees on, and
//! who has proven it.
//! Never: the state's lock held while a slot is asked.

use super::agreement::{GroupFault, Reaction, Said, Verdict, View, judge, reaction, zsk_tag};
use super::state::{Change, GroupKey, KeyName, Seat, Standing};
use super::{CHALLENGES_MAX, Group};
use crate::error::{Cause, Place, SlotError};
use crate::packed::Packed;
use crate::slot::{SignBatch, Slot};
use crate::verify::Verifier;
use dnssec::key::{KeyId, PublicKey};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

/// How a challenge begins. No RRSIG can be made of it: it would cover a type that is not assigned
/// (RFC 4034 §3.1.8.1: the first two octets).
const CHALLENGE_START: &[u8; 16] = b"\xF0\xF0 key challenge";
/// Random octets in a challenge.
const CHALLENGE_RANDOM: usize = 32;

impl Group {
    /// The key that the group has under this name. Members in the rotation that were not asked
    /// for it yet are asked now.
    pub(super) fn agreed(&self, name: &KeyName) -> Result<Arc<GroupKey>, SlotError> {
        if let Some(key) = self.proven(name) {
            return Ok(key);
        }
        let _turn = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = self.proven(name) {
            return Ok(key);
        }
        self.look(name)
    }

    /// The key, when there is nobody left to ask.
    fn proven(&self, name: &KeyName) -> Option<Arc<GroupKey>> {
        let state = self.lock();
        state.key(name).filter(|_| state.unproven(name).is_empty())
    }

    fn look(&self, name: &KeyName) -> Result<Arc<GroupKey>, SlotError> {
        let (recorded, seats) = {
            let state = self.lock();
            (state.key(name), state.unproven(name))
        };
        let mut views = vec![View::Silent; self.members.len()];
        let mut words = BTreeMap::new();
        let mut failures = BTreeMap::new();
        for seat in &seats {
            match challenge(seat.slot.as_ref(), &self.place(), name) {
                Ok(public) => {
                    words.insert(seat.member, format!("shows key tag {}", zsk_tag(&public)));
                    views[seat.member] = View::Shows(public);
                }
                Err(error) => {
                    if matches!(error, SlotError::NotFound { .. }) {
                        views[seat.member] = View::Lacks;
                        words.insert(seat.member, "lacks the key".to_owned());
                    } else {
                        words.insert(seat.member, error.to_string());
                    }
                    self.failed(Some(name), seat, &error);
                    failures.insert(seat.member, error);
                }
            }
        }
        let recorded_public = recorded.as_ref().map(|key| &key.public);
        match judge(&views, recorded_public, self.quorum) {
            Verdict::Agreed { key, differing } => {
                self.settle(name, key, &differing, &views, &seats)
            }
            Verdict::Nowhere if !self.is_made(&name.0, &views) => {
                Err(SlotError::NotFound { place: self.place(), key: name.0.clone() })
            }
            Verdict::Nowhere | Verdict::Refused => {
                // Nobody showed anything, and all for one reason that is not theirs.
                if failures.len() == seats.len() && super::is_request_at_fault(&failures) {
                    return Err(self.unable(&failures));
                }
                Err(self.too_few(name, &views, &words))
            }
        }
    }

    /// Whether a member may have made the key. Its own word that it has not counts; while it is
    /// silent no other may make a second key under the id.
    fn is_made(&self, id: &KeyId, views: &[View]) -> bool {
        let mut state = self.lock();
        let maker = state.made.get(id).copied();
        let is_made = maker.is_some_and(|maker| views[maker] != View::Lacks);
        if !is_made {
            state.made.remove(id);
        }
        is_made
    }

    /// Writes down who has proven the key, and shuts out who shows another one.
    fn settle(
        &self,
        name: &KeyName,
        public: PublicKey,
        differing: &[usize],
        views: &[View],
        seats: &[Seat],
    ) -> Result<Arc<GroupKey>, SlotError> {
        let Some(verifier) = Verifier::new(&public) else {
            return Err(unverifiable(&self.place(), name));
        };
        let mut changes = Vec::new();
        let mut state = self.lock();
        let key = state.add_key(name.clone(), GroupKey { public, verifier });
        state.made.remove(&name.0);
        for seat in seats {
            match &views[seat.member] {
                View::Shows(shown) if differing.contains(&seat.member) => {
                    changes.push((seat.member, state.differs(seat, name, &key.public, shown)));
                }
                View::Shows(_) => state.stand(name, seat, Standing::Proven),
                View::Lacks | View::Silent => state.stand(name, seat, Standing::Lacking),
            }
        }
        drop(state);
        changes.into_iter().for_each(|(member, change)| self.report(member, change));
        Ok(key)
    }

    /// A key that may not be given out: who lacks it, who differs.
    fn too_few(
        &self,
        name: &KeyName,
        views: &[View],
        words: &BTreeMap<usize, String>,
    ) -> SlotError {
        let shown = || views.iter().filter(|view| matches!(view, View::Shows(_)));
        let votes = |key: &View| shown().filter(|other| *other == key).count();
        let agreeing = shown().map(votes).max().unwrap_or(0);
        let is_torn = shown().any(|view| votes(view) != shown().count());
        let said: Said = self.said(words);
        let (members, quorum) = (self.members.len(), self.quorum);
        let fault = GroupFault::TooFew { agreeing, members, quorum, said };
        let (repository, key) = (&self.repository, &name.0);
        if is_torn {
            tracing::error!(target: "hsm", %repository, %key,
                "members of repository group {repository} show different keys for one id, none \
                 is used: {fault}");
        }
        let (place, cause) = (self.place(), Cause::of(fault));
        match self.is_somebody_away() {
            true => SlotError::TokenGone { place, cause },
            false => SlotError::PublicKeyUnavailable { place, key: key.clone(), cause },
        }
    }

    /// Tries a member that is not in: opens it where needed, and has it prove the keys.
    pub(super) fn take_back(&self, member: usize) {
        let Some((epoch, slot)) = self.lock().begin_return(member) else { return };
        let opened = match slot {
            Some(slot) => Ok(slot),
            None => (self.members[member].open)(),
        };
        let result = opened.and_then(|slot| {
            slot.info()?;
            let seat = Seat { member, epoch, slot };
            self.prove(&seat).map(|proofs| proofs.map(|proofs| (seat, proofs)))
        });
        let (repository, name) = (&self.repository, &self.members[member].name);
        match result {
            Ok(Some((seat, proofs))) => {
                if self.lock().returns(&seat, proofs) {
                    self.changed.notify_all();
                    tracing::info!(target: "hsm", %repository, member = %name,
                        "member {name} of repository group {repository} is in");
                }
            }
            // Shut out, and that was reported.
            Ok(None) => {}
            Err(error) => {
                let change = self.lock().not_opened(member, &error);
                self.report(member, change);
            }
        }
    }

    /// What a member has to show of the agreed keys; `None` when it shows another one.
    fn prove(&self, seat: &Seat) -> Result<Option<Vec<(KeyName, Standing)>>, SlotError> {
        let mut proofs = Vec::new();
        let keys = self.lock().agreed(CHALLENGES_MAX);
        for (name, key) in keys {
            let standing = match challenge(seat.slot.as_ref(), &self.place(), &name) {
                Ok(public) if public == key.public => Standing::Proven,
                Ok(public) => {
                    let change = self.lock().differs(seat, &name, &key.public, &public);
                    self.report(seat.member, change);
                    return Ok(None);
                }
                Err(error) => match reaction(&error) {
                    Reaction::LosesKey | Reaction::Stays => {
                        tracing::error!(target: "hsm", repository = %self.repository, key = %name.0,
                            member = %self.members[seat.member].name, %error,
                            "a member of the repository group cannot serve a key");
                        Standing::Lacking
                    }
                    Reaction::Leaves { .. } | Reaction::ShutOut => return Err(error),
                },
            };
            proofs.push((name, standing));
        }
        Ok(Some(proofs))
    }

    /// A key that a member has made is shown by others in time, or not.
    pub(super) fn wait_for_others(&self, name: &KeyName) -> Result<Arc<GroupKey>, SlotError> {
        let mut looks = self.patience.look_count.max(1);
        loop {
            let result = self.agreed(name);
            looks -= 1;
            if result.is_ok() || looks == 0 {
                return result;
            }
            let state = self.lock();
            // Woken early, by a member that leaves, the next look is early, too.
            drop(self.changed.wait_timeout(state, self.patience.pause));
        }
    }

    pub(super) fn report_made_other(&self, seat: &Seat, change: Change) -> Cause {
        self.report(seat.member, change);
        let member = self.members[seat.member].name.clone();
        Cause::of(GroupFault::OtherThanMade { member })
    }
}

/// Has a member show a key and sign a random challenge with it.
fn challenge(slot: &dyn Slot, place: &Place, name: &KeyName) -> Result<PublicKey, SlotError> {
    let (id, algorithm) = name;
    let public = slot.public_key(id, *algorithm)?;
    let Some(verifier) = Verifier::new(&public) else { return Err(unverifiable(place, name)) };
    let mut text = [0; CHALLENGE_START.len() + CHALLENGE_RANDOM];
    let (start, random) = text.split_at_mut(CHALLENGE_START.len());
    start.copy_from_slice(CHALLENGE_START);
    getrandom::fill(random).map_err(|error| {
        let cause = Cause::of(error);
        SlotError::NoRandomness { place: place.clone(), cause }
    })?;
    let messages: Packed = std::iter::once(text.as_slice()).collect();
    let batch = SignBatch { key: id.clone(), algorithm: *algorithm, messages };
    let signed = slot.sign(&batch)?;
    let is_right = public.algorithm == *algorithm
        && signed.len() == 1
        && signed.get(0).is_some_and(|signature| verifier.verify(&text, signature));
    match is_right {
        true => Ok(public),
        false => Err(SlotError::WrongSignature {
            place: place.clone(),
            key: id.clone(),
            algorithm: *algorithm,
            index: 0,
        }),
    }
}

fn unverifiable(place: &Place, (_, algorithm): &KeyName) -> SlotError {
    SlotError::AlgorithmUnavailable {
        place: place.clone(),
        algorithm: *algorithm,
        cause: Cause::of(GroupFault::Unverifiable),
    }
}
