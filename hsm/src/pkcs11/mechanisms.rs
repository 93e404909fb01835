//! Which mechanisms a token may sign with, for each algorithm (rule HSM-8). PKCS#11 v3.1 §6.1.6,
//! §6.3.12, §6.3.14. In: the token's own list, and what a trial has found out before. Out: a
//! mechanism, and whether it takes a hash or the whole message. A list that cannot be read is no
//! reason to refuse: the usual mechanisms are tried then, and the verification of every signature
//! says whether they were right.
//! Vendors' own numbers are in [`candidates`]; one is only used where the token lists it.

use crate::error::{Cause, Place, SlotError};
use crate::protocol::SigningForm;
use crate::slot::MechanismChoice;
use cryptoki::context::Pkcs11;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::vendor_defined::VendorDefinedMechanism;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::slot::Slot;
use dnssec::Algorithm;

/// Thales Luna before PKCS#11 3.0: CKM_EDDSA as CKM_VENDOR_DEFINED + 0xC03.
const LUNA_EDDSA: u64 = 0x8000_0c03;
/// The same, as NaCl signs.
const LUNA_EDDSA_NACL: u64 = 0x8000_0c02;

/// What a token can sign with.
#[derive(Clone, Debug)]
pub(super) struct Mechanisms {
    /// `None` when the token does not tell.
    listed: Option<Vec<MechanismType>>,
    /// Found out by trying.
    chosen: Vec<MechanismChoice>,
}

/// A mechanism that may be right for an algorithm.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) algorithm: Algorithm,
    pub(super) mechanism: Mechanism<'static>,
    /// What it takes.
    pub(super) form: SigningForm,
}

impl Candidate {
    /// Its number.
    pub(super) fn number(&self) -> u64 {
        *self.mechanism.mechanism_type()
    }
}

impl Mechanisms {
    /// Asks the token.
    pub(super) fn read(context: &Pkcs11, slot: Slot, chosen: &[MechanismChoice]) -> Mechanisms {
        let listed = context.get_mechanism_list(slot).ok().filter(|list| !list.is_empty());
        Mechanisms { listed, chosen: chosen.to_vec() }
    }

    /// The mechanism for an algorithm, or the error that it is missing.
    pub(super) fn choose(
        &self,
        place: &Place,
        algorithm: Algorithm,
    ) -> Result<Candidate, SlotError> {
        self.first(algorithm).ok_or_else(|| SlotError::AlgorithmUnavailable {
            place: place.clone(),
            algorithm,
            cause: Cause::of(format_args!(
                "the token's list of mechanisms lacks {}",
                usual(algorithm).mechanism_type()
            )),
        })
    }

    fn first(&self, algorithm: Algorithm) -> Option<Candidate> {
        self.chosen(algorithm).or_else(|| self.possible(algorithm).into_iter().next())
    }

    /// What a trial has found out for this algorithm.
    pub(super) fn chosen(&self, algorithm: Algorithm) -> Option<Candidate> {
        let choice = self.chosen.iter().find(|choice| choice.algorithm == algorithm)?;
        let mut all = candidates(algorithm).into_iter();
        all.find(|candidate| candidate.number() == choice.mechanism)
    }

    /// The mechanisms that the token lists for an algorithm, the best one first; those of the
    /// standard where it lists nothing at all.
    pub(super) fn possible(&self, algorithm: Algorithm) -> Vec<Candidate> {
        let mut all = candidates(algorithm);
        all.retain(|candidate| match &self.listed {
            Some(listed) => listed.contains(&candidate.mechanism.mechanism_type()),
            None => candidate.number() < cryptoki_sys::CKM_VENDOR_DEFINED,
        });
        all
    }

    /// Algorithms that want whole messages.
    pub(super) fn whole_messages(&self) -> Vec<Algorithm> {
        let is_whole = |algorithm: &Algorithm| {
            let first = self.first(*algorithm);
            first.is_some_and(|candidate| candidate.form == SigningForm::Message)
        };
        (0..=u8::MAX).filter_map(Algorithm::from_number).filter(is_whole).collect()
    }
}

