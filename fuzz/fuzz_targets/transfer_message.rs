//! Requests and answers of transfers, their TSIGs among them: no panic, nothing verifies that was
//! not signed, and a refusal is never answered to by another. Updates and streams of transfers: no
//! panic, and what they make of a zone is one that could have been loaded.
#![no_main]

use std::sync::{Arc, LazyLock};

use dnssec::transfer::Rcode;
use dnssec::transfer::message::{AXFR, Answer, Request, query};
use dnssec::transfer::reception::{Carrier, Received, Reception, Taken, Wanted, each_record};
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey, TsigRecord, sign_request};
use dnssec::transfer::update::updated;
use dnssec::transfer::wire::{Head, read_name, record_at, skip_name};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::difference;
use dnssec::zone::load::{Limits, Loader, Place};
use dnssec::zone::patch::{apply, without_dnssec};
use dnssec::{Name, RrType, Serial, Timestamp, Ttl};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_790_000_000);
const PLACE: Place = Place { source: 0, line: 0 };
const LIMITS: Limits =
    Limits { record_count_max: 1000, byte_count_max: 1 << 20, rrset_record_count_max: 1000 };
/// `zone.example.` with serial 7: some records of each kind.
static ZONE: LazyLock<ZoneVersion> = LazyLock::new(|| {
    let numbers = [7_u32, 1800, 900, 604_800, 300].map(u32::to_be_bytes).concat();
    let soa = [name("ns.").as_wire(), name("host.").as_wire(), &numbers].concat();
    let digest = [&[0, 1, 13, 2][..], &[7; 32]].concat();
    let mut loader = Loader::new(&name(""), Limits::default());
    for (owner, rtype, rdata) in [
        ("", RrType::SOA, &soa[..]),
        ("", RrType::NS, name("ns.").as_wire()),
        ("ns.", RrType::A, &[192, 0, 2, 1]),
        ("a.ent.", RrType::TXT, b"\x01x"),
        ("alias.", RrType::CNAME, name("ns.").as_wire()),
        ("sub.", RrType::NS, name("ns.sub.").as_wire()),
        ("ns.sub.", RrType::A, &[192, 0, 2, 2]),
        ("sub.", RrType::DS, &digest),
    ] {
        loader.add(&name(owner), rtype, Ttl(60), rdata, PLACE).expect("a record of a zone");
    }
    loader.finish().expect("a zone").version
});

/// A name in the zone.
fn name(text: &str) -> Name {
    Name::parse(format!("{text}zone.example.").as_bytes(), None).expect("a name")
}

fuzz_target!(|data: &[u8]| {
    message(data);
    // The same octets as what stands behind a head that is right, so that it is looked at.
    if let Some((counts, rest)) = data.split_first_chunk::<2>() {
        update(
            &[head(0x28, [1, counts[0].into(), counts[1].into(), 0], RrType::SOA), rest.to_vec()]
                .concat(),
        );
    }
    update(data);
    stream(Wanted::Axfr { have: None }, data);
    stream(Wanted::Ixfr { from: Serial(7) }, data);
});

fn message(data: &[u8]) {
    let own = Name::parse(b"key.example.", None).expect("a name");
    // The fuzzer does not know the secret: what it makes cannot verify.
    let secret = b"a secret that no input has".to_vec().into();
    let key = Arc::new(TsigKey::new(own, TsigAlgorithm::HmacSha256, secret));
    match Request::decode(data) {
        Ok(request) => {
            let mut answer = Answer::new(&request, Rcode::REFUSED).finish(512);
            if let Some(record) = &request.tsig {
                let rejected = record.verify(data, Some(&key), NOW).expect_err("a forgery");
                rejected.append_to(&mut answer, NOW);
            }
            assert!(Head::read(&answer).is_some_and(|head| head.is_response));
        }
        Err(refused) => {
            let again = refused.answer().map(|answer| Request::decode(&answer));
            assert!(again.is_none_or(|again| again.is_err_and(|e| e.answer().is_none())));
        }
    }
    let _ = TsigRecord::find(data);
    let mut asked = query(7, &name(""), AXFR, None);
    let _ = asked.response(data);
    let mut verifier = sign_request(&key, &mut asked.octets, NOW);
    assert!(verifier.verify(data, NOW).is_err());
    for at in 0..data.len().min(64) {
        if let Some((_, end)) = read_name(data, at) {
            assert_eq!(skip_name(data, at), Some(end));
        }
        let _ = record_at(data, at);
    }
}

