//! A key of one PKCS#11 token into another one, without ever being in clear outside of the two.
//! PKCS#11 v3.1 §5.18.5 (C_WrapKey), §5.18.6 (C_UnwrapKey); RFC 5649 (AES key wrap with padding),
//! RFC 8017 §7.1 (OAEP). The receiver makes an RSA pair for this one time, the sender an AES key;
//! the RSA key wraps the AES key and that wraps the private key, as CKM_RSA_AES_KEY_WRAP does in
//! one step, which SoftHSM and older modules lack.
//! In: two open tokens; the key has to be extractable, so made with `<AllowExtraction/>`. Out: the
//! same key under the same id, once the receiver has signed with it.
//! Never: keys of transport that outlive the call; they are session objects and are destroyed.

use super::generate::destroy;
use super::import::{algorithm_of, public_template, refused_copy, refused_import};
use super::objects::{self, NewKey};
use super::{Lease, Pkcs11Slot};
use crate::error::{Cause, SlotError};
use crate::pkcs11::fault::CallFault;
use cryptoki::error::Error;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use dnssec::key::{KeyId, PublicKey};
use std::sync::PoisonError;

/// Length of the RSA key of transport, in bits.
const TRANSPORT_RSA_BITS: u64 = 3072;
/// Length of the AES key of transport, in bytes.
const TRANSPORT_AES_BYTES: u64 = 32;

/// What travels between the tokens.
struct Wrapped {
    aes: Vec<u8>,
    key: Vec<u8>,
}

impl Pkcs11Slot {
    /// Puts a key of this token into another token, where its id has to be free.
    pub(super) fn replicate_to(&self, to: &Pkcs11Slot, id: &KeyId) -> Result<(), SlotError> {
        let public = self.call("C_FindObjects", |lease| {
            let private = self.find_private(lease, id)?;
            let (kind, _) = objects::kind_and_bits(lease, private)?;
            let cause = || Cause::of("nothing here verifies signatures of this kind of key");
            let algorithm = algorithm_of(kind).ok_or_else(|| refused_copy(self, id, cause()))?;
            let place = &self.sessions.place;
            let public = objects::public_key(lease, place, id, private, algorithm)?;
            self.prove(lease, id, private, &public)?;
            Ok(public)
        })?;
        let _changing = to.changing.lock().unwrap_or_else(PoisonError::into_inner);
        to.call("C_FindObjects", |lease| to.check_free(lease, id))?;
        to.call_once("C_UnwrapKey", |lease| {
            let pair =
                transport_pair(lease).map_err(|error| to.refusal(error, id, refused_import))?;
            let received = to.receive(lease, self, pair, id, &public);
            // Session objects: what is not destroyed here ends with the session.
            let _ = destroy(lease, &pair);
            received
        })
    }

    /// Takes the key from `from`, which wraps it for the pair (public half, private half).
    fn receive(
        &self,
        lease: &Lease,
        from: &Pkcs11Slot,
        [transport, secret]: [ObjectHandle; 2],
        id: &KeyId,
        public: &PublicKey,
    ) -> Result<(), CallFault> {
        let numbers = lease
            .get_attributes(transport, &[AttributeType::Modulus, AttributeType::PublicExponent])?;
        let wrapped = from.call_once("C_WrapKey", |sender| from.wrap(sender, &numbers, id))?;
        let new = NewKey {
            id,
            algorithm: public.algorithm,
            rsa_bits: 0,
            allow_extraction: self.settings.allow_extraction,
            keep_public: !(self.settings.skip_public_key && public.algorithm.is_rsa()),
        };
        let made = unwrap(lease, secret, &wrapped, &new, public)
            .map_err(|error| self.refusal(error, id, refused_import))?;
        self.check_made(lease, &made, |private| {
            if let Some(surprise) = new.surprise(lease, private)? {
                let (place, key) = (self.sessions.place.clone(), id.clone());
                return Err(SlotError::GenerateSurprise { place, key, surprise }.into());
            }
            self.check_fits(lease, id, private, public)
        })?;
        self.add_witness(id);
        Ok(())
    }

    /// The key, wrapped for the RSA key with these numbers.
    fn wrap(&self, lease: &Lease, numbers: &[Attribute], id: &KeyId) -> Result<Wrapped, CallFault> {
        let private = self.find_private(lease, id)?;
        let mut made = Vec::new();
        let wrapped = wrap_for(lease, numbers, private, &mut made);
        let _ = destroy(lease, &made);
        wrapped.map_err(|error| self.refusal(error, id, refused_copy))
    }
}

/// OAEP with SHA-1 and no label: the form that every module has, and as safe as with SHA-256.
fn oaep() -> Mechanism<'static> {
    let source = PkcsOaepSource::empty();
    PkcsOaepParams::new(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, source).into()
}

/// An RSA pair for one time: public half, private half.
fn transport_pair(lease: &Lease) -> Result<[ObjectHandle; 2], Error> {
    let public = [
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::ModulusBits(Ulong::new(TRANSPORT_RSA_BITS)),
        Attribute::PublicExponent(vec![1, 0, 1]),
    ];
    let private = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    let (public, private) =
        lease.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
    Ok([public, private])
}

/// Wraps; what was made on the way is in `made`.
fn wrap_for(
    lease: &Lease,
    numbers: &[Attribute],
    private: ObjectHandle,
    made: &mut Vec<ObjectHandle>,
) -> Result<Wrapped, Error> {
    let mut template = vec![
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Wrap(true),
    ];
    template.extend_from_slice(numbers);
    let transport = lease.create_object(&template)?;
    made.push(transport);
    let template = [
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(true),
        Attribute::Wrap(true),
        Attribute::ValueLen(Ulong::new(TRANSPORT_AES_BYTES)),
    ];
    let aes = lease.generate_key(&Mechanism::AesKeyGen, &template)?;
    made.push(aes);
    let key = lease.wrap_key(&Mechanism::AesKeyWrapPad, aes, private)?;
    Ok(Wrapped { aes: lease.wrap_key(&oaep(), transport, aes)?, key })
}

/// Unwraps the key, and puts its public half beside it where that stays. The private object comes
/// first in what is returned.
fn unwrap(
    lease: &Lease,
    secret: ObjectHandle,
    wrapped: &Wrapped,
    new: &NewKey,
    public: &PublicKey,
) -> Result<Vec<ObjectHandle>, Error> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    let aes = lease.unwrap_key(&oaep(), secret, &wrapped.aes, &template)?;
    let mut template = new.private_template(false);
    template.extend([
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        super::import::key_type(new.algorithm),
    ]);
    let private = lease.unwrap_key(&Mechanism::AesKeyWrapPad, aes, &wrapped.key, &template);
    let _ = destroy(lease, &[aes]);
    let mut made = vec![private?];
    let forms = if new.keep_public { new.parameter_forms() } else { &[] };
    for (position, parameters) in forms.iter().enumerate() {
        match lease.create_object(&public_template(new, public, parameters)) {
            Ok(handle) => {
                made.push(handle);
                break;
            }
            Err(error) if position + 1 == forms.len() => {
                let _ = destroy(lease, &made);
                return Err(error);
            }
            Err(_) => {}
        }
    }
    Ok(made)
}
