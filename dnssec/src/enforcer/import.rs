//! `key import`: a key that was made and perhaps used elsewhere joins a zone in the middle of its
//! life (catalogue 4.9). In: the key, the state's word, its inception. Out: the life with it.
//!
//! Other than OpenDNSSEC 2.1: CSKs get all four records (2.1 forgets their DS).

use super::policy_pass::{fits, new_key};
use super::state::{DsAtParent, KeyUse, RecordLife, RecordState, SupplyKey, ZoneLife};
use crate::Timestamp;
use crate::key::KeyId;
use crate::policy::Policy;
use thiserror::Error;

/// The states that `key import --keystate` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// Nobody saw it.
    Generate,
    /// Its DNSKEY is published.
    Publish,
    /// Its DNSKEY is everywhere; its DS is to be submitted, its signatures come.
    Ready,
    /// It works.
    Active,
    /// It leaves.
    Retire,
}

impl ImportState {
    /// All, in the order of a key's life.
    pub const ALL: [ImportState; 5] = [
        ImportState::Generate,
        ImportState::Publish,
        ImportState::Ready,
        ImportState::Active,
        ImportState::Retire,
    ];

    /// The state of this name, in any case.
    pub fn parse(word: &str) -> Option<ImportState> {
        ImportState::ALL.into_iter().find(|state| state.word().eq_ignore_ascii_case(word))
    }

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            ImportState::Generate => "generate",
            ImportState::Publish => "publish",
            ImportState::Ready => "ready",
            ImportState::Active => "active",
            ImportState::Retire => "retire",
        }
    }

    fn at_parent(self) -> DsAtParent {
        match self {
            ImportState::Generate | ImportState::Publish => DsAtParent::Unsubmitted,
            ImportState::Ready => DsAtParent::Submit,
            ImportState::Active => DsAtParent::Seen,
            ImportState::Retire => DsAtParent::Retracted,
        }
    }

    /// DS; DNSKEY of a key with DS; DNSKEY of a ZSK; RRSIG. The signature over the keys is where
    /// the DNSKEY is.
    fn states(self) -> [RecordState; 4] {
        use RecordState::{Hidden as H, Omnipresent as O, Rumoured as R, Unretentive as U};
        match self {
            ImportState::Generate => [H, H, H, H],
            ImportState::Publish => [H, R, R, H],
            ImportState::Ready => [R, O, O, R],
            ImportState::Active => [R, O, O, O],
            ImportState::Retire => [U, O, O, U],
        }
    }
}

/// Why a key cannot be imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// The zone has it already.
    #[error("the zone has key {id} already")]
    Known {
        /// The key.
        id: KeyId,
    },
    /// No key of the policy has its role and algorithm (2.1 has this check).
    #[error("policy {policy} has no {role} of algorithm {algorithm}")]
    NotInPolicy {
        /// The policy.
        policy: String,
        /// The key's role.
        role: crate::key::KeyRole,
        /// The key's algorithm.
        algorithm: crate::Algorithm,
    },
}

/// Adds `key` to the zone as if it had come to `state` at `inception`.
pub fn import_key(
    life: &ZoneLife,
    key: &SupplyKey,
    state: ImportState,
    inception: Timestamp,
    policy: &Policy,
) -> Result<ZoneLife, ImportError> {
    if life.keys.iter().any(|ours| ours.id == key.id) {
        return Err(ImportError::Known { id: key.id.clone() });
    }
    let same_kind = |wanted: &&crate::policy::KeyPolicy| {
        wanted.role == key.role && wanted.algorithm == key.algorithm
    };
    let wanted = policy.keys.keys.iter().find(same_kind);
    let wanted = wanted.ok_or_else(|| ImportError::NotInPolicy {
        policy: policy.name.clone(),
        role: key.role,
        algorithm: key.algorithm,
    })?;
    let mut imported = new_key(key, wanted, KeyUse::Regular, inception);
    // Of several policy keys of a kind, the one it is like.
    if let Some(wanted) = policy.keys.keys.iter().find(|wanted| fits(&imported, wanted)) {
        imported = new_key(key, wanted, KeyUse::Regular, inception);
    }
    let [ds, keyset_dnskey, zone_dnskey, rrsig] = state.states();
    let record = |state| RecordLife { state, since: inception, confirmed: None };
    let dnskey = if key.role.signs_keyset() { keyset_dnskey } else { zone_dnskey };
    imported.introducing = state != ImportState::Retire;
    imported.ds = imported.ds.map(|_| record(ds));
    imported.dnskey = record(dnskey);
    imported.rrsig_dnskey = imported.rrsig_dnskey.map(|_| record(dnskey));
    imported.rrsig = imported.rrsig.map(|_| record(rrsig));
    if key.role.signs_keyset() {
        imported.ds_at_parent = state.at_parent();
        imported.ds_was_seen =
            matches!(imported.ds_at_parent, DsAtParent::Seen | DsAtParent::Retracted);
    }
    let mut life = life.clone();
    life.keys.push(imported);
    Ok(life)
}
