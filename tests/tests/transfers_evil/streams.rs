//! One violation at a time: each is an error, and nothing of it stays.

use std::time::{Duration, Instant};

use actors::io::transfer_client::Transfer;
use dnssec::Serial;
use dnssec::transfer::schedule::How;

use crate::master::{Outcome, PATIENCE, Sends, a, answer, ask, framed, record, soa};
use crate::random::Random;

const AXFR: How = How::Axfr { have: None };
const IXFR: How = How::Ixfr { from: Serial(5) };

/// A whole zone of two hundred addresses, in messages of twenty.
fn whole() -> Vec<Vec<u8>> {
    let addresses = (0..200).map(a);
    [soa(9)].into_iter().chain(addresses).chain([soa(9)]).collect()
}

/// Two steps: from 5 to 7, and to 9.
fn steps() -> Vec<Vec<u8>> {
    let first = [soa(5), a(1), soa(7), a(2)];
    let second = [soa(7), a(2), soa(9), a(3)];
    [soa(9)].into_iter().chain(first).chain(second).chain([soa(9)]).collect()
}

fn messages(question: &[u8], records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    records.chunks(20).map(|part| answer(question, part)).collect()
}

/// The records with one changed.
fn with(mut records: Vec<Vec<u8>>, at: usize, other: Vec<u8>) -> Vec<Vec<u8>> {
    records[at] = other;
    records
}

async fn refused(what: &str, how: How, script: impl Fn(&[u8]) -> Sends + Send + 'static) {
    let began = Instant::now();
    let Outcome { result, files, .. } = ask(how, None, script).await;
    let error = match result {
        Err(error) => error,
        Ok(transfer) => panic!("{what}: taken as {transfer:?}"),
    };
    println!("{what}: {error} ({:?})", began.elapsed());
    assert_eq!(files, [] as [&str; 0], "{what}: left on disk");
    // The limit of the whole, and much for a machine with other things to do.
    assert!(began.elapsed() < PATIENCE * 20 + Duration::from_secs(20), "{what}");
}

async fn refused_records(what: &str, how: How, records: Vec<Vec<u8>>) {
    refused(what, how, move |question| Sends::Once(framed(&messages(question, &records)))).await;
}

#[tokio::test]
async fn what_is_right_is_taken() {
    let axfr = |question: &[u8]| Sends::Once(framed(&messages(question, &whole())));
    let Outcome { result, files, read } = ask(AXFR, None, axfr).await;
    assert!(matches!(result, Ok(Transfer::Whole { serial: Serial(9), .. })), "{result:?}");
    assert_eq!(files, ["example.received"]);
    // Two hundred addresses and one SOA.
    assert!(matches!(read, Some(Ok(201))), "{read:?}");
    let ixfr = |question: &[u8]| Sends::Once(framed(&messages(question, &steps())));
    let Outcome { result, files, .. } = ask(IXFR, None, ixfr).await;
    let Ok(Transfer::Steps { from: Serial(5), to: Serial(9), steps }) = result else { panic!() };
    assert_eq!((steps.len(), files.len()), (2, 0));
}

#[tokio::test]
async fn heads_that_are_no_answer() {
    let changed = |what: &'static str, at: usize, bits: u8| async move {
        refused(what, AXFR, move |question| {
            let mut messages = messages(question, &whole());
            messages[0][at] ^= bits;
            Sends::Once(framed(&messages))
        })
        .await;
    };
    changed("another id", 1, 1).await;
    changed("no response", 2, 0x80).await;
    changed("another opcode", 2, 0x20).await;
    changed("cut short", 2, 0x02).await;
    changed("REFUSED", 3, 5).await;
    changed("SERVFAIL", 3, 2).await;
    changed("another name in the question", 14, 1).await;
    changed("another type in the question", 22, 1).await;
    changed("another class in the question", 24, 2).await;
    changed("two questions", 5, 3).await;
    changed("more records than there are", 7, 64).await;
    refused("another id later on", AXFR, |question| {
        let mut messages = messages(question, &whole());
        messages[3][0] ^= 1;
        Sends::Once(framed(&messages))
    })
    .await;
}

#[tokio::test]
async fn records_that_do_not_belong() {
    let at = 50;
    let wrong: Vec<(&str, Vec<u8>)> = vec![
        ("another zone's name", record(b"\x05other\x00", 1, 1, &[192, 0, 2, 1])),
        ("a name that ends like the zone", record(b"\x08xexample\x00", 1, 1, &[192, 0, 2, 1])),
        ("class CH", record(b"\x01x\x07example\x00", 1, 3, &[192, 0, 2, 1])),
        // The eleventh of its message: 25 octets of head and question, ten records of 30.
        ("a name that points at itself", record(b"\xC1\x45", 1, 1, &[192, 0, 2, 1])),
        ("a loop through a label", record(b"\x01x\xC1\x45", 1, 1, &[192, 0, 2, 1])),
        ("a pointer beyond the end", record(b"\xFF\xFF", 1, 1, &[192, 0, 2, 1])),
        ("an unknown kind of label", record(b"\x41x\x07example\x00", 1, 1, &[192, 0, 2, 1])),
        ("an address of five octets", record(b"\x01x\x07example\x00", 1, 1, &[1, 2, 3, 4, 5])),
        ("a torn name in the data", record(b"\x01x\x07example\x00", 2, 1, b"\x05ab")),
        ("data after the name", record(b"\x01x\x07example\x00", 2, 1, b"\x01a\x00\x00")),
        ("an SOA below the apex", record(b"\x01x\x07example\x00", 6, 1, &[0; 22])),
        ("a question's type as a record", record(b"\x01x\x07example\x00", 252, 1, &[])),
        ("OPT as a record", record(b"\x00", 41, 1232, &[])),
    ];
    for (what, record) in wrong {
        let records = with(whole(), at, record);
        let script = move |question: &[u8]| Sends::Once(framed(&messages(question, &records)));
        let Outcome { result, read, .. } = ask(AXFR, None, script).await;
        // Either the client sees it, or the reader of what it received.
        match (result, read) {
            (Err(error), None) => println!("{what}: {error}"),
            (Ok(_), Some(Err(error))) => println!("{what}: {error}"),
            (result, read) => panic!("{what}: {result:?}, {read:?}"),
        }
    }
}

