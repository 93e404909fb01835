//! The pure signing time of this machine: as many signatures as a signed zone has, made by the
//! built-in token on all cores, and nothing else. In: `pure-sign SIGNED_ZONE_FILE`, or a count of
//! signatures. Out: lines `signatures N`, `seconds S` and `rate R` on standard output. Limits:
//! ECDSA P-256; messages of 128 octets, about what a small RRset comes to.
#![forbid(unsafe_code)]

use anchorite_benches::{on_threads, token_with_keys};
use dnssec::Algorithm;
use hsm::{Packed, SignBatch};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::time::Instant;

/// As many as a chunk of a zone has, or so.
const BATCH_MESSAGES: usize = 128;
const MESSAGE_OCTETS: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [what] = words.as_slice() else {
        return Err("usage: pure-sign SIGNED_ZONE_FILE | COUNT".into());
    };
    let wanted = match what.parse() {
        Ok(count) => count,
        Err(_) => count_signatures(what)?,
    };
    let folder = tempfile::tempdir()?;
    let (token, keys) = token_with_keys(folder.path())?;
    let zsk = keys.last().ok_or("no key")?;
    let mut batches = Vec::new();
    let mut left = wanted;
    while left > 0 {
        let count = left.min(BATCH_MESSAGES);
        batches.push(batch(zsk.id.clone(), batches.len(), count)?);
        left -= count;
    }
    let threads = std::thread::available_parallelism()?.get();
    let started = Instant::now();
    let made = on_threads(threads, &batches, |batch| {
        token.sign(batch).map(|signatures| signatures.iter().count())
    });
    let seconds = started.elapsed().as_secs_f64();
    let made = made.into_iter().sum::<Result<usize, _>>()?;
    if made != wanted {
        return Err(format!("{made} signatures instead of {wanted}").into());
    }
    println!("signatures {made}\nseconds {seconds:.4}\nrate {:.0}", made as f64 / seconds);
    Ok(())
}

fn batch(key: dnssec::key::KeyId, number: usize, count: usize) -> Result<SignBatch, &'static str> {
    let mut messages = Packed::with_capacity(count, count * MESSAGE_OCTETS);
    for index in 0..count {
        let mut message = [0x5A; MESSAGE_OCTETS];
        message[..8].copy_from_slice(&(number * BATCH_MESSAGES + index).to_be_bytes());
        if !messages.push(&message) {
            return Err("a batch is too large");
        }
    }
    Ok(SignBatch { key, algorithm: Algorithm::EcdsaP256Sha256, messages })
}

/// Counts RRSIG records in a file with one record a line, as anchorite writes it.
fn count_signatures(path: &str) -> Result<usize, Box<dyn Error>> {
    let mut file = BufReader::new(std::fs::File::open(path)?);
    let (mut line, mut count) = (Vec::new(), 0);
    while file.read_until(b'\n', &mut line)? > 0 {
        // Owner, TTL, class, type.
        count += usize::from(line.split(|octet| *octet == b'\t').nth(3) == Some(b"RRSIG"));
        line.clear();
    }
    if count == 0 { Err(format!("{path} has no signatures").into()) } else { Ok(count) }
}
