//! When a key may be called lost (rule HSM-3). A token that does not show a key proves nothing: it
//! hides private objects while nobody is logged in, while it is restored, and when it is broken;
//! and it may be another token with the same label.
//! Proof takes two looks at the token that agree: both see the token that was set up (label and
//! serial number) and its canary, a key that was made at set-up for this purpose, and neither
//! sees the key.
//! In: a slot, what was noted at set-up. Out: a verdict; what follows from it is the caller's,
//! which also sees to it that time passes between the two looks.

use crate::error::SlotError;
use crate::slot::{GenerateRequest, Slot, random_key_id};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use std::collections::BTreeSet;

/// What is noted of a token when it is set up, and kept with the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Token label.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// CKA_ID of the canary.
    pub canary: KeyId,
}

impl TokenIdentity {
    /// Notes the token's name and makes a canary in it; `id` was chosen and saved before, as for
    /// every key (see [`random_key_id`]).
    pub fn set_up(slot: &dyn Slot, id: KeyId) -> Result<TokenIdentity, SlotError> {
        let info = slot.info()?;
        // Small, and every token has it.
        let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
        match slot.generate(&request) {
            // An earlier set-up was interrupted after this point.
            Ok(_) | Err(SlotError::KeyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(TokenIdentity { label: info.label, serial: info.serial, canary: id })
    }

    /// A new id for a canary. `None` when the system gives no randomness.
    pub fn new_canary_id() -> Option<KeyId> {
        random_key_id()
    }
}

/// One look at a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    label: String,
    serial: String,
    keys: BTreeSet<KeyId>,
    damaged_count: usize,
}

impl Look {
    /// Looks at the token: who it is, and what it shows.
    pub fn at(slot: &dyn Slot) -> Result<Look, SlotError> {
        let info = slot.info()?;
        let keys = slot.list()?.into_iter().map(|entry| entry.id).collect();
        let damaged_count = info.damaged.len();
        Ok(Look { label: info.label, serial: info.serial, keys, damaged_count })
    }

    /// How many private keys it shows, for forecasts against the token's capacity (rule HSM-11).
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }
}

/// What two looks say about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One of them shows it.
    Present,
    /// It is not in the token: the token is the right one, it shows its canary and everything
    /// else it has twice, and not this key.
    Missing,
    /// Nothing is proven.
    Unknown(Doubt),
}

/// Why nothing is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The label or the serial number differs.
    #[error("it is not the token that was set up")]
    OtherToken,
    /// The canary is not seen.
    #[error("the token does not show the key that was made to tell that it shows its keys")]
    NoCanary,
    /// The two looks see different keys.
    #[error("two looks at the token do not agree")]
    Unsteady,
    /// Some of its records cannot be read, and one of them may be the key.
    #[error("records of the token are damaged")]
    Damaged,
}

/// Judges a key by two looks at its token, some time apart.
pub fn judge(key: &KeyId, token: &TokenIdentity, looks: [&Look; 2]) -> Verdict {
    if looks.iter().any(|look| look.keys.contains(key)) {
        return Verdict::Present;
    }
    let is_token = |look: &&Look| look.label == token.label && look.serial == token.serial;
    if !looks.iter().all(is_token) {
        return Verdict::Unknown(Doubt::OtherToken);
    }
    if looks.iter().any(|look| look.damaged_count > 0) {
        return Verdict::Unknown(Doubt::Damaged);
    }
    if !looks.iter().all(|look| look.keys.contains(&token.canary)) {
        return Verdict::Unknown(Doubt::NoCanary);
    }
    if looks[0].keys != looks[1].keys {
        return Verdict::Unknown(Doubt::Unsteady);
    }
    Verdict::Missing
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::{BuiltinToken, Unlock};

    fn key(name: &str) -> KeyId {
        KeyId::new(name.as_bytes()).unwrap()
    }

    fn look(serial: &str, keys: &[&str]) -> Look {
        let keys = keys.iter().map(|name| key(name)).collect();
        Look { label: "Anchor".to_owned(), serial: serial.to_owned(), keys, damaged_count: 0 }
    }

    #[track_caller]
    fn check(first: &Look, second: &Look, expected: Verdict) {
        let token = TokenIdentity {
            label: "Anchor".to_owned(),
            serial: "1".to_owned(),
            canary: key("canary"),
        };
        assert_eq!(judge(&key("lost"), &token, [first, second]), expected);
    }

    #[test]
    fn absence_needs_proof_rule_hsm_3() {
        let good = look("1", &["canary", "other"]);
        check(&good, &good, Verdict::Missing);
        check(&good, &look("1", &["canary", "lost"]), Verdict::Present);
        check(&look("2", &["lost"]), &good, Verdict::Present);
        check(&good, &look("2", &["canary", "other"]), Verdict::Unknown(Doubt::OtherToken));
        check(&look("1", &[]), &look("1", &[]), Verdict::Unknown(Doubt::NoCanary));
        check(&good, &look("1", &["other"]), Verdict::Unknown(Doubt::NoCanary));
        check(&good, &look("1", &["canary"]), Verdict::Unknown(Doubt::Unsteady));
        let damaged = Look { damaged_count: 1, ..good.clone() };
        check(&damaged, &good, Verdict::Unknown(Doubt::Damaged));
    }

    #[test]
    fn set_up_may_be_interrupted_and_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let unlock = Unlock::Pin("1234".into());
        let path = folder.path().join("keys");
        let token = BuiltinToken::create("main", &path, "Anchor", &unlock).unwrap();
        let id = TokenIdentity::new_canary_id().unwrap();
        let identity = TokenIdentity::set_up(&token, id.clone()).unwrap();
        assert_eq!(TokenIdentity::set_up(&token, id.clone()).unwrap(), identity);
        let look = Look::at(&token).unwrap();
        assert_eq!(look.key_count(), 1);
        assert_eq!(judge(&key("lost"), &identity, [&look, &look]), Verdict::Missing);
        assert_eq!(judge(&id, &identity, [&look, &look]), Verdict::Present);
    }
}
