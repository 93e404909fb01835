//! The members of a repository group, as the tools see them: opened, and what each shows of every
//! key. In: repositories. Out: keys with a view for each member.
//! Never: a verdict by vote; which of two keys is the right one, the zones know and not the tokens.

use super::repositories::{self, Fault, NewToken, Repositories, slot_fault};
use appliance_config::Repository;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::pkcs11::Pkcs11Settings;
use hsm::{KeyEntry, KeyKind, KeyTransfer, SlotError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A member whose token is open.
pub(super) struct Member<'a> {
    pub(super) repository: &'a Repository,
    pub(super) slot: Box<dyn KeyTransfer>,
    pub(super) keys: BTreeMap<KeyId, KeyEntry>,
}

impl Member<'_> {
    pub(super) fn name(&self) -> &str {
        &self.repository.name
    }
}

/// What a member shows of a key.
#[derive(Clone, Debug)]
pub(super) enum View {
    /// This public half; it has signed with the private one.
    Shows(PublicKey),
    /// It has no such key.
    Lacks,
    /// It has the key and cannot use it; `None`: nothing could use this kind of key.
    Unusable(Option<SlotError>),
}

/// A key that at least one member has.
pub(super) struct SharedKey {
    pub(super) entry: KeyEntry,
    /// In the order of the members.
    pub(super) views: Vec<View>,
}

impl SharedKey {
    /// Whether two members show different keys.
    pub(super) fn is_torn(&self) -> bool {
        let mut shown = self.views.iter().filter_map(|view| match view {
            View::Shows(key) => Some(&key.bytes),
            View::Lacks | View::Unusable(_) => None,
        });
        let first = shown.next();
        shown.any(|other| Some(other) != first)
    }

    /// Whether every member shows the same key.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_torn() && self.views.iter().all(|view| matches!(view, View::Shows(_)))
    }
}

/// Opens one member.
pub(super) fn open_one(repository: &Repository, new_token: NewToken) -> Result<Member<'_>, Fault> {
    let slot = repositories::open(repository, new_token, Pkcs11Settings::SESSIONS_DEFAULT)?;
    let keys = slot.list().map_err(|error| slot_fault(repository, error))?;
    let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
    Ok(Member { repository, slot, keys })
}

/// Opens all members of a group, or the one repository of this name. Nobody does anything to a
/// group with a member that does not open, since that one would not take part.
pub(super) fn open_all<'a>(known: &'a Repositories, name: &str) -> Result<Vec<Member<'a>>, Fault> {
    let members = known.members(name)?;
    members.into_iter().map(|member| open_one(member, NewToken::Refused)).collect()
}

/// Every key that a member has, in the order of the ids. Each is made to sign where it is.
pub(super) fn shared_keys(members: &[Member]) -> Vec<SharedKey> {
    let ids: BTreeSet<&KeyId> = members.iter().flat_map(|member| member.keys.keys()).collect();
    ids.into_iter().filter_map(|id| shared_key(members, id)).collect()
}

/// The key of this id; `None` when no member has it.
pub(super) fn shared_key(members: &[Member], id: &KeyId) -> Option<SharedKey> {
    let entries = || members.iter().filter_map(|member| member.keys.get(id));
    let entry = entries().next()?.clone();
    // A built-in token knows what its key is for; an RSA key of others is for any RSA algorithm.
    let known = entries().find_map(|entry| entry.algorithm);
    let algorithm = known.or_else(|| algorithm_of(entry.kind));
    let view = |member: &Member| match (member.keys.get(id), algorithm) {
        (None, _) => View::Lacks,
        (Some(_), Some(algorithm)) => match member.slot.public_key(id, algorithm) {
            Ok(key) => View::Shows(key),
            Err(error) => View::Unusable(Some(error)),
        },
        (Some(_), None) => View::Unusable(None),
    };
    Some(SharedKey { views: members.iter().map(view).collect(), entry })
}

/// An algorithm that keys of this kind can sign with.
pub(super) fn algorithm_of(kind: KeyKind) -> Option<Algorithm> {
    match kind {
        KeyKind::Rsa => Some(Algorithm::RsaSha256),
        KeyKind::EcdsaP256 => Some(Algorithm::EcdsaP256Sha256),
        KeyKind::EcdsaP384 => Some(Algorithm::EcdsaP384Sha384),
        KeyKind::Ed25519 => Some(Algorithm::Ed25519),
        KeyKind::Ed448 | KeyKind::Other => None,
    }
}

/// Why a member does not get a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReplicated {
    #[error("keys must not leave {0}, which has no <AllowExtraction/>")]
    NotAllowed(String),
    #[error(transparent)]
    Slot(#[from] SlotError),
}

/// Puts a key of one member into another one.
pub(super) fn replicate(from: &Member, to: &Member, id: &KeyId) -> Result<(), NotReplicated> {
    if !from.repository.allow_extraction {
        return Err(NotReplicated::NotAllowed(from.name().to_owned()));
    }
    Ok(from.slot.replicate(id, to.slot.as_ref())?)
}

/// Who has the key, in words: `first, second`, `first; not in second`.
pub(super) struct Holders<'a>(pub(super) &'a SharedKey, pub(super) &'a [Member<'a>]);

impl fmt::Display for Holders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Holders(key, members) = *self;
        let of = |is_meant: fn(&View) -> bool| -> Vec<&str> {
            let both = key.views.iter().zip(members);
            both.filter(|(view, _)| is_meant(view)).map(|(_, member)| member.name()).collect()
        };
        f.write_str(&of(|view| matches!(view, View::Shows(_))).join(", "))?;
        if key.is_torn() {
            f.write_str(": DIFFERENT KEYS")?;
        }
        let (lacking, failing) =
            (of(|view| matches!(view, View::Lacks)), of(|view| matches!(view, View::Unusable(_))));
        if !lacking.is_empty() {
            write!(f, "; not in {}", lacking.join(", "))?;
        }
        if !failing.is_empty() {
            write!(f, "; unusable in {}", failing.join(", "))?;
        }
        Ok(())
    }
}