/// Every mechanism for an algorithm, the best one first: what takes a hash, as short messages
/// travel faster and vendors agree on it; vendors' own; what hashes in the token.
fn candidates(algorithm: Algorithm) -> Vec<Candidate> {
    let raw = |mechanism| Candidate { algorithm, mechanism, form: SigningForm::Raw };
    let mut all = vec![raw(usual(algorithm))];
    if algorithm == Algorithm::Ed25519 {
        let vendors = [LUNA_EDDSA, LUNA_EDDSA_NACL].into_iter().filter_map(vendor);
        all.extend(vendors.map(raw));
    }
    if let Some(mechanism) = hashing(algorithm) {
        all.push(Candidate { algorithm, mechanism, form: SigningForm::Message });
    }
    all
}

/// A vendor's own mechanism without parameters; `None` for a number that is the standard's.
fn vendor(number: u64) -> Option<Mechanism<'static>> {
    let kind = MechanismType::new_vendor_defined(number).ok()?;
    Some(Mechanism::VendorDefined(VendorDefinedMechanism::new::<u8>(kind, None)))
}

/// Number of the mechanism that takes what is hashed already.
pub(crate) fn usual_mechanism(algorithm: Algorithm) -> u64 {
    *usual(algorithm).mechanism_type()
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

    fn mechanisms(listed: Option<&[MechanismType]>, chosen: &[MechanismChoice]) -> Mechanisms {
        Mechanisms { listed: listed.map(<[_]>::to_vec), chosen: chosen.to_vec() }
    }

    #[track_caller]
    fn check(listed: &[MechanismType], algorithm: Algorithm, expected: Option<MechanismType>) {
        let mechanisms = mechanisms(Some(listed), &[]);
        let chosen = mechanisms.choose(&place(), algorithm).ok();
        assert_eq!(chosen.as_ref().map(|one| one.mechanism.mechanism_type()), expected);
        let is_whole = chosen.is_some_and(|one| one.form == SigningForm::Message);
        assert_eq!(mechanisms.whole_messages().contains(&algorithm), is_whole);
    }

    #[test]
    fn mechanisms_rule_hsm_8() {
        let (raw, hashing) = (MechanismType::RSA_PKCS, MechanismType::SHA256_RSA_PKCS);
        let luna = MechanismType::new_vendor_defined(LUNA_EDDSA).unwrap();
        check(&[raw, hashing], Algorithm::RsaSha256, Some(raw));
        check(&[hashing], Algorithm::RsaSha256, Some(hashing));
        check(&[hashing], Algorithm::RsaSha512, None);
        check(&[raw], Algorithm::Ed25519, None);
        check(&[luna], Algorithm::Ed25519, Some(luna));
        check(&[luna, MechanismType::EDDSA], Algorithm::Ed25519, Some(MechanismType::EDDSA));
        let silent = mechanisms(None, &[]);
        let usual = silent.choose(&place(), Algorithm::Ed25519).unwrap();
        assert_eq!(usual.mechanism.mechanism_type(), MechanismType::EDDSA);
        assert!(silent.whole_messages().is_empty());
    }

    #[test]
    fn what_a_trial_has_found_out_comes_first() {
        let algorithm = Algorithm::RsaSha256;
        let hashing = MechanismType::SHA256_RSA_PKCS;
        let chosen = [MechanismChoice { algorithm, mechanism: *hashing }];
        let mechanisms = mechanisms(Some(&[MechanismType::RSA_PKCS, hashing]), &chosen);
        let choice = mechanisms.choose(&place(), algorithm).unwrap();
        assert_eq!(choice.mechanism.mechanism_type(), hashing);
        assert_eq!(mechanisms.whole_messages(), [algorithm]);
    }

    #[test]
    fn missing_mechanism_is_named() {
        let mechanisms = mechanisms(Some(&[MechanismType::RSA_PKCS]), &[]);
        let error = mechanisms.choose(&place(), Algorithm::Ed25519).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("EDDSA") && text.contains("Anchor"), "{text}");
    }
}
