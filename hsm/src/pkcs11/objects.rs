//! Key objects in a token: searching, reading, and the templates of new ones.
//! PKCS#11 v3.1 §4.7 to §4.9 (key objects), §6.1 (RSA), §6.3 (elliptic curves); rules HSM-2,
//! HSM-9, HSM-10. Searches always name the class and the CKA_ID: by id alone the first hit may be
//! the public half.

use crate::error::{Cause, Place, SlotError};
use crate::pkcs11::fault::CallFault;
use crate::public;
use crate::slot::{KeyEntry, KeyKind};
use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use std::num::NonZeroUsize;

/// CKA_EC_PARAMS of P-256: its OID.
const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// CKA_EC_PARAMS of P-384: its OID.
const P384: &[u8] = &[6, 5, 0x2b, 0x81, 4, 0, 0x22];
/// CKA_EC_PARAMS of Ed25519 as a PrintableString, which SoftHSM and PKCS#11 3.0 want.
const ED25519_NAME: &[u8] = b"\x13\x0cedwards25519";
/// CKA_EC_PARAMS of Ed25519 as the OID of RFC 8410, which PKCS#11 3.1 modules want.
const ED25519_OID: &[u8] = &[6, 3, 0x2b, 0x65, 0x70];
/// The OID of Ed25519 that older modules use.
const ED25519_OLD_OID: &[u8] = &[6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1];
const ED448_NAME: &[u8] = b"\x13\x0aedwards448";
const ED448_OID: &[u8] = &[6, 3, 0x2b, 0x65, 0x71];
/// Public exponent of new RSA keys.
const EXPONENT_65537: [u8; 3] = [1, 0, 1];

/// Every object of a class with this id.
pub(super) fn find(
    session: &Session,
    class: ObjectClass,
    id: &KeyId,
) -> Result<Vec<ObjectHandle>, Error> {
    search(session, &[Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())])
}

/// Every private key.
pub(super) fn find_all_private(session: &Session) -> Result<Vec<ObjectHandle>, Error> {
    search(session, &[Attribute::Class(ObjectClass::PRIVATE_KEY)])
}

/// Every object that fits, once: a module that gives a handle twice has still one object there.
/// Handles are asked for one by one: a module may give fewer than there is room for, the search
/// ends with none (PKCS#11 v3.1 §5.7.8), and cryptoki takes a short answer for the end.
pub(super) fn search(
    session: &Session,
    template: &[Attribute],
) -> Result<Vec<ObjectHandle>, Error> {
    let found = session.iter_objects_with_cache_size(template, NonZeroUsize::MIN)?;
    let mut found = found.collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable_by_key(ObjectHandle::handle);
    found.dedup_by_key(|handle| handle.handle());
    Ok(found)
}

/// The one private key with this id. None or several is an error, never a proof of absence.
pub(super) fn find_private(
    session: &Session,
    place: &Place,
    id: &KeyId,
) -> Result<ObjectHandle, CallFault> {
    let found = find(session, ObjectClass::PRIVATE_KEY, id)?;
    let (place, key) = (place.clone(), id.clone());
    match found[..] {
        [handle] => Ok(handle),
        [] => Err(SlotError::NotFound { place, key }.into()),
        _ => Err(SlotError::KeyAmbiguous { place, key, count: found.len() }.into()),
    }
}

/// What the token says about a private key; `None` for an object without a usable id.
pub(super) fn describe(session: &Session, handle: ObjectHandle) -> Result<Option<KeyEntry>, Error> {
    let attributes = session.get_attributes(handle, &[AttributeType::Id, AttributeType::Label])?;
    let (mut id, mut label) = (None, String::new());
    for attribute in attributes {
        match attribute {
            Attribute::Id(bytes) => id = KeyId::new(&bytes),
            Attribute::Label(bytes) => label = String::from_utf8_lossy(&bytes).into_owned(),
            _ => {}
        }
    }
    let Some(id) = id else { return Ok(None) };
    let (kind, bits) = kind_and_bits(session, handle)?;
    Ok(Some(KeyEntry { id, label, kind, bits, algorithm: None }))
}

/// Kind and length in bits of a private key; 0 bits when the token does not tell.
pub(super) fn kind_and_bits(
    session: &Session,
    handle: ObjectHandle,
) -> Result<(KeyKind, usize), Error> {
    // One attribute after the other: asking an RSA key for a curve confuses some modules.
    let key_type = session.get_attributes(handle, &[AttributeType::KeyType])?;
    Ok(match key_type.first() {
        Some(Attribute::KeyType(KeyType::RSA)) => {
            let modulus = read_bytes(session, handle, AttributeType::Modulus)?;
            (KeyKind::Rsa, modulus.map_or(0, |modulus| significant_bits(&modulus)))
        }
        Some(Attribute::KeyType(KeyType::EC | KeyType::EC_EDWARDS)) => {
            let curve = read_bytes(session, handle, AttributeType::EcParams)?;
            match curve.as_deref() {
                Some(P256) => (KeyKind::EcdsaP256, 256),
                Some(P384) => (KeyKind::EcdsaP384, 384),
                Some(ED25519_NAME | ED25519_OID | ED25519_OLD_OID) => (KeyKind::Ed25519, 256),
                Some(ED448_NAME | ED448_OID) => (KeyKind::Ed448, 456),
                _ => (KeyKind::Other, 0),
            }
        }
        _ => (KeyKind::Other, 0),
    })
}

