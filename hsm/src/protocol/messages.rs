//! The messages between an Anchorite and its slot hosts: one closed enum for each direction.
//! The PIN is in [`OpenRequest`] only, borrowed from a frame that is wiped; that message has no
//! `Debug` form, so that it cannot be logged.

use crate::error::SlotError;
use crate::hosted::Network;
use crate::packed::Packed;
use crate::slot::{GenerateRequest, KeyEntry, MechanismChoice, TokenInfo};
use crate::wire::{algorithm_number, key_bytes, public_key};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use serde::{Deserialize, Serialize};

/// The first request: everything that a host has to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct OpenRequest<'a> {
    /// Repository name.
    pub(crate) repository: &'a str,
    /// User whose rights the host takes on, when it is started as root.
    pub(crate) user: Option<&'a str>,
    /// What to open.
    #[serde(borrow)]
    pub(crate) token: TokenIn<'a>,
    /// What opens it.
    #[serde(borrow)]
    pub(crate) secret: SecretIn<'a>,
    /// A host before this one ended while it may have been offering the same PIN: it is offered
    /// again only when the token has counted no wrong one.
    pub(crate) pin_in_doubt: bool,
    /// What a PKCS#11 module may use of the network.
    pub(crate) network: Network,
}

/// A token to open.
#[derive(Serialize, Deserialize)]
pub(crate) enum TokenIn<'a> {
    /// A PKCS#11 module's.
    Pkcs11 {
        /// Path of the library.
        module: &'a str,
        /// Token label.
        label: &'a str,
        /// Serial number; `None` when the label alone tells.
        serial: Option<&'a str>,
        /// `<ModuleParameters>`.
        parameters: Option<&'a str>,
        /// What was found out before by trying.
        mechanisms: Vec<MechanismChoice>,
        /// `<SkipPublicKey/>`.
        skip_public_key: bool,
        /// `<AllowExtraction/>`.
        allow_extraction: bool,
        /// Most sessions at once.
        sessions_max: u32,
        /// `<Capacity>`: most private keys.
        capacity: Option<u32>,
        /// CKA_IDs of keys that the token has shown before: one that shows none of them is away.
        #[serde(borrow)]
        witnesses: Vec<&'a [u8]>,
    },
    /// A built-in token.
    BuiltIn {
        /// Its folder.
        folder: &'a str,
        /// The label of a token that is to be made when the folder holds none.
        create: Option<&'a str>,
    },
}

/// What opens a token.
#[derive(Serialize, Deserialize)]
pub(crate) enum SecretIn<'a> {
    /// Nothing: the token has a PIN pad of its own, or needs no login.
    None,
    /// A PIN.
    Pin(&'a str),
    /// A key file of a built-in token.
    KeyFile(&'a str),
}

/// What a host can be asked once its token is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Who the token is.
    Info,
    /// Makes a key pair.
    Generate(GenerateRequest),
    /// Every private key.
    List,
    /// The public half of a key.
    PublicKey {
        #[serde(with = "key_bytes")]
        key: KeyId,
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
        proof: Proof,
    },
    /// Signs; the inputs have the form that [`Opened::form`] says.
    Sign {
        #[serde(with = "key_bytes")]
        key: KeyId,
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
        inputs: Packed,
    },
    /// Destroys a key.
    Delete {
        #[serde(with = "key_bytes")]
        key: KeyId,
    },
    /// Makes the canary.
    PutCanary {
        #[serde(with = "key_bytes")]
        id: KeyId,
    },
    /// Looks for the canary.
    ShowsCanary {
        #[serde(with = "key_bytes")]
        id: KeyId,
    },
    /// Finds out with which mechanism the token signs.
    ChooseMechanism {
        #[serde(with = "key_bytes")]
        key: KeyId,
        #[serde(with = "algorithm_number")]
        algorithm: Algorithm,
    },
}

/// Whether a public key has to be proven to fit its private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Proof {
    /// It will be published.
    Needed,
    /// Signatures are verified with it, which is proof enough.
    Follows,
}

/// What a host answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// The token is open.
    Opened(Opened),
    /// Who the token is.
    Info(TokenInfo),
    /// A public key.
    PublicKey(#[serde(with = "public_key")] PublicKey),
    /// Keys.
    Keys(Vec<KeyEntry>),
    /// Signatures in the order of the inputs, not verified.
    Signatures(Packed),
    /// Whether the token shows the canary.
    Shown(bool),
    /// A mechanism, where there was a choice.
    Mechanism(Option<MechanismChoice>),
    /// Done, and nothing to tell.
    Done,
    /// Not done.
    Failed(SlotError),
}

/// How the token wants what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SigningForm {
    /// What its raw mechanism takes: hash or DigestInfo, made by the asker (rule HSM-8).
    Raw,
    /// The whole message: the token hashes.
    Message,
}

/// What a host says of its open token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    /// Token label.
    pub(crate) label: String,
    /// Algorithms (by number) that want whole messages; all others take the raw form.
    pub(crate) whole_messages: Vec<u8>,
}

impl Opened {
    /// How an algorithm's inputs have to look.
    pub(crate) fn form(&self, algorithm: Algorithm) -> SigningForm {
        match self.whole_messages.contains(&algorithm.number()) {
            true => SigningForm::Message,
            false => SigningForm::Raw,
        }
    }
}
