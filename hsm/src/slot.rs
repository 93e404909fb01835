//! The slot contract: what every HSM slot can do, whatever holds the keys.
//! In and out: owned values only, so that a slot can live in a process of its own.
//! "Not found" never means that a key is gone: tokens hide objects while nobody is logged in,
//! while they are restored, or when they are simply broken (rule HSM-3).

use crate::error::{Cause, Place, SlotError};
use crate::group::MemberStatus;
use crate::packed::Packed;
use crate::wire::{algorithm_number, key_bytes, optional_algorithm};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use serde::{Deserialize, Serialize};

/// One HSM slot. Several threads may call it at once; signing runs in parallel.
pub trait Slot: Send + Sync {
    /// Who the token is and how it is.
    fn info(&self) -> Result<TokenInfo, SlotError>;

    /// Makes a key pair under the id that the caller chose and saved before. An id that the
    /// token already knows is refused ([`SlotError::KeyExists`]).
    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError>;

    /// Every private key that can be seen, in the order of their ids.
    fn list(&self) -> Result<Vec<KeyEntry>, SlotError>;

    /// The public half of a key, as a key of `algorithm`.
    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError>;

    /// Signs every message of the batch; the signatures come in the same order. All or nothing.
    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError>;

    /// Destroys a key for good.
    fn delete(&self, id: &KeyId) -> Result<(), SlotError>;

    /// The members of a repository group, and how they are; nobody for a token alone. Answered
    /// from memory.
    fn members(&self) -> Vec<MemberStatus> {
        Vec::new()
    }

    /// An operator has mended something: a repository group tries its members that are not in, in
    /// the background.
    fn mended(&self) {}

    /// Puts the canary into the token: an object that is no key, and private as keys are, so that
    /// a token that shows it shows its keys (rule HSM-3). May be repeated with the same id.
    fn put_canary(&self, _id: &KeyId) -> Result<(), SlotError> {
        let place = self.info()?.place();
        let cause = Cause::of("tokens of this kind have no place for one");
        Err(SlotError::CanaryRefused { place, cause })
    }

    /// Whether the token shows the canary that was put there under this id.
    fn shows_canary(&self, _id: &KeyId) -> Result<bool, SlotError> {
        Ok(false)
    }

    /// Finds out by trying with which mechanism the token signs for an algorithm (rule HSM-8):
    /// the first one whose signature with this key verifies. `None` where there is no choice.
    fn choose_mechanism(
        &self,
        _key: &KeyId,
        _algorithm: Algorithm,
    ) -> Result<Option<MechanismChoice>, SlotError> {
        Ok(None)
    }
}

/// The mechanism that a token signs with for an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MechanismChoice {
    /// The algorithm.
    #[serde(with = "algorithm_number")]
    pub algorithm: Algorithm,
    /// Number of the mechanism (CKM_..), which may be a vendor's own.
    pub mechanism: u64,
}

impl MechanismChoice {
    /// Whether it is the standard's mechanism for what is hashed already, which every slot takes
    /// where the token lists it.
    pub fn is_usual(&self) -> bool {
        crate::pkcs11::usual_mechanism(self.algorithm) == self.mechanism
    }
}

/// What is known of a token from before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownToken {
    /// Its serial number: with the label its identity (rule HSM-2).
    pub serial: Option<String>,
    /// What was found out with [`Slot::choose_mechanism`].
    pub mechanisms: Vec<MechanismChoice>,
}

/// What to generate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// The CKA_ID of the new key; see [`random_key_id`].
    #[serde(with = "key_bytes")]
    pub id: KeyId,
    /// The algorithm it will sign with.
    #[serde(with = "algorithm_number")]
    pub algorithm: Algorithm,
    /// Length of the modulus in bits; only looked at for RSA.
    pub rsa_bits: u16,
    /// Allows algorithms 5 and 7, which RFC 9905 forbids for new keys.
    pub allow_deprecated: bool,
}

impl GenerateRequest {
    /// Longest RSA modulus, in bits.
    pub const RSA_BITS_MAX: u16 = 4096;
    /// Shortest RSA modulus of a new key, in bits.
    pub const RSA_BITS_MIN: u16 = 2048;

    /// A request with a modulus of 2048 bits where that applies, nothing deprecated.
    pub fn new(id: KeyId, algorithm: Algorithm) -> GenerateRequest {
        GenerateRequest { id, algorithm, rsa_bits: 2048, allow_deprecated: false }
    }
}

/// Messages to sign with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignBatch {
    /// The key.
    #[serde(with = "key_bytes")]
    pub key: KeyId,
    /// The algorithm of the RRSIGs that the signatures are for.
    #[serde(with = "algorithm_number")]
    pub algorithm: Algorithm,
    /// The bytes to be signed of each RRset (RFC 4034 §3.1.8.1), not hashed yet.
    pub messages: Packed,
}

/// The kind of a key, as far as the token knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyKind {
    /// RSA, for any of the RSA algorithms.
    Rsa,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// A kind that DNSSEC has no use for.
    Other,
}

impl KeyKind {
    /// The kind of key that an algorithm needs.
    pub fn of(algorithm: Algorithm) -> KeyKind {
        match algorithm {
            Algorithm::RsaSha1
            | Algorithm::RsaSha1Nsec3Sha1
            | Algorithm::RsaSha256
            | Algorithm::RsaSha512 => KeyKind::Rsa,
            Algorithm::EcdsaP256Sha256 => KeyKind::EcdsaP256,
            Algorithm::EcdsaP384Sha384 => KeyKind::EcdsaP384,
            Algorithm::Ed25519 => KeyKind::Ed25519,
            Algorithm::Ed448 => KeyKind::Ed448,
        }
    }

    /// The name that `ods-hsmutil list` prints before the bits.
    pub fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa => "RSA",
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 => "ECDSA",
            KeyKind::Ed25519 | KeyKind::Ed448 => "EDDSA",
            KeyKind::Other => "other",
        }
    }
}

/// One private key in a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEntry {
    /// CKA_ID.
    #[serde(with = "key_bytes")]
    pub id: KeyId,
    /// CKA_LABEL, for humans.
    pub label: String,
    /// What kind of key it is.
    pub kind: KeyKind,
    /// Its length in bits; 0 when the token does not tell.
    pub bits: usize,
    /// Its DNSSEC algorithm, where the token keeps that (PKCS#11 tokens do not).
    #[serde(with = "optional_algorithm")]
    pub algorithm: Option<Algorithm>,
}

/// A token in a few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Repository name of `conf.xml`.
    pub repository: String,
    /// Path of the PKCS#11 module, or the folder of the built-in token.
    pub module: String,
    /// Number of the slot; changes when tokens are made anew, so nothing may depend on it.
    pub slot: u64,
    /// Token label.
    pub label: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Serial number: together with the label the token's identity.
    pub serial: String,
    /// Version of its firmware, as `major.minor`; empty where it has none.
    pub firmware: String,
    /// Most sessions at once, as far as known.
    pub sessions_max: Option<u64>,
    /// Records that could not be read; their keys are out of reach until they are restored.
    pub damaged: Vec<DamagedRecord>,
}

impl TokenInfo {
    /// Repository and token, for errors.
    pub fn place(&self) -> Place {
        Place { repository: self.repository.clone(), token: self.label.clone() }
    }
}

/// A key record that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedRecord {
    /// The file.
    pub path: String,
    /// What is wrong with it.
    pub damage: String,
}

/// A new key id: 16 random bytes. `None` when the system gives no randomness.
pub fn random_key_id() -> Option<KeyId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    KeyId::new(&bytes)
}
