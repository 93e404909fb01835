//! Groups of virtual tokens that die, hide keys, lie, hold other keys and come back.
//! Virtual tokens sign with real keys, so that a wrong signature is a wrong signature.

use super::*;
use crate::slot::{GenerateRequest, KeyEntry, KeyKind, TokenInfo};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use dnssec::Algorithm;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::mpsc::channel;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    /// Every call: the token is gone.
    Gone,
    /// Every call: its process has ended.
    Ended,
    /// Every call: its PIN is locked.
    Locked,
    /// It shows no key.
    Hiding,
    /// It shows the right public key and signs with another one.
    Lying,
    /// It holds other keys under the same ids.
    Other,
    /// It says that it has made another key than the one that it then shows.
    Forging,
}

struct Token {
    place: Place,
    mood: Mutex<Mood>,
    keys: Mutex<BTreeSet<KeyId>>,
    signed: Mutex<u64>,
}

const FINE_SEED: u8 = 1;
const OTHER_SEED: u8 = 2;

fn pair(id: &KeyId, seed: u8) -> Ed25519KeyPair {
    let mut bytes = [seed; 32];
    bytes[..id.as_bytes().len()].copy_from_slice(id.as_bytes());
    Ed25519KeyPair::from_seed_unchecked(&bytes).unwrap()
}

fn public(id: &KeyId, seed: u8) -> PublicKey {
    let bytes = pair(id, seed).public_key().as_ref().to_vec();
    PublicKey { algorithm: Algorithm::Ed25519, bytes }
}

fn id(number: u8) -> KeyId {
    KeyId::new(&[number, 7]).unwrap()
}

fn batch(key: &KeyId, count: u8) -> SignBatch {
    let messages: Vec<Vec<u8>> = (0..count).map(|number| vec![number; 40]).collect();
    let messages = messages.iter().map(Vec::as_slice).collect();
    SignBatch { key: key.clone(), algorithm: Algorithm::Ed25519, messages }
}

impl Token {
    fn new(name: &str, keys: &[KeyId]) -> Arc<Token> {
        Arc::new(Token {
            place: Place { repository: name.to_owned(), token: name.to_owned() },
            mood: Mutex::new(Mood::Fine),
            keys: Mutex::new(keys.iter().cloned().collect()),
            signed: Mutex::new(0),
        })
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn signed(&self) -> u64 {
        *self.signed.lock().unwrap()
    }

    fn seed(&self) -> u8 {
        if self.mood() == Mood::Other { OTHER_SEED } else { FINE_SEED }
    }

    fn awake(&self) -> Result<(), SlotError> {
        let (place, cause) = (self.place.clone(), Cause::of("test"));
        match self.mood() {
            Mood::Gone => Err(SlotError::TokenGone { place, cause }),
            Mood::Ended => Err(SlotError::HostEnded { place, operation: "test", cause }),
            Mood::Locked => Err(SlotError::PinLocked { place }),
            _ => Ok(()),
        }
    }

    fn has(&self, key: &KeyId) -> Result<(), SlotError> {
        self.awake()?;
        match self.mood() != Mood::Hiding && self.keys.lock().unwrap().contains(key) {
            true => Ok(()),
            false => Err(SlotError::NotFound { place: self.place.clone(), key: key.clone() }),
        }
    }
}

impl Slot for Token {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        self.awake()?;
        let name = || self.place.repository.clone();
        Ok(TokenInfo {
            repository: name(),
            module: name(),
            slot: 0,
            label: name(),
            manufacturer: name(),
            model: name(),
            serial: name(),
            firmware: String::new(),
            sessions_max: Some(1),
            damaged: Vec::new(),
        })
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.awake()?;
        self.keys.lock().unwrap().insert(request.id.clone());
        let seed = if self.mood() == Mood::Forging { OTHER_SEED } else { self.seed() };
        Ok(public(&request.id, seed))
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        self.awake()?;
        let entry = |id: &KeyId| KeyEntry {
            id: id.clone(),
            label: id.to_string(),
            kind: KeyKind::Ed25519,
            bits: 256,
            algorithm: None,
        };
        Ok(self.keys.lock().unwrap().iter().map(entry).collect())
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.has(id)?;
        Ok(PublicKey { algorithm, ..public(id, self.seed()) })
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        self.has(&batch.key)?;
        *self.signed.lock().unwrap() += 1;
        let seed = if self.mood() == Mood::Lying { OTHER_SEED } else { self.seed() };
        let pair = pair(&batch.key, seed);
        let signatures: Vec<_> = batch.messages.iter().map(|text| pair.sign(text)).collect();
        Ok(signatures.iter().map(AsRef::as_ref).collect())
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        self.has(id)?;
        self.keys.lock().unwrap().remove(id);
        Ok(())
    }
}