/// The public key of a private one: from the private object where it has the numbers (RSA),
/// else from the public object of the same id.
pub(super) fn public_key(
    session: &Session,
    place: &Place,
    id: &KeyId,
    private: ObjectHandle,
    algorithm: Algorithm,
) -> Result<PublicKey, CallFault> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    fields.extend(read_public(session, private, algorithm)?);
    if fields.is_empty() {
        for handle in find(session, ObjectClass::PUBLIC_KEY, id)? {
            fields.extend(read_public(session, handle, algorithm)?);
        }
    }
    fields.sort();
    fields.dedup();
    let (place, key) = (place.clone(), id.clone());
    match fields.len() {
        1 => Ok(PublicKey { algorithm, bytes: fields.swap_remove(0) }),
        0 => {
            let cause = Cause::of("no object with this id has the key's numbers");
            Err(SlotError::PublicKeyUnavailable { place, key, cause }.into())
        }
        count => Err(SlotError::KeyAmbiguous { place, key, count }.into()),
    }
}

/// The key field of a DNSKEY, as far as this object has the numbers for it.
pub(super) fn read_public(
    session: &Session,
    handle: ObjectHandle,
    algorithm: Algorithm,
) -> Result<Option<Vec<u8>>, Error> {
    let length = match algorithm {
        Algorithm::EcdsaP256Sha256 => 64,
        Algorithm::EcdsaP384Sha384 => 96,
        Algorithm::Ed25519 => public::ED25519_LENGTH,
        Algorithm::Ed448 => return Ok(None),
        _ => {
            let modulus = read_bytes(session, handle, AttributeType::Modulus)?;
            let exponent = read_bytes(session, handle, AttributeType::PublicExponent)?;
            let numbers = modulus.zip(exponent);
            return Ok(numbers.and_then(|(n, e)| public::rsa_from_numbers(&n, &e)));
        }
    };
    let point = read_bytes(session, handle, AttributeType::EcPoint)?;
    Ok(point.and_then(|point| public::point(&point, length)))
}

fn read_bytes(
    session: &Session,
    handle: ObjectHandle,
    attribute: AttributeType,
) -> Result<Option<Vec<u8>>, Error> {
    Ok(session.get_attributes(handle, &[attribute])?.into_iter().find_map(|found| match found {
        Attribute::Modulus(bytes)
        | Attribute::PublicExponent(bytes)
        | Attribute::EcPoint(bytes)
        | Attribute::EcParams(bytes) => Some(bytes),
        _ => None,
    }))
}

fn significant_bits(number: &[u8]) -> usize {
    let number = crate::der::without_leading_zeros(number);
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// What a new key pair has to be like.
pub(super) struct NewKey<'a> {
    pub(super) id: &'a KeyId,
    pub(super) algorithm: Algorithm,
    pub(super) rsa_bits: u16,
    pub(super) allow_extraction: bool,
    /// Whether the public half stays in the token.
    pub(super) keep_public: bool,
}

impl NewKey<'_> {
    /// The forms of CKA_EC_PARAMS to try in turn (one empty form for RSA).
    pub(super) fn parameter_forms(&self) -> &'static [&'static [u8]] {
        match self.algorithm {
            Algorithm::EcdsaP256Sha256 => &[P256],
            Algorithm::EcdsaP384Sha384 => &[P384],
            Algorithm::Ed25519 => &[ED25519_NAME, ED25519_OID],
            Algorithm::Ed448 => &[ED448_NAME, ED448_OID],
            _ => &[&[]],
        }
    }

    /// Template of the public half. `minimal` leaves out what only says "no" (rule HSM-9).
    pub(super) fn public_template(&self, parameters: &[u8], minimal: bool) -> Vec<Attribute> {
        let mut template = self.common_template(self.keep_public);
        template.push(Attribute::Verify(true));
        if !minimal {
            template.extend([Attribute::Encrypt(false), Attribute::Wrap(false)]);
        }
        if self.algorithm.is_rsa() {
            template.push(Attribute::ModulusBits(Ulong::new(self.rsa_bits.into())));
            template.push(Attribute::PublicExponent(EXPONENT_65537.to_vec()));
        } else {
            template.push(Attribute::EcParams(parameters.to_vec()));
        }
        template
    }

    /// Template of the private half.
    pub(super) fn private_template(&self, minimal: bool) -> Vec<Attribute> {
        let mut template = self.common_template(true);
        template.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(self.allow_extraction),
            Attribute::Sign(true),
        ]);
        if !minimal {
            template.extend([Attribute::Decrypt(false), Attribute::Unwrap(false)]);
        }
        template
    }

    /// What every object of the key has.
    pub(super) fn common_template(&self, in_token: bool) -> Vec<Attribute> {
        vec![
            Attribute::Token(in_token),
            Attribute::Id(self.id.as_bytes().to_vec()),
            Attribute::Label(self.id.to_string().into_bytes()),
        ]
    }

    /// What the token made of the private key that was not asked for, if anything.
    pub(super) fn surprise(
        &self,
        session: &Session,
        private: ObjectHandle,
    ) -> Result<Option<&'static str>, Error> {
        let wanted = [AttributeType::Sensitive, AttributeType::Extractable];
        let attributes = session.get_attributes(private, &wanted)?;
        Ok(attributes.into_iter().find_map(|attribute| match attribute {
            Attribute::Sensitive(false) => Some("readable in clear (not sensitive)"),
            Attribute::Extractable(true) if !self.allow_extraction => Some("extractable"),
            _ => None,
        }))
    }
}
