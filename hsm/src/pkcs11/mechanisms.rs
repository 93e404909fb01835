//! Which mechanism a token signs with, for each algorithm (rule HSM-8). PKCS#11 v3.1 §6.1.6,
//! §6.3.12, §6.3.14. In: the token's own list. Out: a mechanism, and whether it takes a hash or the
//! whole message. A list that cannot be read is no reason to refuse: the usual mechanisms are
//! tried then, and the verification of every signature says whether they were right.

use crate::error::{Cause, Place, SlotError};
use crate::protocol::SigningForm;
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::slot::Slot;
use dnssec::Algorithm;

/// What a token can sign with.
#[derive(Clone, Debug)]
pub(super) struct Mechanisms {
    /// `None` when the token does not tell.
    listed: Option<Vec<MechanismType>>,
}

impl Mechanisms {
    /// Asks the token.
    pub(super) fn read(context: &Pkcs11, slot: Slot) -> Mechanisms {
        let listed = context.get_mechanism_list(slot).ok().filter(|list| !list.is_empty());
        Mechanisms { listed }
    }

    /// The mechanism for an algorithm, or the error that it is missing.
    pub(super) fn choose(
        &self,
        place: &Place,
        algorithm: Algorithm,
    ) -> Result<Mechanism<'static>, SlotError> {
        if self.has(usual(algorithm).mechanism_type()) {
            return Ok(usual(algorithm));
        }
        if let Some(whole) = hashing(algorithm).filter(|one| self.has(one.mechanism_type())) {
            return Ok(whole);
        }
        Err(SlotError::AlgorithmUnavailable {
            place: place.clone(),
            algorithm,
            cause: Cause::of(format_args!(
                "the token's list of mechanisms lacks {}",
                usual(algorithm).mechanism_type()
            )),
        })
    }

    /// How an algorithm's inputs have to look.
    pub(super) fn form(&self, algorithm: Algorithm) -> SigningForm {
        let is_whole = !self.has(usual(algorithm).mechanism_type())
            && hashing(algorithm).is_some_and(|one| self.has(one.mechanism_type()));
        if is_whole { SigningForm::Message } else { SigningForm::Raw }
    }

    /// Algorithms that want whole messages.
    pub(super) fn whole_messages(&self) -> Vec<Algorithm> {
        let all = (0..=u8::MAX).filter_map(Algorithm::from_number);
        all.filter(|algorithm| self.form(*algorithm) == SigningForm::Message).collect()
    }

    fn has(&self, wanted: MechanismType) -> bool {
        self.listed.as_ref().is_none_or(|listed| listed.contains(&wanted))
    }
}

/// The mechanism that takes what is hashed already.
fn usual(algorithm: Algorithm) -> Mechanism<'static> {
    match algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => Mechanism::Ecdsa,
        Algorithm::Ed25519 | Algorithm::Ed448 => {
            Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure))
        }
        _ => Mechanism::RsaPkcs,
    }
}

/// The mechanism that hashes in the token, where there is one.
fn hashing(algorithm: Algorithm) -> Option<Mechanism<'static>> {
    match algorithm {
        Algorithm::RsaSha1 | Algorithm::RsaSha1Nsec3Sha1 => Some(Mechanism::Sha1RsaPkcs),
        Algorithm::RsaSha256 => Some(Mechanism::Sha256RsaPkcs),
        Algorithm::RsaSha512 => Some(Mechanism::Sha512RsaPkcs),
        Algorithm::EcdsaP256Sha256 => Some(Mechanism::EcdsaSha256),
        Algorithm::EcdsaP384Sha384 => Some(Mechanism::EcdsaSha384),
        Algorithm::Ed25519 | Algorithm::Ed448 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { repository: "main".to_owned(), token: "Anchor".to_owned() }
    }

    #[track_caller]
    fn check(listed: &[MechanismType], algorithm: Algorithm, expected: Option<MechanismType>) {
        let mechanisms = Mechanisms { listed: Some(listed.to_vec()) };
        let chosen = mechanisms.choose(&place(), algorithm);
        assert_eq!(chosen.as_ref().ok().map(Mechanism::mechanism_type), expected);
        let is_whole = expected.is_some_and(|one| one != usual(algorithm).mechanism_type());
        assert_eq!(mechanisms.form(algorithm) == SigningForm::Message, is_whole);
    }

    #[test]
    fn mechanisms_rule_hsm_8() {
        let (raw, hashing) = (MechanismType::RSA_PKCS, MechanismType::SHA256_RSA_PKCS);
        check(&[raw, hashing], Algorithm::RsaSha256, Some(raw));
        check(&[hashing], Algorithm::RsaSha256, Some(hashing));
        check(&[hashing], Algorithm::RsaSha512, None);
        check(&[raw], Algorithm::Ed25519, None);
        check(&[MechanismType::EDDSA], Algorithm::Ed25519, Some(MechanismType::EDDSA));
        let silent = Mechanisms { listed: None };
        assert!(silent.choose(&place(), Algorithm::Ed25519).is_ok());
        assert!(silent.whole_messages().is_empty());
    }

    #[test]
    fn missing_mechanism_is_named() {
        let mechanisms = Mechanisms { listed: Some(vec![MechanismType::RSA_PKCS]) };
        let error = mechanisms.choose(&place(), Algorithm::Ed25519).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("EDDSA") && text.contains("Anchor"), "{text}");
    }
}
