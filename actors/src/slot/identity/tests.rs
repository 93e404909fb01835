//! What is remembered of tokens, and what becomes of a token that is not as it was.

use super::*;
use crate::runtime::testing::TEST_EPOCH;
use crate::slot::tests::{FakeToken, NAME, P256, add_key, memory, settings};

struct Site {
    store: Arc<StateStore>,
    open: OpenSlot,
}

impl Site {
    fn new(token: &FakeToken) -> Site {
        Site::on(memory(), token)
    }

    fn on(store: Arc<StateStore>, token: &FakeToken) -> Site {
        let book = TokenBook::new(store.clone(), Clock::system());
        Site { store, open: known(token.opener(), book) }
    }

    fn open(&self) -> Result<Arc<dyn Slot>, SlotError> {
        self.open_with(None)
    }

    /// With a `<TokenSerial>`.
    fn open_with(&self, serial: Option<&str>) -> Result<Arc<dyn Slot>, SlotError> {
        (self.open)(&settings(serial), NewToken::Allowed)
    }

    fn record(&self) -> TokenRecord {
        self.store.token(NAME).unwrap().unwrap()
    }
}

fn present(token: &FakeToken) -> Canary {
    Canary::Present(token.get().canary.clone().unwrap())
}

#[test]
fn a_token_is_remembered_and_known_again() {
    let token = FakeToken::new("1");
    let site = Site::new(&token);
    site.open().unwrap();
    let record = site.record();
    assert_eq!((record.serial.as_str(), record.sessions_max), ("1", Some(4)));
    assert_eq!(record.canary, present(&token));
    add_key(&site.store, &token, 1);
    site.open().unwrap();
    let with_mechanism = TokenRecord { mechanisms: vec![(P256, 0x1041)], ..record };
    assert_eq!(site.record(), with_mechanism);
    site.open().unwrap();
    assert_eq!(site.record(), with_mechanism);
    let openings = token.get().openings.clone();
    assert_eq!(openings.len(), 3, "the usual mechanism needs no second opening");
    let serials: Vec<_> = openings.iter().map(|known| known.serial.as_deref()).collect();
    assert_eq!(serials, [None, Some("1"), Some("1")], "bound once it has a key");
}

#[test]
fn another_token_is_refused_until_conf_xml_names_it() {
    let (old, new) = (FakeToken::new("1"), FakeToken::new("2"));
    let site = Site::new(&old);
    let key = add_key(&site.store, &old, 1);
    site.open().unwrap();
    let before = site.record();
    let site = Site::on(site.store, &new);
    let error = site.open().err().unwrap();
    let text = error.to_string();
    let words = ["repository SoftHSM", "\"1\"", "\"2\"", "<TokenSerial>", "restart anchorite"];
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    assert_eq!(error.disposition(), Disposition::Alarm);
    assert_eq!(site.record(), before);
    // Named, and without the keys: it is not taken for the old one.
    let error = site.open_with(Some("2")).err().unwrap();
    assert!(matches!(error, SlotError::TokenGone { .. }), "{error}");
    assert_eq!(site.record(), before);
    new.get().keys.insert(key);
    site.open_with(Some("2")).unwrap();
    assert_eq!(site.record().serial, "2");
    assert_eq!(site.record().canary, present(&new));
    // From now on the new one is the known one, named or not.
    site.open().unwrap();
    let error = Site::on(site.store, &old).open().err().unwrap();
    assert!(matches!(error, SlotError::TokenReplaced { .. }), "{error}");
}

#[test]
fn a_token_that_conf_xml_does_not_name_is_refused_at_first_contact() {
    let site = Site::new(&FakeToken::new("1"));
    let error = site.open_with(Some("2")).err().unwrap();
    assert!(matches!(error, SlotError::TokenReplaced { .. }), "{error}");
    assert_eq!(site.store.token(NAME).unwrap(), None);
}

#[test]
fn a_token_that_never_had_a_key_may_be_replaced() {
    let site = Site::new(&FakeToken::new("1"));
    site.open().unwrap();
    let site = Site::on(site.store, &FakeToken::new("2"));
    site.open().unwrap();
    assert_eq!(site.record().serial, "2");
}

#[test]
fn a_token_that_shows_nothing_is_away() {
    let token = FakeToken::new("1");
    let site = Site::new(&token);
    let key = add_key(&site.store, &token, 1);
    // At first contact, and later.
    for _ in 0..2 {
        token.get().is_blind = true;
        let error = site.open().err().unwrap();
        let text = error.to_string();
        assert!(matches!(error, SlotError::TokenGone { .. }), "{text}");
        assert!(text.contains(&key.to_string()) && text.contains("backup"), "{text}");
        token.get().is_blind = false;
        site.open().unwrap();
    }
}

#[test]
fn a_lost_canary_is_made_again_in_a_token_with_keys() {
    let token = FakeToken::new("1");
    let site = Site::new(&token);
    add_key(&site.store, &token, 1);
    site.open().unwrap();
    let first = token.get().canary.take();
    site.open().unwrap();
    assert_ne!(token.get().canary, first);
    assert_eq!(site.record().canary, present(&token));
}

#[test]
fn a_token_that_takes_no_canary_is_used_without() {
    let token = FakeToken::new("1");
    token.get().refuses_canary = true;
    let site = Site::new(&token);
    site.open().unwrap();
    assert_eq!(site.record().canary, Canary::Refused);
    let book = TokenBook::new(site.store.clone(), Clock::system());
    assert_eq!(book.identity(NAME), None);
}

#[test]
fn mechanisms_are_found_out_anew_with_another_firmware() {
    let token = FakeToken::new("1");
    let site = Site::new(&token);
    add_key(&site.store, &token, 1);
    site.open().unwrap();
    token.get().mechanism = 0x1044;
    site.open().unwrap();
    assert_eq!(site.record().mechanisms, [(P256, 0x1041)]);
    token.get().firmware = "2.0".to_owned();
    token.get().openings.clear();
    site.open().unwrap();
    assert_eq!(site.record().mechanisms, [(P256, 0x1044)]);
    // Not the usual one: the slot that was opened to find out does not sign so.
    let openings = token.get().openings.clone();
    assert_eq!(openings.len(), 2);
    assert_eq!(openings[1].mechanisms, [MechanismChoice { algorithm: P256, mechanism: 0x1044 }]);
}

#[test]
fn first_contact_has_its_time() {
    let token = FakeToken::new("1");
    let site = Site::new(&token);
    site.open().unwrap();
    assert!(site.record().first_seen > TEST_EPOCH);
}
