//! Random damage: signed streams are never taken with anything changed; unsigned ones never do
//! harm. 500 of each for zones, 300 for changes (R13, R14).

use std::sync::{Arc, Mutex};

use actors::io::transfer_client::Transfer;
use dnssec::transfer::schedule::How;
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey, TsigRecord};
use dnssec::{Name, Serial, Timestamp};
use zeroize::Zeroizing;

use crate::master::{Outcome, Sends, a, answer, ask, framed, soa};
use crate::random::Random;

const AXFR: How = How::Axfr { have: None };
const IXFR: How = How::Ixfr { from: Serial(5) };

fn key() -> Arc<TsigKey> {
    let name = Name::parse(b"transfer.key.", None).unwrap();
    Arc::new(TsigKey::new(name, TsigAlgorithm::HmacSha256, Zeroizing::new(vec![7; 32])))
}

fn records(how: How) -> Vec<Vec<u8>> {
    match how {
        How::Ixfr { .. } => vec![soa(9), soa(5), a(1), soa(9), a(2), a(3), soa(9)],
        How::Axfr { .. } => [soa(9)].into_iter().chain((0..20).map(a)).chain([soa(9)]).collect(),
    }
}

/// The messages of an answer, a few records in each; signed where the question is.
fn messages(question: &[u8], how: How, now: Timestamp) -> Vec<Vec<u8>> {
    let parts = records(how);
    let mut messages: Vec<Vec<u8>> = parts.chunks(4).map(|part| answer(question, part)).collect();
    if let Some(record) = TsigRecord::find(question).unwrap() {
        let mut signer = record.verify(question, Some(&key()), now).unwrap();
        messages.iter_mut().for_each(|message| signer.sign(message, now));
    }
    messages
}

/// Something goes wrong with the messages.
fn damage(messages: &mut Vec<Vec<u8>>, random: &mut Random) {
    let at = random.below(messages.len());
    match random.below(8) {
        0 => drop(messages.remove(at)),
        1 => messages.insert(at, messages[at].clone()),
        2 => {
            let other = random.below(messages.len());
            messages.swap(at, other);
        }
        3 => {
            let length = random.below(messages[at].len());
            messages[at].truncate(length);
        }
        4 => {
            let count = 1 + random.below(40);
            let octets = random.octets(count);
            messages[at].extend(octets);
        }
        5 => {
            let count = random.below(200);
            messages[at] = random.octets(count);
        }
        _ => {
            let bit = random.below(messages[at].len() * 8);
            messages[at][bit / 8] ^= 1 << (bit % 8);
        }
    }
}

/// Asks so many times, each time with other damage; how often it was taken.
async fn run(how: How, key: Option<Arc<TsigKey>>, count: usize) -> usize {
    let random = Arc::new(Mutex::new(Random::new()));
    let mut taken = 0;
    for number in 0..count {
        let (shared, is_same) = (Arc::clone(&random), Arc::new(Mutex::new(false)));
        let same = Arc::clone(&is_same);
        let now = now();
        let script = move |question: &[u8]| {
            let right = messages(question, how, now);
            let mut sent = right.clone();
            damage(&mut sent, &mut shared.lock().unwrap());
            *same.lock().unwrap() = framed(&sent).starts_with(&framed(&right));
            Sends::Once(framed(&sent))
        };
        let Outcome { result, files, read } = ask(how, key.as_ref(), script).await;
        // Damage may make another zone, or none, but never harm.
        assert_eq!(read.is_some(), matches!(result, Ok(Transfer::Whole { .. })));
        let is_taken = matches!(result, Ok(Transfer::Whole { .. } | Transfer::Steps { .. }));
        taken += usize::from(is_taken);
        // Damage after the end of a transfer is not looked at; a swap may be of one with itself.
        if key.is_some() && is_taken {
            assert!(*is_same.lock().unwrap(), "number {number}: {result:?}");
        }
        assert_eq!(files.len(), usize::from(matches!(result, Ok(Transfer::Whole { .. }))));
    }
    taken
}

fn now() -> Timestamp {
    actors::runtime::Clock::system().now()
}

#[tokio::test]
async fn signed_zones_are_never_taken_damaged() {
    println!("taken, since whole: {}", run(AXFR, Some(key()), 500).await);
}

#[tokio::test]
async fn signed_changes_are_never_taken_damaged() {
    println!("taken, since whole: {}", run(IXFR, Some(key()), 300).await);
}

#[tokio::test]
async fn damage_without_tsig_does_no_harm() {
    // A flipped bit in an address is no violation that anybody could see.
    println!("zones taken: {}", run(AXFR, None, 500).await);
    println!("changes taken: {}", run(IXFR, None, 300).await);
}
