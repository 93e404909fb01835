//! What answers and rounds of them mean. The zone is example.com; its parent is com.

use super::*;
use crate::enforcer::DsShown::{self, Everywhere, Nowhere, Somewhere};
use crate::key::{DigestType, ds_rdata};
use crate::{Name, RrType, Ttl};
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn zone() -> Name {
    name("example.com.")
}

fn dnskey(number: u8) -> Vec<u8> {
    [&[1, 1, 3, 13][..], &[number; 64]].concat()
}

fn record(owner: &str, rtype: RrType, ttl: u32, rdata: &[u8]) -> AnswerRecord {
    AnswerRecord { owner: name(owner), rtype, ttl: Ttl(ttl), rdata: rdata.to_vec() }
}

fn ds(number: u8) -> AnswerRecord {
    let rdata = ds_rdata(&zone(), &dnskey(number), DigestType::Sha256);
    record("Example.COM.", RrType::DS, 300, &rdata)
}

fn rrsig(signer: &str) -> AnswerRecord {
    let rdata = [&[0; 18][..], name(signer).as_wire(), &[7; 64]].concat();
    record("example.com.", RrType::RRSIG, 300, &rdata)
}

fn response(answers: &[AnswerRecord], authorities: &[AnswerRecord]) -> Response {
    Response {
        rcode: 0,
        is_authoritative: true,
        answers: answers.to_vec(),
        authorities: authorities.to_vec(),
    }
}

fn soa(owner: &str) -> [AnswerRecord; 1] {
    [record(owner, RrType::SOA, 900, &[])]
}

fn read(response: &Response) -> Result<ShownDs, Unusable> {
    read_response(&zone(), response)
}

#[test]
fn a_ds_rrset_counts_with_its_ttl() {
    let other = record("sub.example.com.", RrType::DS, 9000, &[1]);
    let shown = read(&response(&[ds(1), rrsig("com."), ds(2), other], &[])).unwrap();
    assert_eq!((shown.records.len(), shown.ttl), (2, Ttl(300)));
}

#[test]
fn no_ds_is_believed_from_above_only_rfc4035_3_1_4_1() {
    for (owner, expected) in [
        ("com.", Ok(ShownDs::default())),
        (".", Ok(ShownDs::default())),
        // A server of the zone itself, which is also asked for its DS by mistake.
        ("EXAMPLE.com.", Err(Unusable::OfTheChild)),
        ("org.", Err(Unusable::NoSoa)),
        ("sub.example.com.", Err(Unusable::NoSoa)),
    ] {
        assert_eq!(read(&response(&[], &soa(owner))), expected, "{owner}");
        let nx = Response { rcode: 3, ..response(&[], &soa(owner)) };
        assert_eq!(read(&nx), expected, "{owner}");
    }
    assert_eq!(read(&response(&[], &[])), Err(Unusable::NoSoa));
    let two = [soa("com."), soa("example.com.")].concat();
    assert_eq!(read(&response(&[], &two)), Err(Unusable::NoSoa));
}

#[test]
fn what_says_nothing_is_unusable() {
    let good = response(&[ds(1)], &[]);
    let resolver = Response { is_authoritative: false, ..good.clone() };
    assert_eq!(read(&resolver), Err(Unusable::NotAuthoritative));
    for rcode in [1, 2, 4, 5, 9, 23] {
        assert_eq!(read(&Response { rcode, ..good.clone() }), Err(Unusable::Rcode(rcode)));
    }
    assert_eq!(read(&Response { rcode: 3, ..good }), Err(Unusable::Rcode(3)));
    let child = response(&[ds(1), rrsig("example.com.")], &[]);
    assert_eq!(read(&child), Err(Unusable::OfTheChild));
    let cut = record("example.com.", RrType::RRSIG, 300, &[0; 18]);
    assert_eq!(read(&response(&[ds(1), cut], &[])), Err(Unusable::OfTheChild));
    let alias = record("example.com.", RrType::CNAME, 300, &[]);
    assert_eq!(read(&response(&[alias], &soa("com."))), Err(Unusable::Alias));
}

