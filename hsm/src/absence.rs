//! When a key may be called lost (rule HSM-3). A token that does not show a key proves nothing: it
//! hides private objects while nobody is logged in, while it is restored, and when it is broken;
//! and it may be another token with the same label.
//! Proof takes two looks at the token that agree: both see the token that was set up (label and
//! serial number) and its canary, an object that was made at set-up for this purpose, and neither
//! sees the key.
//! In: a slot, what was noted at set-up. Out: a verdict; what follows from it is the caller's,
//! which also sees to it that time passes between the two looks.

use crate::error::SlotError;
use crate::slot::Slot;
use dnssec::key::KeyId;
use std::collections::BTreeSet;

/// What was noted of a token when it was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenIdentity {
    /// Token label.
    pub label: String,
    /// Serial number.
    pub serial: String,
    /// The id that the canary was made with ([`Slot::put_canary`]).
    pub canary: KeyId,
}

/// One look at a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    label: String,
    serial: String,
    has_canary: bool,
    keys: BTreeSet<KeyId>,
    damaged_count: usize,
}

impl Look {
    /// Looks at the token: who it is, and what it shows.
    pub fn at(slot: &dyn Slot, canary: &KeyId) -> Result<Look, SlotError> {
        let info = slot.info()?;
        let keys = slot.list()?.into_iter().map(|entry| entry.id).collect();
        // Last, so that what was hidden while the keys were listed is not taken for missing.
        let has_canary = slot.shows_canary(canary)?;
        let damaged_count = info.damaged.len();
        Ok(Look { label: info.label, serial: info.serial, has_canary, keys, damaged_count })
    }

    /// How many private keys it shows.
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
    #[error(
        "the token does not show the object that was made in it to tell that it shows what it holds"
    )]
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
    if !looks.iter().all(|look| look.has_canary) {
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
    use crate::slot::{GenerateRequest, TokenInfo, random_key_id};
    use dnssec::Algorithm;

    fn key(name: &str) -> KeyId {
        KeyId::new(name.as_bytes()).unwrap()
    }

    fn look(serial: &str, keys: &[&str]) -> Look {
        Look {
            label: "Anchor".to_owned(),
            serial: serial.to_owned(),
            has_canary: true,
            keys: keys.iter().map(|name| key(name)).collect(),
            damaged_count: 0,
        }
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
        let good = look("1", &["other"]);
        check(&good, &good, Verdict::Missing);
        check(&good, &look("1", &["lost"]), Verdict::Present);
        check(&look("2", &["lost"]), &good, Verdict::Present);
        check(&good, &look("2", &["other"]), Verdict::Unknown(Doubt::OtherToken));
        let mute = Look { has_canary: false, ..good.clone() };
        check(&mute, &mute, Verdict::Unknown(Doubt::NoCanary));
        check(&good, &mute, Verdict::Unknown(Doubt::NoCanary));
        check(&good, &look("1", &[]), Verdict::Unknown(Doubt::Unsteady));
        let damaged = Look { damaged_count: 1, ..good.clone() };
        check(&damaged, &good, Verdict::Unknown(Doubt::Damaged));
    }

    #[test]
    fn a_token_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let unlock = Unlock::Pin("1234".into());
        let path = folder.path().join("keys");
        let token = BuiltinToken::create("main", &path, "Anchor", &unlock).unwrap();
        let (canary, id) = (random_key_id().unwrap(), random_key_id().unwrap());
        token.put_canary(&canary).unwrap();
        let request = GenerateRequest::new(id.clone(), Algorithm::EcdsaP256Sha256);
        token.generate(&request).unwrap();
        let TokenInfo { label, serial, .. } = token.info().unwrap();
        let identity = TokenIdentity { label, serial, canary: canary.clone() };
        let look = Look::at(&token, &canary).unwrap();
        assert_eq!(look.key_count(), 1);
        assert_eq!(judge(&key("lost"), &identity, [&look, &look]), Verdict::Missing);
        assert_eq!(judge(&id, &identity, [&look, &look]), Verdict::Present);
        std::fs::remove_file(path.join("token")).unwrap();
        let look = Look::at(&token, &canary).unwrap();
        let verdict = judge(&key("lost"), &identity, [&look, &look]);
        assert_eq!(verdict, Verdict::Unknown(Doubt::NoCanary));
    }
}
