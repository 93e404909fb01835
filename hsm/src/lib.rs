//! HSM slots: every private key of Anchorite lives behind the [`Slot`] trait.
//!
//! In: requests that own their data (generate, list, sign a batch, delete). Out: public keys and
//! signatures in DNSSEC wire form (RFC 3110, RFC 6605, RFC 8080), or a [`SlotError`] that names
//! the repository, the token and what the operator should do.
//! Two backends: [`builtin::BuiltinToken`] (keys sealed in a folder) and
//! [`pkcs11::Pkcs11Slot`] (any PKCS#11 module). [`hosted::HostedSlot`] is either of them in a
//! process of its own, which runs [`host::run`].
//! Never: policy, zones, async, private key bytes in an answer.
//! `unsafe`: in `system` (locking memory, signals) and `pkcs11::raw` (C_Sign) only.
#![deny(unsafe_code, unsafe_op_in_unsafe_fn)]

pub mod absence;
pub mod builtin;
mod der;
pub mod error;
pub mod group;
mod hash;
pub mod host;
pub mod hosted;
pub mod import;
pub mod packed;
mod pin;
pub mod pkcs11;
mod protocol;
mod public;
pub mod slot;
mod system;
mod transfer;
pub mod verify;
mod wire;

pub use error::{Disposition, PinTries, Place, SlotError};
pub use packed::Packed;
pub use slot::{
    DamagedRecord, GenerateRequest, KeyEntry, KeyKind, KnownToken, MechanismChoice, SignBatch,
    Slot, TokenInfo, random_key_id,
};
pub use transfer::KeyTransfer;
pub use verify::{Verifier, verify};
