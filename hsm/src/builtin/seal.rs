//! Sealing of the built-in token: what protects keys at rest.
//!
//! PIN or key file -> key-encryption key (argon2id, 64 MiB and 3 passes, for a PIN) -> the
//! token's own random key, wrapped in the header -> each key record (XChaCha20-Poly1305, the
//! record's format, algorithm and CKA_ID as associated data, so that no record can pass for
//! another). A new PIN would touch the header only.
//! In: bytes of files. Out: bytes for files. Never: files.

use aws_lc_rs::digest::{self, SHA256_OUTPUT_LEN};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A symmetric key, wiped when dropped.
pub(super) type SealingKey = Zeroizing<[u8; 32]>;

/// Length of the random content of a key file, in bytes.
pub(super) const KEY_FILE_LENGTH: usize = 32;

const HEADER_MAGIC: &[u8; 8] = b"ANCHTOK1";
const RECORD_MAGIC: &[u8; 8] = b"ANCHKEY1";
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
/// A header may ask for this much and no more, or a forged one could exhaust the machine.
const ARGON2_MEMORY_KIB_MAX: u32 = 1024 * 1024;
const ARGON2_PASSES_MAX: u32 = 32;

/// Why something sealed did not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum SealFault {
    #[error("it is not a file of this token's format")]
    Format,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its seal is broken")]
    Seal,
    #[error("it holds another key than its name says")]
    OtherKey,
    #[error("it names algorithm {0}, which is unknown")]
    UnknownAlgorithm(u8),
    #[error("it asks for more memory or time than is allowed")]
    Costs,
    #[error("the random source failed")]
    Randomness,
}

/// The opened secret that a token is unlocked with.
pub(super) enum Secret<'a> {
    Pin(&'a SecretString),
    KeyFile(Zeroizing<[u8; KEY_FILE_LENGTH]>),
}

/// How the key-encryption key comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Derivation {
    Argon2id { memory_kib: u32, passes: u32 },
    KeyFile,
}

/// The open part of the header. It is authenticated by the seal of the wrapped key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) label: String,
    pub(super) serial: [u8; 8],
    pub(super) derivation: Derivation,
    salt: [u8; 16],
}

#[derive(Serialize, Deserialize)]
struct HeaderFile {
    header: Header,
    nonce: [u8; 24],
    wrapped_key: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    algorithm: u8,
    id: Vec<u8>,
    nonce: [u8; 24],
    sealed: Vec<u8>,
}

/// Makes a new token: the bytes of its header file.
pub(super) fn new_header(label: &str, secret: &Secret) -> Result<Vec<u8>, SealFault> {
    let derivation = match secret {
        Secret::Pin(_) => {
            Derivation::Argon2id { memory_kib: ARGON2_MEMORY_KIB, passes: ARGON2_PASSES }
        }
        Secret::KeyFile(_) => Derivation::KeyFile,
    };
    let header = Header { label: label.to_owned(), serial: random()?, derivation, salt: random()? };
    let wrapping_key = derive(&header, secret)?;
    let sealing_key: SealingKey = Zeroizing::new(random()?);
    let nonce = random()?;
    let wrapped_key = seal(&wrapping_key, &nonce, &sealing_key[..], &encode(&header)?)?;
    let mut bytes = HEADER_MAGIC.to_vec();
    bytes.extend_from_slice(&encode(&HeaderFile { header, nonce, wrapped_key })?);
    let checksum = digest::digest(&digest::SHA256, &bytes);
    bytes.extend_from_slice(checksum.as_ref());
    Ok(bytes)
}

/// A header that was read and is not unlocked yet.
pub(super) struct LockedHeader(HeaderFile);

/// Reads a header file.
pub(super) fn read_header(bytes: &[u8]) -> Result<LockedHeader, SealFault> {
    let length = bytes.len().checked_sub(SHA256_OUTPUT_LEN).ok_or(SealFault::Format)?;
    let (content, checksum) = bytes.split_at(length);
    let body = content.strip_prefix(HEADER_MAGIC).ok_or(SealFault::Format)?;
    if digest::digest(&digest::SHA256, content).as_ref() != checksum {
        return Err(SealFault::Checksum);
    }
    let file: HeaderFile = postcard::from_bytes(body).map_err(|_| SealFault::Format)?;
    if let Derivation::Argon2id { memory_kib, passes } = file.header.derivation
        && (memory_kib > ARGON2_MEMORY_KIB_MAX || passes > ARGON2_PASSES_MAX)
    {
        return Err(SealFault::Costs);
    }
    Ok(LockedHeader(file))
}