fn settings(tokens: &[Arc<Token>], quorum: usize, recorded: &[KeyId]) -> GroupSettings {
    let member = |token: &Arc<Token>| {
        let token = Arc::clone(token);
        let name = token.place.repository.clone();
        let open: OpenMember = Box::new(move || {
            token.awake()?;
            Ok(Arc::clone(&token) as Arc<dyn Slot>)
        });
        Member { name, open }
    };
    GroupSettings {
        repository: "pair".to_owned(),
        members: tokens.iter().map(member).collect(),
        quorum,
        recorded: recorded.iter().map(|id| (id.clone(), public(id, FINE_SEED))).collect(),
        patience: Patience { look_count: 2, pause: Duration::from_millis(1) },
    }
}

fn group(tokens: &[Arc<Token>], quorum: usize, recorded: &[KeyId]) -> Group {
    let group = Group::new(settings(tokens, quorum, recorded));
    (0..tokens.len()).for_each(|member| group.take_back(member));
    group
}

fn pass(group: &Group, seconds: u64) {
    let due = group.lock().elapse(Duration::from_secs(seconds));
    due.into_iter().for_each(|member| group.take_back(member));
}

#[track_caller]
fn check_signs(group: &Group, key: &KeyId) {
    let batch = batch(key, 3);
    let signed = group.sign(&batch).unwrap();
    assert!(is_right(key, &batch, &signed));
}

fn is_right(key: &KeyId, batch: &SignBatch, signed: &Packed) -> bool {
    let verifier = Verifier::new(&public(key, FINE_SEED)).unwrap();
    let pairs = batch.messages.iter().zip(signed.iter());
    signed.len() == batch.messages.len()
        && pairs.into_iter().all(|(message, signature)| verifier.verify(message, signature))
}

fn presence(group: &Group, member: usize) -> MemberPresence {
    group.status().members[member].presence.clone()
}

#[test]
fn a_new_key_is_refused_until_every_member_shows_it() {
    let tokens = [Token::new("a", &[]), Token::new("b", &[])];
    let group = group(&tokens, 2, &[]);
    let request = GenerateRequest::new(id(1), Algorithm::Ed25519);
    assert!(matches!(
        group.public_key(&id(1), Algorithm::Ed25519),
        Err(SlotError::NotFound { .. })
    ));
    let error = group.generate(&request).unwrap_err().to_string();
    assert!(
        error.contains("1 of 2 members of the group agree on the key and 2 have to"),
        "{error}"
    );
    assert!(error.contains("a: shows key tag") && error.contains("b: lacks the key"), "{error}");
    assert!(group.public_key(&id(1), Algorithm::Ed25519).is_err());
    let error = group.sign(&batch(&id(1), 1)).unwrap_err();
    assert!(matches!(error, SlotError::TokenGone { .. }), "one key is no reason to close: {error}");
    tokens[1].keys.lock().unwrap().insert(id(1));
    assert_eq!(group.public_key(&id(1), Algorithm::Ed25519).unwrap(), public(&id(1), FINE_SEED));
    check_signs(&group, &id(1));
    assert!(matches!(group.generate(&request), Err(SlotError::KeyExists { .. })));
}

#[test]
fn a_key_whose_maker_is_silent_is_not_made_a_second_time() {
    let tokens = [Token::new("a", &[]), Token::new("b", &[]), Token::new("c", &[])];
    let group = group(&tokens, 2, &[]);
    assert!(group.generate(&GenerateRequest::new(id(1), Algorithm::Ed25519)).is_err());
    tokens[0].set(Mood::Gone);
    let request = GenerateRequest::new(id(1), Algorithm::Ed25519);
    assert!(matches!(group.generate(&request), Err(SlotError::TokenGone { .. })));
    assert!(tokens[1].keys.lock().unwrap().is_empty());
    tokens[0].set(Mood::Fine);
    tokens[2].keys.lock().unwrap().insert(id(1));
    pass(&group, 60);
    check_signs(&group, &id(1));
}

