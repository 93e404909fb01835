//! The built-in token against the conformance suite, and one folder in two hands.

mod conformance;

use conformance::{check_message, check_signing, check_slot, new_id};
use dnssec::Algorithm;
use hsm::builtin::{BuiltinToken, Unlock, create_key_file};
use hsm::{GenerateRequest, Slot, SlotError};
use std::sync::Arc;

fn key_file(folder: &tempfile::TempDir) -> Unlock {
    let path = folder.path().join("unlock");
    create_key_file("main", &path).unwrap();
    Unlock::KeyFile(path)
}

#[test]
fn conforms() {
    let folder = tempfile::tempdir().unwrap();
    let unlock = key_file(&folder);
    let token =
        BuiltinToken::create("main", &folder.path().join("keys"), "Anchor", &unlock).unwrap();
    check_slot(&token);
    let info = token.info().unwrap();
    assert_eq!((info.repository.as_str(), info.label.as_str()), ("main", "Anchor"));
    assert!(info.model.contains("emulation"));
}

#[test]
fn keys_survive_closing_and_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let unlock = Unlock::Pin("1234".into());
    let token = BuiltinToken::create("main", &path, "Anchor", &unlock).unwrap();
    let made: Vec<_> = conformance::ALGORITHMS
        .into_iter()
        .map(|algorithm| {
            let id = new_id();
            let key = token.generate(&GenerateRequest::new(id.clone(), algorithm)).unwrap();
            (id, key)
        })
        .collect();
    let listed = token.list().unwrap();
    drop(token);
    let token: Arc<dyn Slot> = Arc::new(BuiltinToken::open("main", &path, &unlock).unwrap());
    assert_eq!(token.list().unwrap(), listed);
    for (id, key) in &made {
        assert_eq!(token.public_key(id, key.algorithm).unwrap(), *key);
        check_signing(&*token, id, key);
    }
}

#[test]
fn second_opening_is_refused_until_the_first_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let unlock = key_file(&folder);
    let token = BuiltinToken::create("main", &path, "keys", &unlock).unwrap();
    let error = BuiltinToken::open("main", &path, &unlock).err().unwrap();
    assert!(matches!(error, SlotError::TokenInUse { .. }), "{error}");
    check_message(&error, &token);
    drop(token);
    let token = BuiltinToken::open("main", &path, &unlock).unwrap();
    let id = new_id();
    let key = token.generate(&GenerateRequest::new(id.clone(), Algorithm::Ed25519)).unwrap();
    check_signing(&token, &id, &key);
}
