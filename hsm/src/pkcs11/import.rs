//! Keys into a PKCS#11 token that it has not made: from PKCS#8, and as a copy of one of its own.
//! PKCS#11 v3.1 §5.7.1 (C_CreateObject), §5.7.2 (C_CopyObject); rules HSM-2, HSM-9.
//! In: a private key in memory that is wiped. Out: its public half, once the token has signed with
//! it. What is not as it has to be is destroyed again. A public object is made where the private
//! one lacks the key's numbers (curves), and otherwise unless `<SkipPublicKey/>` says no.
//! Never: a private object that is readable in clear, or extractable beyond `<AllowExtraction/>`.

use super::fault::{CallFault, return_value};
use super::generate::{destroy, is_template_refusal};
use super::objects::{self, NewKey};
use super::{Lease, Pkcs11Slot};
use crate::error::{Cause, SlotError};
use crate::import::{Numbers, numbers};
use crate::public;
use crate::slot::KeyKind;
use crate::transfer::KeyTransfer;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use std::sync::PoisonError;
use zeroize::Zeroize;

impl KeyTransfer for Pkcs11Slot {
    fn import(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        pkcs8: &[u8],
    ) -> Result<PublicKey, SlotError> {
        let place = &self.sessions.place;
        let rejected = |cause| {
            let (place, key) = (place.clone(), id.clone());
            SlotError::KeyRejected { place, key, cause }
        };
        let expected = crate::builtin::public_half(algorithm, pkcs8).map_err(rejected)?;
        let numbers = numbers(algorithm, pkcs8)
            .ok_or_else(|| rejected(Cause::of("its numbers cannot be told apart")))?;
        let new = NewKey {
            id,
            algorithm,
            rsa_bits: 0,
            allow_extraction: self.settings.allow_extraction,
            keep_public: !(self.settings.skip_public_key && algorithm.is_rsa()),
        };
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.call("C_FindObjects", |lease| self.check_free(lease, id))?;
        self.call_once("C_CreateObject", |lease| {
            let made = create(lease, &new, &numbers, &expected)
                .map_err(|error| self.refusal(error, id, refused_import))?;
            self.check_made(lease, &made, |private| {
                if let Some(surprise) = new.surprise(lease, private)? {
                    let (place, key) = (place.clone(), id.clone());
                    return Err(SlotError::GenerateSurprise { place, key, surprise }.into());
                }
                self.check_fits(lease, id, private, &expected)
            })?;
            self.add_witness(id);
            Ok(())
        })?;
        Ok(expected)
    }

    fn replicate(&self, id: &KeyId, to: &dyn KeyTransfer) -> Result<(), SlotError> {
        match to.as_pkcs11() {
            Some(to) => self.replicate_to(to, id),
            None => {
                let cause = Cause::of("it can be wrapped for another PKCS#11 token only");
                Err(refused_copy(self, id, cause))
            }
        }
    }

    fn as_pkcs11(&self) -> Option<&Pkcs11Slot> {
        Some(self)
    }

    fn copy(&self, id: &KeyId, new: &KeyId) -> Result<(), SlotError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.call("C_FindObjects", |lease| self.check_free(lease, new))?;
        self.call_once("C_CopyObject", |lease| {
            let private = self.find_private(lease, id)?;
            let publics = objects::find(lease, ObjectClass::PUBLIC_KEY, id)?;
            let before = protection(lease, private)?;
            let made = copy_all(lease, private, &publics, new)
                .map_err(|error| self.refusal(error, id, refused_copy))?;
            self.check_made(lease, &made, |copy| {
                if protection(lease, copy)? != before {
                    let (place, key) = (self.sessions.place.clone(), new.clone());
                    let surprise = "with another protection than the original has";
                    return Err(SlotError::GenerateSurprise { place, key, surprise }.into());
                }
                let (kind, _) = objects::kind_and_bits(lease, private)?;
                let Some(algorithm) = algorithm_of(kind) else { return Ok(()) };
                let place = &self.sessions.place;
                let expected = objects::public_key(lease, place, id, private, algorithm)?;
                self.check_fits(lease, new, copy, &expected)
            })
        })
    }
}

