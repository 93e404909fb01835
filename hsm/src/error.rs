//! What can go wrong at a slot, said so that an operator knows where and what to do.
//! Every message names the repository and the token and ends with the remedy; every error tells
//! its caller what is allowed next ([`SlotError::disposition`]).
//! All values are owned and plain: an error has to cross a process boundary. Long, since each way
//! to fail has a variant of its own here, which is what keeps them apart everywhere else.

mod parts;

pub use parts::{Cause, Disposition, PinTries, Place};

use crate::wire::{algorithm_number, key_bytes, word};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use parts::{Labels, Unreadable};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One of this program's own fixed words. The alias keeps serde from borrowing it out of a frame.
type Word = &'static str;

/// Why a slot did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SlotError {
    /// The PKCS#11 library is not there.
    #[error(
        "{place}: PKCS#11 module {path} cannot be opened ({cause}); install the vendor's \
             library or correct <Module> in conf.xml"
    )]
    ModuleMissing {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// There is a file, but not a working PKCS#11 library.
    #[error(
        "{place}: {path} is not a working PKCS#11 module ({cause}); check that <Module> in \
             conf.xml names the vendor's PKCS#11 library for this machine and that the vendor's \
             own configuration is complete"
    )]
    ModuleUnusable {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// No token with this label.
    #[error("{place}: no such token; labels seen: {}{}; initialise the token, connect it, or \
             correct <TokenLabel> in conf.xml", Labels(labels), Unreadable(*unreadable))]
    TokenMissing {
        /// Repository and token.
        place: Place,
        /// Labels of the tokens that were seen.
        labels: Vec<String>,
        /// Slots that could not be read.
        unreadable: usize,
    },
    /// Several tokens with this label.
    #[error(
        "{place}: {count} tokens have this label, with the serial numbers {}; give each token its \
             own label, or name the serial number with <TokenSerial> in conf.xml",
        Labels(serials)
    )]
    TokenAmbiguous {
        /// Repository and token.
        place: Place,
        /// How many there are.
        count: usize,
        /// Their serial numbers.
        serials: Vec<String>,
    },
    /// A token with the label is there, but it is another one.
    #[error(
        "{place}: the token has the serial number {} and not \"{expected}\", which it had when it \
             was first used, or which conf.xml names; connect the right token, or, when it was \
             replaced on purpose and holds the same keys, name the new number with <TokenSerial> \
             in conf.xml and restart anchorite",
        Labels(found)
    )]
    TokenReplaced {
        /// Repository and token.
        place: Place,
        /// The serial number that the settings name.
        expected: String,
        /// Serial numbers of the tokens with this label.
        found: Vec<String>,
    },
    /// The token was connected and is not any more.
    #[error("{place}: the token is gone ({cause}); connect it again, signing continues by itself")]
    TokenGone {
        /// Repository and token.
        place: Place,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The built-in token's folder holds no token.
    #[error(
        "{place}: {path} holds no built-in token ({cause}); create the token first or \
             correct the path"
    )]
    FolderUnusable {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// A token is to be created where one exists.
    #[error("{place}: {path} already holds a token; open it, or choose another folder")]
    TokenExists {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
    },
    /// Another process has the built-in token open.
    #[error(
        "{place}: {path} is in use by another process; stop that process, one token has one \
             user at a time"
    )]
    TokenInUse {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
    },
    /// The token's own header cannot be read.
    #[error("{place}: {path} is damaged ({cause}); restore the token's folder from a backup")]
    TokenDamaged {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The PIN is wrong. It is never tried twice: a token locks itself after a few wrong ones.
    #[error(
        "{place}: Incorrect PIN ({tries}); it will not be tried again: correct the PIN in \
             conf.xml, or the token's own, then restart anchorite"
    )]
    PinRejected {
        /// Repository and token.
        place: Place,
        /// What the token says about further tries.
        tries: PinTries,
    },
    /// The token does not take PINs any more.
    #[error(
        "{place}: the user PIN is locked; unlock it with the security officer's PIN and the \
             vendor's tool"
    )]
    PinLocked {
        /// Repository and token.
        place: Place,
    },
    /// One wrong PIN would lock the token: that try is left to the operator.
    #[error(
        "{place}: only one PIN try is left and it was not used; log in once with the \
             vendor's tool, then start again"
    )]
    PinFinalTry {
        /// Repository and token.
        place: Place,
    },
    /// There is no PIN.
    #[error("{place}: no PIN is known; log in with `ods-hsmutil login` or set <PIN> in conf.xml")]
    PinMissing {
        /// Repository and token.
        place: Place,
    },
    /// The key file cannot be used.
    #[error(
        "{place}: key file {path} cannot be used ({cause}); restore the file, it opens the \
             token"
    )]
    KeyFileUnusable {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The token shows no such key. Never proof that the key does not exist.
    #[error(
        "{place}: key {key} was not found; the token may hide or lack it: check with \
             `ods-hsmutil list` and compare with the backup before you call it lost"
    )]
    NotFound {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
    },
    /// The token shows no such key, and it has been proven that it would (rule HSM-3).
    #[error(
        "{place}: key {key} is missing: {evidence}; restore the token's backup, or take the key \
             out of use"
    )]
    KeyMissing {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What proves it.
        evidence: Cause,
    },
    /// The token shows no such key, and whether it has it is not known (rule HSM-3).
    #[error(
        "{place}: key {key} was not found, and whether it is lost is unknown ({doubt}); check with \
             `ods-hsmutil list` and compare with the backup before you call it lost"
    )]
    KeyUnknown {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// Why nothing is proven.
        doubt: Cause,
    },
    /// The token takes no object that is no key.
    #[error(
        "{place}: the token takes no data object ({cause}); it is used without, and a key that it \
             does not show is never called missing for certain"
    )]
    CanaryRefused {
        /// Repository and token.
        place: Place,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// Two or more objects answer to one id.
    #[error(
        "{place}: {count} private keys have the id {key}; none of them is used, remove the \
             wrong one with the vendor's tool"
    )]
    KeyAmbiguous {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// How many there are.
        count: usize,
    },
    /// The id is taken.
    #[error("{place}: a key with the id {key} exists already; choose a new id")]
    KeyExists {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
    },
    /// The key cannot sign with the algorithm.
    #[error(
        "{place}: key {key} is no key for {algorithm}; check which algorithm the key was \
             made for"
    )]
    AlgorithmMismatch {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// The algorithm asked for.
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
    },
    /// RFC 9905: no new SHA-1 keys.
    #[error(
        "{place}: {algorithm} uses SHA-1, which RFC 9905 forbids for new keys; choose \
             ECDSAP256SHA256, or allow deprecated algorithms in the policy"
    )]
    AlgorithmDeprecated {
        /// Repository and token.
        place: Place,
        /// The algorithm asked for.
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
    },
    /// The token has no such algorithm.
    #[error(
        "{place}: {algorithm} is not available here ({cause}); choose another algorithm or \
             another repository"
    )]
    AlgorithmUnavailable {
        /// Repository and token.
        place: Place,
        /// The algorithm asked for.
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The token makes no key of this length.
    #[error(
        "{place}: no {algorithm} key of {bits} bits can be made or used here ({cause}); correct \
             the key length in kasp.xml"
    )]
    KeyLengthRefused {
        /// Repository and token.
        place: Place,
        /// The algorithm asked for.
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
        /// Length asked for, in bits.
        bits: u16,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// Key generation went wrong.
    #[error(
        "{place}: key {key} was not generated ({cause}); check the token's capacity and \
             log, then try again with the same id"
    )]
    GenerateFailed {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// No room for another key.
    #[error(
        "{place}: no room for key {key} ({cause}); remove keys that are out of use, or raise \
             <Capacity> in conf.xml when the token has room"
    )]
    TokenFull {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says, or which limit was reached.
        #[source]
        cause: Cause,
    },
    /// The new key has attributes that were not asked for; it was destroyed.
    #[error(
        "{place}: the token made key {key} {surprise}; it was destroyed, check the token's \
             policy and <AllowExtraction> in conf.xml"
    )]
    GenerateSurprise {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the key is and should not be.
        #[serde(with = "word")]
        surprise: Word,
    },
    /// The token takes no key that was made elsewhere.
    #[error(
        "{place}: the token does not take key {key} ({cause}); allow the import of private keys \
             in its policy, or use its vendor's tool"
    )]
    ImportRefused {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The token gives out no copy of a key.
    #[error(
        "{place}: the token does not copy key {key} ({cause}); nothing was changed; a key may \
             leave its token only when it was made with <AllowExtraction/>, see its policy too"
    )]
    CopyRefused {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The bytes to import are no key.
    #[error(
        "{place}: key {key} cannot be imported ({cause}); it has to be an unencrypted PKCS#8 \
             key of the algorithm named"
    )]
    KeyRejected {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The token does not show the public key.
    #[error(
        "{place}: the public half of key {key} is not in the token ({cause}); import the \
             public key object, or take the key out of use"
    )]
    PublicKeyUnavailable {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The token returned a signature that does not verify. Nothing of the batch is used.
    #[error(
        "{place}: the token made a wrong signature with key {key} ({algorithm}, message \
             {index} of the batch); stop using the token and call its vendor"
    )]
    WrongSignature {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// The algorithm asked for.
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
        /// Position of the message in the batch.
        index: usize,
    },
    /// The software could not sign.
    #[error("{place}: signing with key {key} failed ({cause}); restart the slot")]
    SignFailed {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The record of a key cannot be read.
    #[error(
        "{place}: key record {path} is damaged ({cause}); restore this file from a backup, \
             the other keys are not affected"
    )]
    RecordDamaged {
        /// Repository and token.
        place: Place,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The disk did not take a file.
    #[error(
        "{place}: cannot {operation} {path} ({cause}); check free space and permissions; \
             nothing was changed"
    )]
    StorageFailed {
        /// Repository and token.
        place: Place,
        /// What was being done.
        #[serde(with = "word")]
        operation: Word,
        /// The file or folder.
        path: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The session was lost twice in a row.
    #[error("{place}: session lost during {operation} ({cause}); check the connection to the HSM")]
    SessionLost {
        /// Repository and token.
        place: Place,
        /// What was being done.
        #[serde(with = "word")]
        operation: Word,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// All sessions are busy for too long.
    #[error(
        "{place}: no session became free within {waited:?}; the HSM is stuck or too slow, \
             check it or allow more sessions"
    )]
    SessionsBusy {
        /// Repository and token.
        place: Place,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The module reports a fault of its own or of the device.
    #[error(
        "{place}: the module failed during {operation} ({cause}); look at the vendor's log, \
             the slot is started again by itself"
    )]
    ModuleFault {
        /// Repository and token.
        place: Place,
        /// What was being done.
        #[serde(with = "word")]
        operation: Word,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The slot host could not be started.
    #[error(
        "{place}: slot host {program} cannot be started ({cause}); check the installation of \
             anchorite and the limits of its user"
    )]
    HostUnavailable {
        /// Repository and token.
        place: Place,
        /// The program.
        program: String,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The slot host could not prepare its process; it has not loaded the module.
    #[error(
        "{place}: the slot host cannot {operation} ({cause}); check the user and the limits \
             that the repository's settings name"
    )]
    HostRefused {
        /// Repository and token.
        place: Place,
        /// What it wanted to do.
        #[serde(with = "word")]
        operation: Word,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
    /// The slot host ended, most likely by a fault of the PKCS#11 module in it.
    #[error(
        "{place}: the slot host ended during {operation} ({cause}); it is started again by \
             itself, look at the module's log when this repeats"
    )]
    HostEnded {
        /// Repository and token.
        place: Place,
        /// What was being done.
        #[serde(with = "word")]
        operation: Word,
        /// How it ended, or what it sent that was no answer.
        #[source]
        cause: Cause,
    },
    /// The slot host did not answer and was killed.
    #[error(
        "{place}: no answer during {operation} within {waited:?}, the slot host was killed; it \
             is started again by itself, check the HSM and the connection to it"
    )]
    HostSilent {
        /// Repository and token.
        place: Place,
        /// What was being done.
        #[serde(with = "word")]
        operation: Word,
        /// How long nothing came.
        waited: Duration,
    },
    /// One message alone is longer than a request may be.
    #[error(
        "{place}: a message of {length} bytes is too long to be signed with key {key}; make \
             the RRset smaller"
    )]
    MessageTooLong {
        /// Repository and token.
        place: Place,
        /// CKA_ID of the key.
        #[serde(with = "key_bytes")]
        key: KeyId,
        /// Its length.
        length: usize,
    },
    /// The system gives no randomness.
    #[error("{place}: the system's random source failed ({cause}); restart the machine")]
    NoRandomness {
        /// Repository and token.
        place: Place,
        /// What the layer below says.
        #[source]
        cause: Cause,
    },
}