#[test]
fn a_member_that_shows_another_key_than_it_has_made_is_shut_out() {
    let tokens = [Token::new("a", &[]), Token::new("b", &[])];
    tokens[0].set(Mood::Forging);
    let group = group(&tokens, 1, &[]);
    let request = GenerateRequest::new(id(1), Algorithm::Ed25519);
    let error = group.generate(&request).unwrap_err();
    assert!(matches!(error, SlotError::PublicKeyUnavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("a shows another key than it has made"), "{error}");
    assert!(matches!(presence(&group, 0), MemberPresence::ShutOut(MemberFault::OtherKey { .. })));
}

#[test]
fn requests_that_no_member_would_take_cost_no_member_its_place() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    let group = group(&tokens, 2, &[id(1)]);
    // Nothing here verifies Ed448, so members could not be compared.
    let error = group.public_key(&id(1), Algorithm::Ed448).unwrap_err();
    assert!(matches!(error, SlotError::AlgorithmUnavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("members cannot be compared"), "{error}");
    let error = group.delete(&id(7)).unwrap_err();
    assert!(matches!(error, SlotError::NotFound { .. }), "{error:?}");
    let error = group.sign(&batch(&id(7), 1)).unwrap_err();
    assert!(matches!(error, SlotError::NotFound { .. }), "{error:?}");
    assert!((0..2).all(|member| presence(&group, member) == MemberPresence::In));
}

#[test]
fn two_keys_for_one_id_and_no_record_are_refused_with_both_tags() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[1].set(Mood::Other);
    let group = group(&tokens, 2, &[]);
    let error = group.public_key(&id(1), Algorithm::Ed25519).unwrap_err();
    let tags = [FINE_SEED, OTHER_SEED].map(|seed| agreement::zsk_tag(&public(&id(1), seed)));
    let (text, [one, other]) = (error.to_string(), tags);
    assert!(text.contains(&format!("a: shows key tag {one}; b: shows key tag {other}")), "{text}");
    assert!(matches!(error, SlotError::PublicKeyUnavailable { .. }), "{error:?}");
}

#[test]
fn a_member_with_another_key_than_the_record_is_shut_out_even_if_it_is_the_first() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[0].set(Mood::Other);
    let group = group(&tokens, 2, &[id(1)]);
    let MemberPresence::ShutOut(MemberFault::OtherKey { group_tag, member_tag, .. }) =
        presence(&group, 0)
    else {
        panic!("{:?}", group.status())
    };
    assert_eq!(group_tag, agreement::zsk_tag(&public(&id(1), FINE_SEED)));
    assert_eq!(member_tag, agreement::zsk_tag(&public(&id(1), OTHER_SEED)));
    check_signs(&group, &id(1));
    pass(&group, 599);
    assert_eq!(tokens[0].signed(), 1, "the challenge, and nothing after it");
    tokens[0].set(Mood::Fine);
    pass(&group, 1);
    assert_eq!(presence(&group, 0), MemberPresence::In);
    assert_eq!(tokens[0].signed(), 2, "it was challenged before it came back");
    check_signs(&group, &id(1));
}

#[test]
fn a_member_that_stays_wrong_is_looked_at_ever_more_rarely() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[0].set(Mood::Lying);
    let group = group(&tokens, 2, &[id(1)]);
    let status = || group.status().members[0].clone();
    for (pause, absent) in [(600, 0), (1200, 600), (2400, 1800), (4800, 4200), (9600, 9000)] {
        let (looked, known) = (tokens[0].signed(), status());
        assert!(matches!(known.presence, MemberPresence::ShutOut(MemberFault::Slot(_))));
        assert_eq!(known.next_try, Some(Duration::from_secs(pause)));
        assert_eq!((known.absent, known.proven_count), (Duration::from_secs(absent), 0));
        pass(&group, pause - 1);
        assert_eq!(tokens[0].signed(), looked, "not before its time");
        pass(&group, 1);
        assert_eq!(tokens[0].signed(), looked + 1, "one challenge");
    }
    group.lock().mended();
    pass(&group, 0);
    assert_eq!(status().next_try, Some(Duration::from_secs(600)), "it lies on");
    tokens[0].set(Mood::Fine);
    group.lock().mended();
    pass(&group, 0);
    assert_eq!(presence(&group, 0), MemberPresence::In);
    assert_eq!((status().next_try, status().absent), (None, Duration::ZERO));
    assert_eq!(group.status().members[0].proven_count, 1);
}

