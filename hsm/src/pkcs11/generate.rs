//! Making a key pair in a PKCS#11 token. PKCS#11 v3.1 §5.18.4 (C_GenerateKeyPair); rule HSM-9.
//! The id is looked for first: tokens accept two pairs with one CKA_ID. A session that is lost
//! while the token generates is *not* repeated, since the pair may exist; the caller, who saved
//! the id before, looks for it.

use super::fault::{CallFault, return_value, to_slot_error};
use super::objects::{self, NewKey};
use super::{Lease, Pkcs11Slot, Sessions};
use crate::error::{Cause, SlotError};
use crate::slot::GenerateRequest;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use std::sync::PoisonError;

/// Shortest RSA modulus when deprecated keys are allowed, in bits.
const DEPRECATED_RSA_BITS_MIN: u16 = 1024;

impl Pkcs11Slot {
    pub(super) fn generate_key(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.check_request(request)?;
        let new = NewKey {
            id: &request.id,
            algorithm: request.algorithm,
            rsa_bits: request.rsa_bits,
            allow_extraction: self.settings.allow_extraction,
            keep_public: !(self.settings.skip_public_key && request.algorithm.is_rsa()),
        };
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &self.sessions.place;
        self.call("C_FindObjects", |lease| self.check_free(lease, new.id))?;
        self.call_once("C_GenerateKeyPair", |lease| {
            let (public, private) = generate_pair(lease, &new)
                .map_err(|error| generate_fault(&self.sessions, request, error))?;
            if let Some(surprise) = new.surprise(lease, private)? {
                destroy(lease, &[public, private])?;
                let (place, key) = (place.clone(), new.id.clone());
                return Err(SlotError::GenerateSurprise { place, key, surprise }.into());
            }
            let key = match self.check_new(lease, &new, public, private) {
                // What cannot be found again, or does not fit, is of no use to anybody. What the
                // token says to this is less than what it said before.
                Err(CallFault::Slot(error)) => {
                    let _ = destroy(lease, &[public, private]);
                    return Err(error.into());
                }
                // A call failed, which says nothing of the pair: the caller looks for it.
                checked => checked?,
            };
            if !new.keep_public {
                destroy(lease, &[public])?;
            }
            self.add_witness(new.id);
            Ok(key)
        })
    }

    /// The public half of a new pair, once it is sure that the pair is what was asked for: the
    /// only one with its id, and its halves fit.
    fn check_new(
        &self,
        lease: &Lease,
        new: &NewKey,
        public: ObjectHandle,
        private: ObjectHandle,
    ) -> Result<PublicKey, CallFault> {
        let place = &self.sessions.place;
        match objects::find(lease, ObjectClass::PRIVATE_KEY, new.id)?.len() {
            1 => {}
            // A token that does not show what it has just made may have hidden another as well,
            // unless the login has gone meanwhile.
            0 => {
                self.sessions.check_login(lease)?;
                let (place, key) = (place.clone(), new.id.clone());
                let cause = Cause::of("the token does not show the key that it has made");
                return Err(SlotError::GenerateFailed { place, key, cause }.into());
            }
            _ => {
                let (place, key) = (place.clone(), new.id.clone());
                return Err(SlotError::KeyExists { place, key }.into());
            }
        }
        let bytes = objects::read_public(lease, public, new.algorithm)?;
        let bytes = bytes.ok_or_else(|| SlotError::PublicKeyUnavailable {
            place: place.clone(),
            key: new.id.clone(),
            cause: Cause::of("the new public object lacks the key's numbers"),
        })?;
        let key = PublicKey { algorithm: new.algorithm, bytes };
        self.prove(lease, new.id, private, &key)?;
        Ok(key)
    }

