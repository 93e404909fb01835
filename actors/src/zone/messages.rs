//! Everything a zone can be told, but for the enforcer's answers.

use crate::runtime::Message;

/// Everything a zone can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneMessage {
    /// Command. Read the input now and sign (`ods-signer sign`).
    SignNow,
}

impl Message for ZoneMessage {
    type Result = ();
}