#[test]
fn a_locked_member_waits_for_the_operator() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[0].set(Mood::Locked);
    let group = group(&tokens, 2, &[id(1)]);
    assert_eq!(group.status().members[0].next_try, None);
    tokens[0].set(Mood::Fine);
    pass(&group, 1_000_000);
    assert!(matches!(presence(&group, 0), MemberPresence::ShutOut(_)));
    assert_eq!(group.status().members[0].absent, Duration::from_secs(1_000_000));
    group.lock().mended();
    pass(&group, 0);
    assert_eq!(presence(&group, 0), MemberPresence::In);
}

#[test]
fn the_thread_of_a_group_takes_a_mended_member_back() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[1].set(Mood::Other);
    let mut settings = settings(&tokens, 2, &[id(1)]);
    let (sender, opened) = channel();
    let open = std::mem::replace(&mut settings.members[1].open, Box::new(|| unreachable!()));
    settings.members[1].open = Box::new(move || {
        let _ = sender.send(());
        open()
    });
    let slot = GroupSlot::open(settings).unwrap();
    assert_eq!(opened.recv(), Ok(()));
    let other = |slot: &GroupSlot| slot.members()[1].presence.clone();
    assert!(matches!(other(&slot), MemberPresence::ShutOut(MemberFault::OtherKey { .. })));
    tokens[1].set(Mood::Fine);
    slot.mended();
    assert_eq!(opened.recv_timeout(Duration::from_secs(60)), Ok(()));
    let until = Duration::from_secs(60);
    let mut state = slot.group.lock();
    while !state.is_whole() {
        let (woken, waited) = slot.group.changed.wait_timeout(state, until).unwrap();
        assert!(!waited.timed_out(), "it did not come back");
        state = woken;
    }
}

#[test]
fn work_is_spread_and_a_dead_member_is_not_noticed() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    let group = group(&tokens, 2, &[id(1)]);
    (0..10).for_each(|_| check_signs(&group, &id(1)));
    // One challenge each, then five batches each.
    assert_eq!((tokens[0].signed(), tokens[1].signed()), (6, 6));
    tokens[0].set(Mood::Ended);
    (0..4).for_each(|_| check_signs(&group, &id(1)));
    assert!(matches!(presence(&group, 0), MemberPresence::Away(Some(_))));
    tokens[0].set(Mood::Fine);
    pass(&group, 1);
    assert_eq!(presence(&group, 0), MemberPresence::In);
    assert_eq!(tokens[0].signed(), 7, "it was challenged before it came back");
}

#[test]
fn when_nobody_can_sign_the_error_has_every_reason() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)]), Token::new("c", &[])];
    let group = group(&tokens, 2, &[id(1)]);
    tokens[0].set(Mood::Gone);
    tokens[1].set(Mood::Locked);
    let error = group.sign(&batch(&id(1), 1)).unwrap_err();
    let text = error.to_string();
    for part in
        ["a: repository a", "the token is gone", "b: repository b", "the user PIN is locked"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("c: "), "{text}");
    assert!(matches!(error.disposition(), Disposition::Retry { .. }));
    tokens[0].set(Mood::Fine);
    pass(&group, 2);
    check_signs(&group, &id(1));
    assert!(matches!(presence(&group, 1), MemberPresence::ShutOut(_)), "a PIN is never retried");
}

#[test]
fn a_key_is_destroyed_in_all_members_or_in_none() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    let group = group(&tokens, 2, &[id(1)]);
    tokens[1].set(Mood::Gone);
    check_signs(&group, &id(1));
    check_signs(&group, &id(1));
    assert!(group.delete(&id(1)).is_err());
    assert!(tokens[0].keys.lock().unwrap().contains(&id(1)));
    tokens[1].set(Mood::Fine);
    pass(&group, 2);
    group.delete(&id(1)).unwrap();
    assert!(tokens.iter().all(|token| token.keys.lock().unwrap().is_empty()));
    assert!(matches!(group.delete(&id(1)), Err(SlotError::NotFound { .. })));
}

