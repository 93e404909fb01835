//! HSM slots: every private key of Anchorite lives behind the [`Slot`] trait.
//!
//! In: requests that own their data (generate, list, sign a batch, delete). Out: public keys and
//! signatures in DNSSEC wire form (RFC 3110, RFC 6605, RFC 8080), or a [`SlotError`] that names
//! the repository, the token and what the operator should do.
//! Two backends: [`builtin::BuiltinToken`] (keys sealed in a folder) and
//! [`pkcs11::Pkcs11Slot`] (any PKCS#11 module).
//! Never: policy, zones, async, private key bytes in an answer.
//! `unsafe`: none; the PKCS#11 calls go through `cryptoki`.
#![forbid(unsafe_code)]

pub mod builtin;
mod der;
pub mod error;
mod hash;
pub mod packed;
pub mod pkcs11;
mod public;
pub mod slot;
pub mod verify;

pub use error::{Disposition, Place, SlotError};
pub use packed::Packed;
pub use slot::{
    DamagedRecord, GenerateRequest, KeyEntry, KeyKind, SignBatch, Slot, TokenInfo, random_key_id,
};
pub use verify::{Verifier, verify};
