//! What is said of keys that a token does not show.

use super::*;
use crate::runtime::testing::test_system;
use crate::slot::tests::{FakeToken, NAME, P256, add_key, id, memory, settings};
use crate::slot::{NewToken, known};

/// What is said of a key that the token has not got, when it is asked now.
#[track_caller]
fn said(slot: &WatchedSlot, key: &KeyId) -> String {
    let messages = std::iter::once(b"text".as_slice()).collect();
    let batch = SignBatch { key: key.clone(), algorithm: P256, messages };
    let error = slot.sign(&batch).err().unwrap();
    assert_eq!(error.disposition(), hsm::Disposition::Refuse);
    let is_missing = matches!(error, SlotError::KeyMissing { .. });
    let text = error.to_string();
    assert_eq!(is_missing, text.contains(" is missing: "), "{text}");
    assert_eq!(!is_missing, text.contains(" was not found, and whether it is lost is unknown"));
    text
}

fn watched(token: &FakeToken, clock: &Clock) -> WatchedSlot {
    let store = memory();
    add_key(&store, token, 1);
    let book = TokenBook::new(store, clock.clone());
    let slot = known(token.opener(), book.clone())(&settings(None), NewToken::Allowed).unwrap();
    WatchedSlot::new(NAME, slot, &book, clock)
}

#[test]
fn a_key_is_missing_after_two_looks_that_agree() {
    test_system(|clock| async move {
        let token = FakeToken::new("4711");
        let slot = watched(&token, &clock);
        let lost = id(9);
        for _ in 0..3 {
            assert!(said(&slot, &lost).contains("one look proves nothing"));
        }
        clock.sleep(LOOKS_APART).await;
        let text = said(&slot, &lost);
        for words in ["serial number 4711", "the same 1 keys", "30 seconds apart", "backup"] {
            assert!(text.contains(words), "{text}");
        }
        // Another key has its own looks.
        assert!(said(&slot, &id(8)).contains("one look"));
    });
}

#[test]
fn without_proof_a_key_is_never_missing() {
    test_system(|clock| async move {
        let token = FakeToken::new("1");
        let slot = watched(&token, &clock);
        let lost = id(9);
        let again = |change: fn(&FakeToken), words: &'static str| {
            let (slot, token, clock, lost) = (&slot, &token, &clock, lost.clone());
            async move {
                said(slot, &lost);
                change(token);
                clock.sleep(LOOKS_APART).await;
                let text = said(slot, &lost);
                assert!(text.contains(words), "{words}: {text}");
            }
        };
        again(|token| token.get().is_blind = true, "does not show the object").await;
        token.get().is_blind = false;
        again(|token| token.get().serial = "2".to_owned(), "not the token that was set up").await;
        token.get().serial = "1".to_owned();
        clock.sleep(LOOKS_APART).await;
        said(&slot, &lost);
        let add = |token: &FakeToken| assert!(token.get().keys.insert(id(7)));
        again(add, "do not agree").await;
    });
}

#[test]
fn a_token_without_a_canary_proves_nothing() {
    test_system(|clock| async move {
        let token = FakeToken::new("1");
        token.get().refuses_canary = true;
        let slot = watched(&token, &clock);
        for _ in 0..2 {
            assert!(said(&slot, &id(9)).contains("holds no object that would prove it"));
            clock.sleep(LOOKS_APART).await;
        }
    });
}

#[test]
fn signatures_are_noted() {
    test_system(|clock| async move {
        let token = FakeToken::new("1");
        let slot = watched(&token, &clock);
        assert_eq!(slot.last_good(), None);
        clock.sleep(Duration::from_secs(5)).await;
        slot.probe().unwrap();
        let good = slot.last_good().unwrap();
        assert_eq!((good.uptime, good.at), (clock.uptime(), clock.now()));
        // Its key is removed: the next probe asks who it is.
        token.get().keys.clear();
        slot.probe().unwrap_err();
        slot.probe().unwrap();
    });
}