impl LockedHeader {
    /// The open part.
    pub(super) fn header(&self) -> &Header {
        &self.0.header
    }

    /// The token's sealing key. [`SealFault::Seal`] means that the secret is the wrong one, since
    /// the checksum was right.
    pub(super) fn unlock(&self, secret: &Secret) -> Result<SealingKey, SealFault> {
        let HeaderFile { header, nonce, wrapped_key } = &self.0;
        let wrapping_key = derive(header, secret)?;
        let plain = unseal(&wrapping_key, nonce, wrapped_key, &encode(header)?)?;
        let mut key = Zeroizing::new([0; 32]);
        if plain.len() != key.len() {
            return Err(SealFault::Format);
        }
        key.copy_from_slice(&plain);
        Ok(key)
    }
}

/// Seals a private key: the bytes of its record file.
pub(super) fn seal_record(
    key: &SealingKey,
    id: &KeyId,
    algorithm: Algorithm,
    pkcs8: &[u8],
) -> Result<Vec<u8>, SealFault> {
    let nonce = random()?;
    let sealed = seal(key, &nonce, pkcs8, &record_data(id.as_bytes(), algorithm.number()))?;
    let record =
        Record { algorithm: algorithm.number(), id: id.as_bytes().to_vec(), nonce, sealed };
    let mut bytes = RECORD_MAGIC.to_vec();
    bytes.extend_from_slice(&encode(&record)?);
    Ok(bytes)
}

/// Opens the record of the key `id`.
pub(super) fn open_record(
    key: &SealingKey,
    id: &KeyId,
    bytes: &[u8],
) -> Result<(Algorithm, Zeroizing<Vec<u8>>), SealFault> {
    let body = bytes.strip_prefix(RECORD_MAGIC).ok_or(SealFault::Format)?;
    let record: Record = postcard::from_bytes(body).map_err(|_| SealFault::Format)?;
    if record.id != id.as_bytes() {
        return Err(SealFault::OtherKey);
    }
    let data = record_data(&record.id, record.algorithm);
    let pkcs8 = unseal(key, &record.nonce, &record.sealed, &data)?;
    let algorithm = Algorithm::from_number(record.algorithm)
        .ok_or(SealFault::UnknownAlgorithm(record.algorithm))?;
    Ok((algorithm, pkcs8))
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], SealFault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SealFault::Randomness)?;
    Ok(bytes)
}

fn record_data(id: &[u8], algorithm: u8) -> Vec<u8> {
    let mut data = RECORD_MAGIC.to_vec();
    data.push(algorithm);
    data.extend_from_slice(id);
    data
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, SealFault> {
    postcard::to_allocvec(value).map_err(|_| SealFault::Format)
}

fn derive(header: &Header, secret: &Secret) -> Result<SealingKey, SealFault> {
    let mut key = Zeroizing::new([0; 32]);
    match (header.derivation, secret) {
        (Derivation::Argon2id { memory_kib, passes }, Secret::Pin(pin)) => {
            let parameters = argon2::Params::new(memory_kib, passes, 1, Some(key.len()))
                .map_err(|_| SealFault::Costs)?;
            argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, parameters)
                .hash_password_into(pin.expose_secret().as_bytes(), &header.salt, &mut key[..])
                .map_err(|_| SealFault::Costs)?;
        }
        // The file's 32 bytes are random: nothing to stretch, only to bind to this token.
        (Derivation::KeyFile, Secret::KeyFile(content)) => {
            let mut hash = digest::Context::new(&digest::SHA256);
            hash.update(b"anchorite built-in token key file 1");
            hash.update(&header.salt);
            hash.update(&content[..]);
            key.copy_from_slice(hash.finish().as_ref());
        }
        _ => return Err(SealFault::Seal),
    }
    Ok(key)
}

fn seal(
    key: &SealingKey,
    nonce: &[u8; 24],
    plain: &[u8],
    data: &[u8],
) -> Result<Vec<u8>, SealFault> {
    XChaCha20Poly1305::new((&**key).into())
        .encrypt(nonce.into(), Payload { msg: plain, aad: data })
        .map_err(|_| SealFault::Seal)
}

fn unseal(
    key: &SealingKey,
    nonce: &[u8; 24],
    sealed: &[u8],
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealFault> {
    XChaCha20Poly1305::new((&**key).into())
        .decrypt(nonce.into(), Payload { msg: sealed, aad: data })
        .map(Zeroizing::new)
        .map_err(|_| SealFault::Seal)
}