#[test]
fn a_group_opens_with_one_member_and_takes_the_other_by_itself() {
    let tokens = [Token::new("a", &[id(1)]), Token::new("b", &[id(1)])];
    tokens[1].set(Mood::Ended);
    let mut settings = settings(&tokens, 2, &[id(1)]);
    let (sender, opened) = channel();
    let open = std::mem::replace(&mut settings.members[1].open, Box::new(|| unreachable!()));
    settings.members[1].open = Box::new(move || {
        let result = open();
        let _ = sender.send(result.is_ok());
        result
    });
    let slot = GroupSlot::open(settings).unwrap();
    assert_eq!(opened.recv(), Ok(false));
    assert!(matches!(slot.status().members[1].presence, MemberPresence::Away(Some(_))));
    slot.sign(&batch(&id(1), 1)).unwrap();
    tokens[1].set(Mood::Fine);
    assert_eq!(opened.recv_timeout(Duration::from_secs(60)), Ok(true));
    drop(slot);
    let gone = [Token::new("a", &[]), Token::new("b", &[])];
    gone.iter().for_each(|token| token.set(Mood::Gone));
    let error = GroupSlot::open(self::settings(&gone, 2, &[])).err().unwrap();
    assert!(matches!(error, SlotError::TokenGone { .. }), "{error}");
    gone.iter().for_each(|token| token.set(Mood::Locked));
    let error = GroupSlot::open(self::settings(&gone, 2, &[])).err().unwrap();
    assert!(matches!(error, SlotError::PinLocked { .. }), "{error}");
}

#[derive(Clone, Debug)]
enum Event {
    Mood(usize, Mood),
    Sign(u8),
    Pass(u64),
    Ask(u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let mood = prop_oneof![
        6 => Just(Mood::Fine),
        2 => Just(Mood::Gone),
        2 => Just(Mood::Ended),
        1 => Just(Mood::Locked),
        2 => Just(Mood::Hiding),
        1 => Just(Mood::Lying),
        1 => Just(Mood::Other),
    ];
    let event = prop_oneof![
        (0_usize..3, mood).prop_map(|(member, mood)| Event::Mood(member, mood)),
        (0_u8..2).prop_map(Event::Sign),
        (0_u8..2).prop_map(Event::Sign),
        (0_u64..70).prop_map(Event::Pass),
        (0_u8..2).prop_map(Event::Ask),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Key 0 is recorded, key 1 is not.
    #[test]
    fn no_other_key_signs_and_no_failure_shows_while_one_member_is_well(
        events in events(),
        quorum in 2_usize..4,
    ) {
        let keys = [id(0), id(1)];
        let tokens = ["a", "b", "c"].map(|name| Token::new(name, &keys));
        let group = group(&tokens, quorum, &keys[..1]);
        // With all well the second key is agreed, and must not change any more.
        prop_assert_eq!(group.public_key(&id(1), Algorithm::Ed25519).unwrap(), public(&id(1), 1));
        for event in events {
            let out = [0, 1, 2].map(|at| {
                let is_out = matches!(presence(&group, at), MemberPresence::ShutOut(_));
                is_out.then(|| tokens[at].signed())
            });
            let is_pass = matches!(event, Event::Pass(_));
            let well = (0..3).any(|at| {
                presence(&group, at) == MemberPresence::In && tokens[at].mood() == Mood::Fine
            });
            match event {
                Event::Mood(member, mood) => tokens[member].set(mood),
                Event::Pass(seconds) => pass(&group, seconds),
                Event::Ask(key) => {
                    let shown = group.public_key(&id(key), Algorithm::Ed25519);
                    prop_assert!(shown.is_err() || shown == Ok(public(&id(key), FINE_SEED)));
                }
                Event::Sign(key) => {
                    let batch = batch(&id(key), 3);
                    match group.sign(&batch) {
                        Ok(signed) => prop_assert!(is_right(&id(key), &batch, &signed)),
                        Err(error) => prop_assert!(!well, "{}", error),
                    }
                }
            }
            for at in (0..3).filter(|_| !is_pass) {
                let is_out = matches!(presence(&group, at), MemberPresence::ShutOut(_));
                let is_still = out[at].is_none_or(|signed| is_out && signed == tokens[at].signed());
                prop_assert!(is_still, "only time brings a member back");
            }
        }
    }
}