/// A head, and a question for the zone.
fn head(flags: u8, counts: [u16; 4], rtype: RrType) -> Vec<u8> {
    let numbers = counts.map(u16::to_be_bytes).concat();
    let question = [rtype.0, 1].map(u16::to_be_bytes).concat();
    [&[0, 7, flags, 0], &numbers[..], name("").as_wire(), &question].concat()
}

fn update(message: &[u8]) {
    let Ok(Some(made)) = updated(message, &ZONE) else { return };
    assert!(made.version.serial().is_some_and(|serial| serial.is_after(Serial(7))));
    is_a_zone(&made.version);
    let again = apply(&ZONE, &made.difference).expect("the difference leads there");
    assert!(difference(&made.version, &again).is_empty());
}

/// Octets as messages: each has the count of its records and its length before it.
fn stream(wanted: Wanted, data: &[u8]) {
    let mut reception = Reception::new(&name(""), 7, wanted, Carrier::Stream, LIMITS);
    let (mut rest, mut messages) = (data, Vec::new());
    let complete = loop {
        let Some(([count, high, low], after)) = rest.split_first_chunk::<3>() else { return };
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (records, after) = after.split_at(length);
        rest = after;
        let head = head(0x84, [1, (*count).into(), 0, 0], wanted.rtype());
        messages.push([&head, records].concat());
        match reception.take(messages.last().expect("one was pushed")) {
            Ok(Taken::More) => {}
            Ok(Taken::Complete) => break reception.finish().expect("it is complete"),
            Ok(_) | Err(_) => return,
        }
    };
    match complete {
        Received::Steps { from, to, steps } => {
            assert!(from == Serial(7) && to.is_after(from));
            let mut version = ZONE.clone();
            for step in &steps {
                let Ok(bare) = without_dnssec(&version.apex, step) else { return };
                let Ok(next) = apply(&version, &bare) else { return };
                is_a_zone(&next);
                version = next;
            }
            assert_eq!(version.serial(), Some(to));
        }
        Received::Whole { serial, .. } => {
            let mut loader = Loader::new(&name(""), LIMITS);
            let all = messages.iter().try_for_each(|message| {
                each_record(message, |owner, rtype, ttl, rdata| {
                    loader.add(owner, rtype, ttl, rdata, PLACE)
                })
            });
            if let (Ok(()), Ok(loaded)) = (all, loader.finish()) {
                assert_eq!(loaded.version.serial(), Some(serial));
            }
        }
    }
}

/// What is in a version could have been loaded.
fn is_a_zone(version: &ZoneVersion) {
    let mut loader = Loader::new(&version.apex, Limits::default());
    for owner in version.chunks().flat_map(|chunk| chunk.owners()) {
        let mut wire = Vec::new();
        dnssec::zone::key::key_to_wire(&version.apex, owner.key(), &mut wire);
        let (own, _) = Name::from_wire(&wire).expect("an owner");
        for rrset in owner.rrsets() {
            for rdata in rrset.rdatas() {
                loader.add(&own, rrset.rtype, rrset.ttl, rdata, PLACE).expect("a record");
            }
        }
    }
    let loaded = loader.finish().expect("a zone").version;
    assert_eq!(loaded.serial(), version.serial());
    assert_eq!(loaded.record_count(), version.record_count());
}