    /// Refuses an id that is taken, and a key for which there is no room.
    pub(super) fn check_free(&self, session: &Session, id: &KeyId) -> Result<(), CallFault> {
        self.sessions.check_login(session)?;
        self.check_witnesses(session)?;
        self.check_capacity(session, id)?;
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if !objects::find(session, class, id)?.is_empty() {
                let (place, key) = (self.sessions.place.clone(), id.clone());
                return Err(SlotError::KeyExists { place, key }.into());
            }
        }
        Ok(())
    }

    /// Refuses a key beyond the capacity that the settings name (rule HSM-11).
    fn check_capacity(&self, session: &Session, key: &KeyId) -> Result<(), CallFault> {
        let Some(capacity) = self.sessions.options().capacity else { return Ok(()) };
        let count = objects::find_all_private(session)?.len();
        if count < capacity {
            return Ok(());
        }
        let (place, key) = (self.sessions.place.clone(), key.clone());
        let cause = Cause::of(format_args!("{count} private keys, the capacity is {capacity}"));
        Err(SlotError::TokenFull { place, key, cause }.into())
    }

    fn check_request(&self, request: &GenerateRequest) -> Result<(), SlotError> {
        let GenerateRequest { algorithm, rsa_bits, allow_deprecated, .. } = *request;
        let place = self.sessions.place.clone();
        if algorithm == Algorithm::Ed448 {
            return Err(self.no_ed448());
        }
        if algorithm.is_deprecated() && !allow_deprecated {
            return Err(SlotError::AlgorithmDeprecated { place, algorithm });
        }
        let minimum =
            if allow_deprecated { DEPRECATED_RSA_BITS_MIN } else { GenerateRequest::RSA_BITS_MIN };
        if algorithm.is_rsa() && !(minimum..=GenerateRequest::RSA_BITS_MAX).contains(&rsa_bits) {
            let maximum = GenerateRequest::RSA_BITS_MAX;
            let cause = Cause::of(format_args!("{minimum} to {maximum} bits are allowed"));
            return Err(SlotError::KeyLengthRefused { place, algorithm, bits: rsa_bits, cause });
        }
        Ok(())
    }
}

/// Tries each form of the curve's name, each with the full and then with the minimal template.
fn generate_pair(session: &Session, new: &NewKey) -> Result<(ObjectHandle, ObjectHandle), Error> {
    let mechanism = match new.algorithm {
        Algorithm::EcdsaP256Sha256 | Algorithm::EcdsaP384Sha384 => Mechanism::EccKeyPairGen,
        Algorithm::Ed25519 | Algorithm::Ed448 => Mechanism::EccEdwardsKeyPairGen,
        _ => Mechanism::RsaPkcsKeyPairGen,
    };
    let mut refusal = Error::NotSupported;
    for parameters in new.parameter_forms() {
        for minimal in [false, true] {
            let public = new.public_template(parameters, minimal);
            let private = new.private_template(minimal);
            match session.generate_key_pair(&mechanism, &public, &private) {
                Err(error) if is_template_refusal(&error) => refusal = error,
                result => return result,
            }
        }
    }
    Err(refusal)
}

pub(super) fn is_template_refusal(error: &Error) -> bool {
    matches!(
        return_value(error),
        Some(
            RvError::TemplateInconsistent
                | RvError::TemplateIncomplete
                | RvError::AttributeTypeInvalid
                | RvError::AttributeValueInvalid
                | RvError::AttributeReadOnly
                | RvError::DomainParamsInvalid
                | RvError::CurveNotSupported
        )
    )
}

fn generate_fault(sessions: &Sessions, request: &GenerateRequest, error: Error) -> CallFault {
    let place = sessions.place.clone();
    let cause = Cause::of(&error);
    let algorithm = request.algorithm;
    let length_refused = |cause| {
        let place = sessions.place.clone();
        SlotError::KeyLengthRefused { place, algorithm, bits: request.rsa_bits, cause }
    };
    let refused = match return_value(&error) {
        Some(RvError::KeySizeRange) => length_refused(cause),
        // Of the values in the templates of an RSA key only its length varies.
        Some(RvError::AttributeValueInvalid) if algorithm.is_rsa() => length_refused(cause),
        Some(
            RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::FunctionNotSupported
            | RvError::CurveNotSupported
            | RvError::DomainParamsInvalid,
        ) => SlotError::AlgorithmUnavailable { place, algorithm, cause },
        Some(RvError::DeviceMemory) => {
            SlotError::TokenFull { place, key: request.id.clone(), cause }
        }
        // Session faults are the caller's to see, so that the session is renewed.
        _ => match to_slot_error(&sessions.place, "C_GenerateKeyPair", &error) {
            SlotError::ModuleFault { .. } => {
                SlotError::GenerateFailed { place, key: request.id.clone(), cause }
            }
            _ => return error.into(),
        },
    };
    refused.into()
}

pub(super) fn destroy(session: &Session, handles: &[ObjectHandle]) -> Result<(), Error> {
    handles.iter().try_for_each(|handle| session.destroy_object(*handle))
}