impl Pkcs11Slot {
    /// Looks at new objects, of which the first is the private one; destroys them all when they
    /// are not as they have to be. What the token says to that is less than what was wrong before.
    pub(super) fn check_made(
        &self,
        lease: &Lease,
        made: &[ObjectHandle],
        check: impl FnOnce(ObjectHandle) -> Result<(), CallFault>,
    ) -> Result<(), CallFault> {
        let checked = made.first().map_or(Ok(()), |private| check(*private));
        if checked.is_err() {
            let _ = destroy(lease, made);
        }
        checked
    }

    /// Whether the new key is the only one with its id, shows this public half, and signs with it.
    pub(super) fn check_fits(
        &self,
        lease: &Lease,
        id: &KeyId,
        private: ObjectHandle,
        expected: &PublicKey,
    ) -> Result<(), CallFault> {
        let place = &self.sessions.place;
        let key = || id.clone();
        let found = objects::find(lease, ObjectClass::PRIVATE_KEY, id)?.len();
        if found > 1 {
            return Err(SlotError::KeyExists { place: place.clone(), key: key() }.into());
        }
        let shown = objects::public_key(lease, place, id, private, expected.algorithm)?;
        if found == 0 || shown != *expected {
            let cause = Cause::of("the token does not show the key that it was given");
            let (place, key) = (place.clone(), key());
            return Err(SlotError::PublicKeyUnavailable { place, key, cause }.into());
        }
        self.prove(lease, id, private, expected)
    }

    /// The token's no, as what it says about the key; faults of session and token stay theirs.
    pub(super) fn refusal(
        &self,
        error: Error,
        id: &KeyId,
        refused: fn(&Pkcs11Slot, &KeyId, Cause) -> SlotError,
    ) -> CallFault {
        let (place, key, cause) = (self.sessions.place.clone(), id.clone(), Cause::of(&error));
        match return_value(&error) {
            Some(RvError::DeviceMemory) => SlotError::TokenFull { place, key, cause }.into(),
            Some(
                RvError::ActionProhibited
                | RvError::FunctionNotSupported
                | RvError::KeySizeRange
                | RvError::KeyNotWrappable
                | RvError::KeyUnextractable
                | RvError::MechanismInvalid
                | RvError::MechanismParamInvalid
                | RvError::WrappedKeyInvalid
                | RvError::KeyFunctionNotPermitted
                | RvError::SessionReadOnly
                | RvError::TokenWriteProtected,
            ) => refused(self, id, cause).into(),
            _ if is_template_refusal(&error) => refused(self, id, cause).into(),
            _ => error.into(),
        }
    }
}

pub(super) fn refused_import(slot: &Pkcs11Slot, key: &KeyId, cause: Cause) -> SlotError {
    SlotError::ImportRefused { place: slot.sessions.place.clone(), key: key.clone(), cause }
}

pub(super) fn refused_copy(slot: &Pkcs11Slot, key: &KeyId, cause: Cause) -> SlotError {
    SlotError::CopyRefused { place: slot.sessions.place.clone(), key: key.clone(), cause }
}

/// Attributes with a private key in them, wiped at the end.
struct SecretTemplate(Vec<Attribute>);

impl Drop for SecretTemplate {
    fn drop(&mut self) {
        for attribute in &mut self.0 {
            if let Attribute::PrivateExponent(bytes)
            | Attribute::Prime1(bytes)
            | Attribute::Prime2(bytes)
            | Attribute::Exponent1(bytes)
            | Attribute::Exponent2(bytes)
            | Attribute::Coefficient(bytes)
            | Attribute::Value(bytes) = attribute
            {
                bytes.zeroize();
            }
        }
    }
}

/// Makes the private object and, where it stays, the public one; tries each form of the curve's
/// name, each with the full and then with the minimal template. The private object comes first in
/// what is returned.
fn create(
    session: &Session,
    new: &NewKey,
    numbers: &Numbers,
    public: &PublicKey,
) -> Result<Vec<ObjectHandle>, Error> {
    let mut refusal = Error::NotSupported;
    for parameters in new.parameter_forms() {
        for minimal in [false, true] {
            let template = private_template(new, numbers, parameters, minimal);
            let private = match session.create_object(&template.0) {
                Err(error) if is_template_refusal(&error) => {
                    refusal = error;
                    continue;
                }
                result => result?,
            };
            if !new.keep_public {
                return Ok(vec![private]);
            }
            match session.create_object(&public_template(new, public, parameters)) {
                Ok(public) => return Ok(vec![private, public]),
                Err(error) => {
                    let _ = destroy(session, &[private]);
                    if !is_template_refusal(&error) {
                        return Err(error);
                    }
                    refusal = error;
                }
            }
        }
    }
    Err(refusal)
}

