//! Which keys are announced, state by state of their DS.

use super::*;
use crate::enforcer::{RecordLife, RecordState as S};
use crate::key::KeyRole;
use crate::{KeyTag, Timestamp};

fn key(byte: u8, ds: RecordState) -> KeyLife {
    let record = RecordLife { state: ds, since: Timestamp(0), confirmed: None };
    KeyLife {
        id: KeyId::new(&[byte; 4]).unwrap(),
        repository: "token".to_owned(),
        role: KeyRole::Ksk,
        algorithm: Algorithm::EcdsaP256Sha256,
        bits: 256,
        key_tag: KeyTag(u16::from(byte)),
        inception: Timestamp(0),
        introducing: true,
        purpose: Default::default(),
        revoked: None,
        is_anchor: false,
        minimize: Default::default(),
        ds_at_parent: Default::default(),
        ds_was_seen: false,
        backup: Default::default(),
        ds: Some(record),
        dnskey: RecordLife::default(),
        rrsig_dnskey: Some(RecordLife::default()),
        rrsig: None,
    }
}

fn dnskey_of(id: &KeyId) -> Option<Vec<u8>> {
    Some(vec![1, 1, 3, 13, id.as_bytes()[0]])
}

#[track_caller]
fn check(states: &[RecordState], wants_keys: bool, sync: ParentSync, algorithm_count: usize) {
    let keys = states.iter().zip(1..).map(|(ds, byte)| key(byte, *ds)).collect();
    let life = ZoneLife { keys, ..ZoneLife::default() };
    let mut policy = Policy::anchorite_default("token");
    if !wants_keys {
        policy.keys.keys.clear();
    }
    let silent = delegation(&life, &policy, dnskey_of).unwrap();
    assert_eq!(silent.sync, ParentSync::Silent);
    policy.parent.publishes_cds = true;
    let found = delegation(&life, &policy, dnskey_of).unwrap();
    assert_eq!((found.sync, found.ds_algorithms.len()), (sync, algorithm_count));
}

fn keys(bytes: &[u8]) -> ParentSync {
    ParentSync::Keys(bytes.iter().map(|byte| vec![1, 1, 3, 13, *byte]).collect())
}

#[test]
fn the_keys_whose_ds_is_to_be_there_are_announced() {
    check(&[S::Hidden], true, ParentSync::Silent, 0);
    check(&[S::Rumoured], true, keys(&[1]), 1);
    check(&[S::Omnipresent, S::Hidden], true, keys(&[1]), 1);
    check(&[S::Omnipresent, S::Rumoured], true, keys(&[1, 2]), 1);
    check(&[S::Unretentive, S::Rumoured], true, keys(&[2]), 1);
    check(&[S::Unretentive, S::Omnipresent], false, keys(&[2]), 1);
}

#[test]
fn removal_is_asked_for_on_the_way_to_unsigned_only() {
    check(&[S::Unretentive], true, ParentSync::Silent, 1);
    check(&[S::Unretentive], false, ParentSync::Delete, 1);
    check(&[S::Hidden], false, ParentSync::Silent, 0);
    check(&[], false, ParentSync::Silent, 0);
}

#[test]
fn records_have_the_forms_of_rfc8078_4_and_rfc7344_3() {
    let apex = Name::parse(b"Example.", None).unwrap();
    assert_eq!(ParentSync::Delete.cds(&apex), [[0; 5]]);
    assert_eq!(ParentSync::Delete.cdnskey(), [[0, 0, 3, 0, 0]]);
    let cds = keys(&[9]).cds(&apex);
    assert_eq!(cds, [ds_rdata(&apex, &[1, 1, 3, 13, 9], DigestType::Sha256)]);
    assert_eq!(keys(&[9]).cdnskey(), [[1, 1, 3, 13, 9]]);
}

#[test]
fn a_key_without_public_half_is_named() {
    let life = ZoneLife { keys: vec![key(1, S::Omnipresent)], ..ZoneLife::default() };
    let mut policy = Policy::anchorite_default("token");
    policy.parent.publishes_cds = true;
    let error = delegation(&life, &policy, |_| None).unwrap_err();
    assert_eq!(error.to_string(), "the public half of key 01010101 is not known");
}

/// Sets as texts: the last octets of their DNSKEYs, "-" before those that are withdrawn.
#[track_caller]
fn check_sets(states: &[(RecordState, bool)], sets: &[&str]) {
    let with = |((ds, is_published), byte): (&(RecordState, bool), u8)| {
        let mut key = key(byte, *ds);
        if *is_published {
            key.dnskey.state = S::Omnipresent;
        }
        key
    };
    let life = ZoneLife { keys: states.iter().zip(1..).map(with).collect(), ..Default::default() };
    let policy = Policy::anchorite_default("token");
    let found = delegation(&life, &policy, dnskey_of).unwrap().ds_sets;
    let text = |set: &DsSet| {
        let keys: Vec<String> = set.dnskeys.iter().map(|key| key[4].to_string()).collect();
        format!("{}{}", if set.is_withdrawn { "-" } else { "" }, keys.join(" "))
    };
    assert_eq!(found.iter().map(text).collect::<Vec<_>>(), sets);
}

#[test]
fn resolvers_may_follow_what_is_everywhere_with_any_of_what_comes_and_goes_rfc7583_3_3() {
    check_sets(&[], &[""]);
    check_sets(&[(S::Hidden, true)], &[""]);
    check_sets(&[(S::Rumoured, true)], &["", "1"]);
    check_sets(&[(S::Omnipresent, true), (S::Rumoured, true)], &["1", "1 2"]);
    check_sets(&[(S::Unretentive, true), (S::Rumoured, true)], &["", "2", "-1"]);
    check_sets(&[(S::Unretentive, true), (S::Omnipresent, true)], &["2", "-2 1"]);
    // Ahead of its DNSKEY: a roll of the DS first, a standby key of a new zone.
    check_sets(&[(S::Omnipresent, true), (S::Rumoured, false)], &["1", "1 2"]);
    check_sets(&[(S::Rumoured, true), (S::Rumoured, false)], &["", "1", "1 2"]);
}