#[tokio::test]
async fn zones_without_their_frame() {
    let mut records = whole();
    records.pop();
    refused_records("no final SOA", AXFR, records.clone()).await;
    refused("no final SOA, and no end", AXFR, move |question| {
        Sends::AndHangs(framed(&messages(question, &records)))
    })
    .await;
    refused_records("no first SOA", AXFR, whole()[1..].to_vec()).await;
    refused_records("another final SOA", AXFR, with(whole(), 201, soa(10))).await;
    refused_records("more after the final SOA", AXFR, [whole(), vec![a(900)]].concat()).await;
    refused("no record at all", AXFR, |question| Sends::Once(framed(&[answer(question, &[])])))
        .await;
    refused("nothing", AXFR, |_| Sends::Once(Vec::new())).await;
    refused("an empty message", AXFR, |_| Sends::Once(vec![0, 0])).await;
}

#[tokio::test]
async fn whoever_never_ends_is_left() {
    refused("records for ever", AXFR, |question| {
        let more: Vec<Vec<u8>> = (0..500).map(a).collect();
        let first = framed(&[answer(question, &[soa(9)])]);
        Sends::ForEver(first, framed(&[answer(question, &more)]))
    })
    .await;
    refused("messages without records for ever", AXFR, |question| {
        let first = framed(&[answer(question, &[soa(9)])]);
        Sends::ForEver(first, framed(&[answer(question, &[])]))
    })
    .await;
    refused("zeros for ever", AXFR, |_| Sends::ForEver(Vec::new(), vec![0; 65_536])).await;
    refused("not a word", AXFR, |_| Sends::AndHangs(Vec::new())).await;
    refused("half a length", AXFR, |_| Sends::AndHangs(vec![1])).await;
    refused("an octet at a time", AXFR, |question| {
        Sends::BitByBit(framed(&messages(question, &whole())), PATIENCE / 6)
    })
    .await;
}

#[tokio::test]
async fn changes_that_do_not_fit_together() {
    let step = |from: u32, to: u32| vec![soa(from), a(1), soa(to), a(2)];
    let all = |serial: u32, steps: &[Vec<Vec<u8>>]| {
        [vec![soa(serial)], steps.concat(), vec![soa(serial)]].concat()
    };
    refused_records("a gap", IXFR, all(9, &[step(5, 6), step(7, 9)])).await;
    refused_records("another start", IXFR, all(9, &[step(4, 9)])).await;
    refused_records("another end", IXFR, all(9, &[step(5, 8)])).await;
    refused_records("backwards", IXFR, all(9, &[step(5, 4), step(4, 9)])).await;
    refused_records("round in a circle", IXFR, all(9, &[step(5, 7), step(7, 5), step(5, 9)])).await;
    refused_records("a step to itself", IXFR, all(9, &[step(5, 5), step(5, 9)])).await;
    refused_records("cut in the deletions", IXFR, steps()[..3].to_vec()).await;
    refused_records("cut in the additions", IXFR, steps()[..5].to_vec()).await;
    refused_records("cut before the final SOA", IXFR, steps()[..9].to_vec()).await;
    refused_records("a whole zone, cut in half", IXFR, whole()[..100].to_vec()).await;
    refused_records("more after the end", IXFR, [steps(), vec![a(9)]].concat()).await;
}

#[tokio::test]
async fn an_older_serial_is_not_taken() {
    let older = |question: &[u8]| Sends::Once(framed(&[answer(question, &[soa(4)])]));
    let Outcome { result, files, .. } = ask(IXFR, None, older).await;
    assert!(matches!(result, Ok(Transfer::Older { serial: Serial(4) })), "{result:?}");
    assert_eq!(files.len(), 0);
}

#[tokio::test]
async fn streams_cut_anywhere() {
    let mut random = Random::new();
    for _ in 0..100 {
        let share = random.below(1 << 20);
        for how in [AXFR, IXFR] {
            refused("cut", how, move |question| {
                let records = if how == AXFR { whole() } else { steps() };
                let octets = framed(&messages(question, &records));
                Sends::Once(octets[..(octets.len() * share) >> 20].to_vec())
            })
            .await;
        }
    }
}
