//! How types of other crates cross the process boundary: key ids, algorithms and fixed words as
//! serde forms, for `#[serde(with = ..)]`.
//! In: bytes from another process, which may be broken; anything odd is an error, never a panic.
//! Limits: [`WORDS_MAX`] different words of [`WORD_LENGTH_MAX`] bytes.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A [`dnssec::key::KeyId`] as its bytes.
pub(crate) mod key_bytes {
    use super::*;
    use dnssec::key::KeyId;

    pub(crate) fn serialize<S: Serializer>(id: &KeyId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(id.as_bytes())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KeyId, D::Error> {
        let bytes = <&[u8]>::deserialize(from)?;
        KeyId::new(bytes).ok_or_else(|| D::Error::custom("no key id"))
    }
}

/// A [`dnssec::Algorithm`] as its number.
pub(crate) mod algorithm_number {
    use super::*;
    use dnssec::Algorithm;

    pub(crate) fn serialize<S: Serializer>(value: &Algorithm, to: S) -> Result<S::Ok, S::Error> {
        value.number().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Algorithm, D::Error> {
        let number = u8::deserialize(from)?;
        Algorithm::from_number(number).ok_or_else(|| D::Error::custom("no algorithm"))
    }
}

/// The same where there may be none; 0 is no algorithm.
pub(crate) mod optional_algorithm {
    use super::*;
    use dnssec::Algorithm;

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Algorithm>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        value.map_or(0, Algorithm::number).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Algorithm>, D::Error> {
        match u8::deserialize(from)? {
            0 => Ok(None),
            number => Algorithm::from_number(number)
                .map(Some)
                .ok_or_else(|| D::Error::custom("no algorithm")),
        }
    }
}

/// A [`dnssec::key::PublicKey`] as algorithm number and key field.
pub(crate) mod public_key {
    use super::*;
    use dnssec::Algorithm;
    use dnssec::key::PublicKey;

    pub(crate) fn serialize<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
        (key.algorithm.number(), key.bytes.as_slice()).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PublicKey, D::Error> {
        let (number, bytes) = <(u8, &[u8])>::deserialize(from)?;
        let algorithm =
            Algorithm::from_number(number).ok_or_else(|| D::Error::custom("no algorithm"))?;
        Ok(PublicKey { algorithm, bytes: bytes.to_vec() })
    }
}

/// Bytes as one block: serde's own form of `Vec<u8>` goes byte by byte.
pub(crate) mod block {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        <&[u8]>::deserialize(from).map(<[u8]>::to_vec)
    }
}

/// Most different words that are taken from other processes.
const WORDS_MAX: usize = 64;
/// Longest word that is taken from another process, in bytes.
const WORD_LENGTH_MAX: usize = 64;

/// One of the fixed words of our own errors ("C_Sign"). Their type is a static string, so each
/// different word that comes in is kept for good; a process that sends more than ours gets a word
/// that says so.
pub(crate) mod word {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::{Mutex, PoisonError};

    static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

    pub(crate) fn serialize<S: Serializer>(word: &str, to: S) -> Result<S::Ok, S::Error> {
        word.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<&'static str, D::Error> {
        let given = <&str>::deserialize(from)?;
        let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(given) {
            return Ok(known);
        }
        if words.len() >= WORDS_MAX || given.len() > WORD_LENGTH_MAX {
            return Ok("an unknown operation");
        }
        let kept: &'static str = Box::leak(given.to_owned().into_boxed_str());
        words.insert(kept);
        Ok(kept)
    }
}