fn private_template(
    new: &NewKey,
    numbers: &Numbers,
    parameters: &[u8],
    minimal: bool,
) -> SecretTemplate {
    let mut template = new.private_template(minimal);
    template.extend([Attribute::Class(ObjectClass::PRIVATE_KEY), key_type(new.algorithm)]);
    match numbers {
        Numbers::Rsa([n, e, d, p, q, dp, dq, inverse]) => template.extend([
            Attribute::Modulus(n.to_vec()),
            Attribute::PublicExponent(e.to_vec()),
            Attribute::PrivateExponent(d.to_vec()),
            Attribute::Prime1(p.to_vec()),
            Attribute::Prime2(q.to_vec()),
            Attribute::Exponent1(dp.to_vec()),
            Attribute::Exponent2(dq.to_vec()),
            Attribute::Coefficient(inverse.to_vec()),
        ]),
        Numbers::Curve(value) => template
            .extend([Attribute::EcParams(parameters.to_vec()), Attribute::Value(value.to_vec())]),
    }
    SecretTemplate(template)
}

pub(super) fn public_template(
    new: &NewKey,
    public: &PublicKey,
    parameters: &[u8],
) -> Vec<Attribute> {
    let mut template = new.common_template(true);
    template.extend([
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        key_type(new.algorithm),
        Attribute::Verify(true),
    ]);
    match public::rsa_to_numbers(&public.bytes).filter(|_| new.algorithm.is_rsa()) {
        Some((modulus, exponent)) => template.extend([
            Attribute::Modulus(modulus.to_vec()),
            Attribute::PublicExponent(exponent.to_vec()),
        ]),
        None => template.extend([
            Attribute::EcParams(parameters.to_vec()),
            Attribute::EcPoint(public::point_in_der(new.algorithm, &public.bytes)),
        ]),
    }
    template
}

pub(super) fn key_type(algorithm: Algorithm) -> Attribute {
    Attribute::KeyType(match KeyKind::of(algorithm) {
        KeyKind::Rsa => KeyType::RSA,
        KeyKind::Ed25519 | KeyKind::Ed448 => KeyType::EC_EDWARDS,
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::Other => KeyType::EC,
    })
}

/// An algorithm that keys of this kind sign with; `None` where nothing here verifies that.
pub(super) fn algorithm_of(kind: KeyKind) -> Option<Algorithm> {
    match kind {
        KeyKind::Rsa => Some(Algorithm::RsaSha256),
        KeyKind::EcdsaP256 => Some(Algorithm::EcdsaP256Sha256),
        KeyKind::EcdsaP384 => Some(Algorithm::EcdsaP384Sha384),
        KeyKind::Ed25519 => Some(Algorithm::Ed25519),
        KeyKind::Ed448 | KeyKind::Other => None,
    }
}

/// Copies of all these objects under another id; none when one of them is refused.
fn copy_all(
    session: &Session,
    private: ObjectHandle,
    publics: &[ObjectHandle],
    new: &KeyId,
) -> Result<Vec<ObjectHandle>, Error> {
    let template =
        [Attribute::Id(new.as_bytes().to_vec()), Attribute::Label(new.to_string().into_bytes())];
    let mut made = Vec::new();
    for handle in std::iter::once(&private).chain(publics) {
        match session.copy_object(*handle, &template) {
            Ok(copy) => made.push(copy),
            Err(error) => {
                let _ = destroy(session, &made);
                return Err(error);
            }
        }
    }
    Ok(made)
}

/// What protects a private key: whether it is sensitive, and whether it is extractable.
fn protection(session: &Session, private: ObjectHandle) -> Result<[bool; 2], Error> {
    let wanted = [AttributeType::Sensitive, AttributeType::Extractable];
    // What a token does not tell counts as open.
    let (mut sensitive, mut extractable) = (false, true);
    for attribute in session.get_attributes(private, &wanted)? {
        match attribute {
            Attribute::Sensitive(value) => sensitive = value,
            Attribute::Extractable(value) => extractable = value,
            _ => {}
        }
    }
    Ok([sensitive, extractable])
}
