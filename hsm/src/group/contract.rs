//! The slot contract over a group. In: what one token would be asked. Out: what one token would
//! answer, while any member can.

use super::state::{GroupKey, KeyName};
use super::{Group, GroupSlot, MemberStatus};
use crate::error::{Cause, SlotError};
use crate::packed::Packed;
use crate::slot::{GenerateRequest, KeyEntry, SignBatch, Slot, TokenInfo};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use std::collections::BTreeMap;

impl Slot for GroupSlot {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        self.group.info()
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.group.generate(request)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        self.group.list()
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.group.public_key(id, algorithm)
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        self.group.sign(batch)
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        self.group.delete(id)
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.status().members
    }

    fn mended(&self) {
        GroupSlot::mended(self);
    }
}

impl Slot for Group {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        let answers = self.each(|slot| slot.info())?;
        let infos = || answers.iter().map(|(_, info)| info);
        let words = |word: fn(&TokenInfo) -> &str| infos().map(word).collect::<Vec<_>>().join(", ");
        Ok(TokenInfo {
            repository: self.repository.clone(),
            module: words(|info| &info.module),
            slot: 0,
            label: words(|info| &info.label),
            manufacturer: words(|info| &info.manufacturer),
            model: "repository group".to_owned(),
            serial: words(|info| &info.serial),
            firmware: String::new(),
            sessions_max: infos().map(|info| info.sessions_max).sum(),
            damaged: infos().flat_map(|info| info.damaged.clone()).collect(),
        })
    }

    /// Makes the key in the first member of the rotation and waits for the others. An error after
    /// that leaves the key where it is: the caller asks for its public half again later.
    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        let name: KeyName = (request.id.clone(), request.algorithm);
        match self.agreed(&name) {
            Err(SlotError::NotFound { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(SlotError::KeyExists { place: self.place(), key: name.0 });
            }
        }
        let first = self.lock().seats().into_iter().next();
        let Some(seat) = first else { return Err(self.unable(&BTreeMap::new())) };
        // Known before it is made: whatever the member answers, no other may make it, too.
        self.lock().made.insert(name.0.clone(), seat.member);
        let made = match seat.slot.generate(request) {
            Ok(made) => made,
            Err(error) => {
                self.failed(None, &seat, &error);
                if super::agreement::reaction(&error) == super::agreement::Reaction::Stays {
                    self.lock().made.remove(&name.0);
                }
                return Err(error);
            }
        };
        let key = self.wait_for_others(&name)?;
        if key.public == made {
            return Ok(made);
        }
        let change = self.lock().differs(&seat, &name, &key.public, &made);
        let cause = self.report_made_other(&seat, change);
        Err(SlotError::PublicKeyUnavailable { place: self.place(), key: name.0, cause })
    }

    /// Every key that a member in the rotation shows. One that not all of them show is listed, too:
    /// "listed" is not "agreed".
    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        let mut keys: BTreeMap<KeyId, KeyEntry> = BTreeMap::new();
        for (seat, entries) in self.each(|slot| slot.list())? {
            for entry in entries {
                let known = keys.entry(entry.id.clone()).or_insert_with(|| entry.clone());
                if known.kind != entry.kind {
                    tracing::error!(target: "hsm", repository = %self.repository, key = %entry.id,
                        member = %self.members[seat.member].name,
                        "members of the repository group list different kinds of key for one id: \
                         {} and {}", known.kind.name(), entry.kind.name());
                }
            }
        }
        Ok(keys.into_values().collect())
    }

    /// The public half that the group agrees on. "Not found" when a quorum says so, nobody shows
    /// it, and the group has not made it.
    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        let name = (id.clone(), algorithm);
        let key = self.agreed(&name)?;
        let is_proven = self.lock().is_proven(&name);
        match is_proven {
            true => Ok(key.public.clone()),
            false => {
                let (place, key) = (self.place(), id.clone());
                let cause = self.nobody_cause(&BTreeMap::new());
                Err(SlotError::PublicKeyUnavailable { place, key, cause })
            }
        }
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        let name = (batch.key.clone(), batch.algorithm);
        let key = self.agreed(&name).map_err(away)?;
        let mut failures = BTreeMap::new();
        self.sign_with_any(&name, &key, batch, &mut failures)
            .or_else(|| {
                // A token may hide its keys for a while (rule HSM-3): before all give up, those in
                // the rotation are asked once more.
                self.lock().ask_again(&name);
                self.agreed(&name).ok()?;
                self.sign_with_any(&name, &key, batch, &mut failures)
            })
            .ok_or_else(|| self.unable(&failures))
    }

    /// Destroys the key in every member. Nothing is done while one is away, since it would bring
    /// the key back; a member that is shut out is not touched.
    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        if self.is_somebody_away() {
            return Err(self.unable(&BTreeMap::new()));
        }
        let answers = self.each(|slot| match slot.delete(id) {
            Ok(()) => Ok(Some(())),
            Err(SlotError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        })?;
        if answers.len() < self.lock().able_count() {
            let cause = Cause::of("a member did not destroy its copy; ask again");
            let (place, operation) = (self.place(), "C_DestroyObject");
            return Err(SlotError::SessionLost { place, operation, cause });
        }
        let was_there = answers.iter().any(|(_, answer)| answer.is_some());
        self.lock().forget_key(id);
        match was_there {
            true => Ok(()),
            false => Err(SlotError::NotFound { place: self.place(), key: id.clone() }),
        }
    }
}

impl Group {
    /// One member after the other, until one has signed.
    fn sign_with_any(
        &self,
        name: &KeyName,
        key: &GroupKey,
        batch: &SignBatch,
        failures: &mut BTreeMap<usize, SlotError>,
    ) -> Option<Packed> {
        while let Some(work) = self.take(name, failures) {
            let signed = work.seat.slot.sign(batch);
            let checked = signed.and_then(|signed| {
                self.check(key, batch, &signed)?;
                Ok(signed)
            });
            match checked {
                Ok(signed) => return Some(signed),
                Err(error) => {
                    self.failed(Some(name), &work.seat, &error);
                    failures.insert(work.seat.member, error);
                }
            }
        }
        None
    }
}

/// A key that the group does not agree on is, for signing, one that is away: the other keys of the
/// group are not touched.
fn away(error: SlotError) -> SlotError {
    match error {
        SlotError::PublicKeyUnavailable { place, cause, .. } => {
            SlotError::TokenGone { place, cause }
        }
        other => other,
    }
}