/// Rounds about one key; `say` is a letter for each server: `y` shows it, `n` has another, `-`
/// has none, `?` a digest nobody knows, `x` is silent, `u` says nothing usable.
struct Played {
    rounds: Rounds,
    comes: bool,
}

impl Played {
    fn new() -> Played {
        Played { rounds: Rounds::default(), comes: true }
    }

    fn keys(&self) -> Vec<WatchedKey> {
        let id = KeyId::new(&[1]).unwrap();
        vec![WatchedKey { id, dnskey: dnskey(1), comes: self.comes }]
    }

    fn heard(letter: char) -> Heard {
        let shown = |records: Vec<AnswerRecord>| {
            Heard::Shown(ShownDs {
                ttl: records.first().map_or(Ttl(0), |record| record.ttl),
                records: records.into_iter().map(|record| record.rdata).collect(),
            })
        };
        match letter {
            'y' => shown(vec![ds(2), ds(1)]),
            'n' => shown(vec![ds(2)]),
            '-' => shown(Vec::new()),
            '?' => {
                let mut unknown = ds(1);
                unknown.rdata[3] = 5;
                shown(vec![unknown])
            }
            'u' => Heard::Unusable(Unusable::Rcode(5)),
            _ => Heard::Silent("no answer".to_owned()),
        }
    }

    #[track_caller]
    fn says(&mut self, say: &str, at: u64, shown: DsShown, since: u64) {
        let answers: Vec<Heard> = say.chars().map(Played::heard).collect();
        let sightings = self.rounds.take(&zone(), &self.keys(), &answers, Timestamp(at));
        let [one] = sightings.of_keys.as_slice() else { panic!("{sightings:?}") };
        assert_eq!((one.shown, one.since), (shown, Timestamp(since)), "{say}");
    }
}

#[test]
fn every_server_has_to_agree() {
    let mut played = Played::new();
    played.says("--", 10, Nowhere, 10);
    played.says("nn", 20, Nowhere, 10);
    played.says("yn", 30, Somewhere, 30);
    played.says("yy", 40, Everywhere, 40);
    played.says("yy", 50, Everywhere, 40);
    played.says("y?", 60, Somewhere, 60);
    played.says("yyu", 70, Somewhere, 60);
    // The unclear answer was contrary, so the wait begins anew.
    played.says("yyy", 80, Everywhere, 80);
}

#[test]
fn silence_stops_but_takes_nothing_back() {
    let mut played = Played::new();
    played.says("yy", 10, Everywhere, 10);
    played.says("yx", 20, Somewhere, 20);
    played.says("xx", 30, Somewhere, 20);
    played.says("yy", 40, Everywhere, 10);
    played.says("nx", 50, Somewhere, 50);
    played.says("yy", 60, Everywhere, 60);
}

#[test]
fn nobody_asked_means_nothing() {
    Played::new().says("", 10, Somewhere, 10);
    Played::new().says("xx", 10, Somewhere, 10);
}

#[test]
fn a_key_that_turns_round_begins_anew() {
    let mut played = Played::new();
    played.says("--", 10, Nowhere, 10);
    played.comes = false;
    played.says("--", 20, Nowhere, 20);
}

#[test]
fn digests_of_every_known_type_are_ours_and_others_are_not() {
    for digest_type in [DigestType::Sha1, DigestType::Sha256, DigestType::Sha384] {
        let mut record = ds_rdata(&zone(), &dnskey(1), digest_type);
        let check = |record: &[u8], expected| {
            let shown = ShownDs { records: vec![record.to_vec()], ttl: Ttl(5) };
            let keys = Played::new().keys();
            let heard = [Heard::Shown(shown)];
            let sightings = Rounds::default().take(&zone(), &keys, &heard, Timestamp(1));
            assert_eq!(sightings.of_keys[0].shown, expected);
        };
        check(&record, Everywhere);
        *record.last_mut().unwrap() ^= 1;
        check(&record, Nowhere);
    }
}

