//! Values: every record comes back, the bytes are those of `FORMAT.md`, other bytes are errors.

use super::*;
use crate::state::{Cause, HistoryEntry, User};
use dnssec::enforcer::history::KeyEvent;
use proptest::prelude::*;

#[track_caller]
fn problem<T: std::fmt::Debug>(result: Result<T, Failure>) -> ValueProblem {
    match result {
        Err(Failure::Value { problem, .. }) => problem,
        Err(_) => panic!("another failure"),
        Ok(value) => panic!("{value:?}"),
    }
}

/// Released bytes never change their meaning: these are the example of `FORMAT.md`.
#[test]
fn the_bytes_of_format_md() {
    let zone = ZoneState {
        policy: "lab".to_owned(),
        input_serial: Some(Serial(5)),
        output_serial: Some(Serial(300)),
        generation: 2,
        signed_at: None,
        denial: Some(Denial::Nsec3 {
            hash_algorithm: 1,
            iterations: 0,
            salt: vec![0xAB],
            opt_out: true,
        }),
        last_published: Some(Timestamp(7)),
    };
    let bytes = [0, 3, b'l', b'a', b'b', 1, 5, 1, 0xAC, 2, 2, 0, 1, 1, 1, 0, 1, 0xAB, 1, 1, 7];
    assert_eq!(encode_zone(&zone).ok(), Some(bytes.to_vec()));
    let drawn: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(include_str!("../../../FORMAT.md").contains(&drawn.join(" ")));
    assert_eq!(decode_zone(&bytes).ok(), Some(zone));
    for end in 0..bytes.len() {
        assert_eq!(problem(decode_zone(&bytes[..end])), ValueProblem::Malformed);
    }
    let surplus = [&bytes[..], &[0]].concat();
    assert_eq!(problem(decode_zone(&surplus)), ValueProblem::Malformed);
}

/// Entries of both versions are read; the newer one is the example of `FORMAT.md`.
#[test]
fn history_of_an_earlier_version_is_read() {
    let of = |cause: Cause| HistoryEntry {
        at: Timestamp(300),
        cause,
        events: vec![(KeyId::new(&[0xCA, 0xFE]).unwrap(), KeyEvent::Revoked)],
    };
    let old = [0, 0xAC, 2, 4, b'p', b'a', b's', b's', 1, 2, 0xCA, 0xFE, 5];
    assert_eq!(life::decode_entry(&old).ok(), Some(of("pass".into())));
    let by = Some(User { id: 1000, name: Some("eve".to_owned()) });
    let entry = of(Cause { text: "roll".to_owned(), by });
    let bytes = [
        1, 0xAC, 2, 4, b'r', b'o', b'l', b'l', 1, 0xE8, 7, 1, 3, b'e', b'v', b'e', 1, 2, 0xCA,
        0xFE, 5,
    ];
    assert_eq!(life::encode_entry(&entry).ok(), Some(bytes.to_vec()));
    assert_eq!(life::decode_entry(&bytes).ok(), Some(entry));
    let drawn: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(include_str!("../../../FORMAT.md").contains(&drawn.join(" ")));
    let newer = [&[2], &bytes[1..]].concat();
    assert_eq!(problem(life::decode_entry(&newer)), ValueProblem::Newer { version: 2 });
    assert_eq!(problem(decode_zone(&[1, 0])), ValueProblem::Newer { version: 1 });
}

#[test]
fn keys_with_impossible_fields_are_malformed() {
    let key = KeyRecord {
        id: KeyId::new(b"0123456789abcdef").unwrap(),
        repository: "hsm".to_owned(),
        role: KeyRole::Csk,
        algorithm: Algorithm::Ed25519,
        bits: 256,
        flags: 257,
        public_key: Some(vec![9; 32]),
        owner: KeyOwner::Zone(Box::new(Name::parse(b"Example.", None).unwrap())),
        inception: Timestamp(1),
        state: KeyState::Removing,
        backup: BackupState::Requested,
    };
    let bytes = encode_key(&key).ok().unwrap();
    assert_eq!(decode_key("hsm", key.id.as_bytes(), &bytes).ok(), Some(key));
    let malformed = |id: &[u8], bytes: &[u8]| {
        assert_eq!(problem(decode_key("hsm", id, bytes)), ValueProblem::Malformed);
    };
    malformed(b"", &bytes);
    let mut unknown_algorithm = bytes.clone();
    unknown_algorithm[2] = 99;
    malformed(b"id", &unknown_algorithm);
    let mut torn_name = bytes.clone();
    let length_octet = bytes.iter().position(|byte| *byte == b'E').unwrap() - 1;
    torn_name[length_octet] = 60;
    malformed(b"id", &torn_name);
}

proptest! {
    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = decode_policy(&bytes).is_ok();
        let _ = decode_zone(&bytes).is_ok();
        let _ = decode_key("hsm", b"id", &bytes).is_ok();
    }

    #[test]
    fn policies_come_back(salt in proptest::collection::vec(any::<u8>(), 0..256), at: u64) {
        let policy = PolicyState { salt, salt_changed: Timestamp(at) };
        let bytes = encode_policy(&policy).ok().unwrap();
        prop_assert_eq!(bytes[0], 0);
        prop_assert_eq!(decode_policy(&bytes).ok(), Some(policy));
    }
}
