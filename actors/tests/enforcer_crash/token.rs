//! A token and its actor: keys that cannot sign, since the enforcer never signs, and that survive
//! the program. In: what the enforcer asks of slots. Out: keys, and notes of each that comes or
//! goes.

use crate::trace::{Happened, Trace, lock};
use actors::runtime::{Actor, Clock, Context, Handler};
use actors::slot::{SlotFailure, SlotMessage};
use dnssec::key::{KeyId, PublicKey, REVOKE, dnskey_rdata, key_tag};
use dnssec::{Algorithm, KeyTag};
use hsm::{GenerateRequest, KeyEntry, Packed, Place, SignBatch, Slot, SlotError, TokenInfo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use storage::state::KeyState;

/// Name of the repository.
pub(crate) const REPOSITORY: &str = "token";

/// What is in the token.
pub(crate) type Keys = BTreeMap<KeyId, PublicKey>;

pub(crate) struct Token {
    keys: Mutex<Keys>,
    trace: Arc<Trace>,
}

impl Token {
    pub(crate) fn new(keys: Keys, trace: Arc<Trace>) -> Token {
        Token { keys: Mutex::new(keys), trace }
    }

    pub(crate) fn keys(&self) -> Keys {
        lock(&self.keys).clone()
    }

    fn note(&self, what: Happened, id: &KeyId, state: KeyState) {
        self.trace.note(what, |store| {
            let record = store.key(REPOSITORY, id).unwrap();
            record.is_some_and(|record| record.state == state)
        });
    }
}

fn place() -> Place {
    Place { repository: REPOSITORY.to_owned(), token: "test".to_owned() }
}

/// A public half that is as random as its id, but for a key tag that none of `others` has: keys
/// whose tags collide are put aside by right, and each play would have another number of keys.
fn public_key(id: &KeyId, algorithm: Algorithm, others: &Keys) -> PublicKey {
    let length = if algorithm == Algorithm::Ed25519 { 32 } else { 64 };
    let mut bytes: Vec<u8> = id.as_bytes().iter().cycle().take(length).copied().collect();
    loop {
        let key = PublicKey { algorithm, bytes: bytes.clone() };
        let is_taken = |other: &PublicKey| tags(other).iter().any(|tag| tags(&key).contains(tag));
        if !others.values().any(is_taken) {
            return key;
        }
        bytes[0] = bytes[0].wrapping_add(1);
    }
}

/// The tags of a key in either role, revoked or not.
fn tags(key: &PublicKey) -> [KeyTag; 4] {
    [256, 257, 256 | REVOKE, 257 | REVOKE].map(|flags| key_tag(&dnskey_rdata(flags, key)))
}

impl Slot for Token {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        unreachable!("the enforcer asks the slot's actor")
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        let id = request.id.clone();
        if lock(&self.keys).contains_key(&id) {
            self.trace.complain(format!("key {id} was made twice"));
            return Err(SlotError::KeyExists { place: place(), key: id });
        }
        let key = public_key(&id, request.algorithm, &lock(&self.keys));
        lock(&self.keys).insert(id.clone(), key.clone());
        self.note(Happened::Made(id.clone(), key.clone()), &id, KeyState::Intent);
        Ok(key)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        unreachable!("the enforcer asks for keys by their ids")
    }

    fn public_key(&self, id: &KeyId, _: Algorithm) -> Result<PublicKey, SlotError> {
        let key = lock(&self.keys).get(id).cloned();
        key.ok_or_else(|| SlotError::NotFound { place: place(), key: id.clone() })
    }

    fn sign(&self, _: &SignBatch) -> Result<Packed, SlotError> {
        unreachable!("the enforcer does not sign")
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        if lock(&self.keys).remove(id).is_none() {
            return Err(SlotError::NotFound { place: place(), key: id.clone() });
        }
        self.note(Happened::Destroyed(id.clone()), id, KeyState::Removing);
        Ok(())
    }
}

/// In the place of the slot's actor.
pub(crate) struct TokenActor {
    pub(crate) token: Arc<Token>,
    pub(crate) clock: Clock,
}

impl Actor for TokenActor {
    type Context = Context<TokenActor>;
}

impl Handler<SlotMessage> for TokenActor {
    type Result = ();

    fn handle(&mut self, message: SlotMessage, _: &mut Context<TokenActor>) {
        match message {
            SlotMessage::Lease { reply } => reply.send(Ok(self.token.clone())),
            SlotMessage::Generate { request, reply } => {
                let key = self.token.generate(&request).map(|key| (key, self.clock.now()));
                reply.send(key.map_err(SlotFailure::Slot));
            }
            SlotMessage::PublicKey { id, algorithm, reply } => {
                reply.send(self.token.public_key(&id, algorithm).map_err(SlotFailure::Slot));
            }
            SlotMessage::Room { reply } => reply.send(Ok(None)),
            _ => {}
        }
    }
}