#[test]
fn the_largest_ttl_seen_stays_and_has_a_bound() {
    let mut rounds = Rounds::default();
    let keys = Played::new().keys();
    let mut take = |ttl: u32| {
        let heard = [Heard::Shown(ShownDs { records: vec![ds(2).rdata], ttl: Ttl(ttl) })];
        rounds.take(&zone(), &keys, &heard, Timestamp(1)).of_keys[0].ttl
    };
    assert_eq!([take(60), take(7200), take(60)].map(|ttl| ttl.0), [60, 7200, 7200]);
    assert_eq!(take(u32::MAX), TTL_SEEN_MAX);
}

#[test]
fn what_was_seen_goes_stale() {
    let seen = Sightings { at: Timestamp(1000), of_keys: Vec::new(), sets: Vec::new() };
    let check = |interval, now, expected| {
        assert_eq!(seen.are_fresh(Seconds(interval), Timestamp(now)), expected);
    };
    check(600, 2800, true);
    check(600, 2801, false);
    check(1, 1060, true);
    check(1, 1061, false);
}

#[test]
fn people_are_told_who_does_not_agree() {
    let address = |n: u8| format!("192.0.2.{n}:53").parse().unwrap();
    let told = |say: &str| {
        let heard = say.chars().map(Played::heard).zip(1..).map(|(heard, n)| (address(n), heard));
        disagreement(&zone(), &Played::new().keys(), &heard.collect::<Vec<_>>())
    };
    assert_eq!(told("yy"), None);
    assert_eq!(told("-n"), None);
    let tag = crate::key::key_tag(&dnskey(1));
    let split = format!(
        "192.0.2.3:53: it answers with RCODE 5; 192.0.2.4:53: no answer; the DS of key tag {tag} \
         is on 192.0.2.1:53, but not on 192.0.2.2:53"
    );
    assert_eq!(told("y-ux"), Some(split));
    assert!(told("?").unwrap().contains("unknown digest"));
}

proptest! {
    /// Whatever servers say: "everywhere" and "nowhere" only when each of them said so.
    #[test]
    fn nothing_is_believed_by_halves(says in proptest::collection::vec("[yn?ux-]{1,4}", 1..12)) {
        let mut played = Played::new();
        for (at, say) in (1..).zip(&says) {
            let answers: Vec<Heard> = say.chars().map(Played::heard).collect();
            let sightings = played.rounds.take(&zone(), &played.keys(), &answers, Timestamp(at));
            let one = &sightings.of_keys[0];
            prop_assert_eq!(one.shown == Everywhere, say.chars().all(|letter| letter == 'y'));
            let is_away = say.chars().all(|letter| "n-".contains(letter));
            prop_assert_eq!(one.shown == Nowhere, is_away);
            // No contrary answer since then.
            let contrary = |say: &String| match one.shown {
                Everywhere => say.contains(['n', '-', '?']),
                Nowhere => say.contains(['y', '?']),
                Somewhere => false,
            };
            let since = one.since.0 as usize - 1;
            prop_assert!(!says[since..at as usize].iter().any(contrary));
        }
    }

    /// No RDATA from outside panics.
    #[test]
    fn any_rdata_is_survived(
        records in proptest::collection::vec(
            (0..60_u16, proptest::collection::vec(any::<u8>(), 0..80)),
            0..6,
        )
    ) {
        let records: Vec<AnswerRecord> = records
            .iter()
            .map(|(rtype, rdata)| record("example.com.", RrType(*rtype), 1, rdata))
            .collect();
        if let Ok(shown) = read(&response(&records, &records)) {
            let heard = [Heard::Shown(shown)];
            Rounds::default().take(&zone(), &Played::new().keys(), &heard, Timestamp(1));
        }
    }
}
