//! Everything a zone can be told, but for the enforcer's answers.

use super::gate::LastVerdict;
use crate::audit::Specimen;
use crate::runtime::{Message, Reply};
use crate::stages::publish::Stored;
use crate::transfers::updates::UpdateQueue;
use dnssec::Serial;
use std::net::IpAddr;
use std::sync::Arc;

/// Everything a zone can be told.
#[derive(Debug)]
pub enum ZoneMessage {
    /// Command. Read the input now and sign (`ods-signer sign`).
    SignNow,
    /// Command. The same, and the next version gets this serial if it is newer than the last one
    /// (`ods-signer sign --serial`). Not saved: a restart before that version forgets it.
    SignWith {
        /// The serial.
        serial: Serial,
    },
    /// Command. Do now what is scheduled for later, with the input that was read last
    /// (`ods-signer flush`, `update`).
    RunNow,
    /// Command. Forget the signatures and the chain, but not the serials; read the input and sign
    /// everything (`ods-signer clear`). Not saved: a restart before the next version is published
    /// finds the last one again.
    Clear,
    /// Command. Get the whole zone from a master, whatever its serial (`ods-signer retransfer`).
    Retransfer,
    /// Event. A master says that it has a newer version (RFC 1996). He is listed, and his TSIG was
    /// verified.
    Notified {
        /// Who says so.
        from: IpAddr,
        /// The serial that he speaks of: a hint.
        serial: Option<Serial>,
    },
    /// Event. Updates wait (RFC 2136). Their senders are listed, and their TSIGs were verified.
    UpdatesWait {
        /// Where.
        queue: Arc<UpdateQueue>,
    },
    /// Event. Its settings are other ones: policy, input, output or limits.
    SettingsChanged,
    /// Query. The version that is published, in memory.
    Published {
        /// `None`: there is none, or it is being read back.
        reply: Reply<Option<Stored>>,
    },
    /// Query. What the auditor is tested with.
    Specimen {
        /// `None`: no version was made or found to stand since the start.
        reply: Reply<Option<Specimen>>,
    },
    /// Command. Has all of the published version judged now (`zone audit --now`).
    JudgeWhole {
        /// The verdict, or why there is none.
        reply: Reply<Result<LastVerdict, String>>,
    },
}

impl Message for ZoneMessage {
    type Result = ();
}