impl SlotError {
    /// What is allowed next. A rejected PIN is never retried: the token would lock itself.
    pub fn disposition(&self) -> Disposition {
        match self {
            SlotError::TokenMissing { .. }
            | SlotError::TokenGone { .. }
            | SlotError::TokenInUse { .. }
            | SlotError::SessionLost { .. }
            | SlotError::SessionsBusy { .. } => Disposition::Retry { after: RETRY_PAUSE },
            SlotError::StorageFailed { .. } => Disposition::Retry { after: STORAGE_PAUSE },
            SlotError::ModuleFault { .. }
            | SlotError::HostUnavailable { .. }
            | SlotError::HostEnded { .. }
            | SlotError::HostSilent { .. }
            | SlotError::SignFailed { .. }
            | SlotError::NoRandomness { .. } => Disposition::Restart,
            SlotError::TokenExists { .. }
            | SlotError::NotFound { .. }
            | SlotError::KeyMissing { .. }
            | SlotError::KeyUnknown { .. }
            | SlotError::CanaryRefused { .. }
            | SlotError::KeyExists { .. }
            | SlotError::AlgorithmMismatch { .. }
            | SlotError::AlgorithmDeprecated { .. }
            | SlotError::AlgorithmUnavailable { .. }
            | SlotError::KeyLengthRefused { .. }
            | SlotError::GenerateFailed { .. }
            | SlotError::TokenFull { .. }
            | SlotError::MessageTooLong { .. }
            | SlotError::KeyRejected { .. }
            | SlotError::ImportRefused { .. }
            | SlotError::CopyRefused { .. }
            // One key's trouble; the others of the token go on signing.
            | SlotError::KeyAmbiguous { .. }
            | SlotError::GenerateSurprise { .. }
            | SlotError::PublicKeyUnavailable { .. }
            | SlotError::RecordDamaged { .. } => Disposition::Refuse,
            SlotError::ModuleMissing { .. }
            | SlotError::ModuleUnusable { .. }
            | SlotError::TokenAmbiguous { .. }
            | SlotError::TokenReplaced { .. }
            | SlotError::HostRefused { .. }
            | SlotError::FolderUnusable { .. }
            | SlotError::TokenDamaged { .. }
            | SlotError::PinRejected { .. }
            | SlotError::PinLocked { .. }
            | SlotError::PinFinalTry { .. }
            | SlotError::PinMissing { .. }
            | SlotError::KeyFileUnusable { .. }
            | SlotError::WrongSignature { .. } => Disposition::Alarm,
        }
    }
}

/// First pause before a token that is away is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// First pause before a write is tried again.
const STORAGE_PAUSE: Duration = Duration::from_secs(30);
