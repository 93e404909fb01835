//! Everything a zone can be told, but for the enforcer's answers.

use crate::runtime::Message;

/// Everything a zone can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneMessage {
    /// Command. Read the input now and sign (`ods-signer sign`).
    SignNow,
    /// Command. Do now what is scheduled for later, with the input that was read last
    /// (`ods-signer flush`, `update`).
    RunNow,
    /// Command. Forget the signatures and the chain, but not the serials; read the input and sign
    /// everything (`ods-signer clear`). Not saved: a restart before the next version is published
    /// finds the last one again.
    Clear,
    /// Event. Its settings are other ones: policy, input, output or limits.
    SettingsChanged,
}

impl Message for ZoneMessage {
    type Result = ();
}
