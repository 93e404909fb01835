//! Masters that send very much, or very slowly (R13): memory and time stay within what was set.
//! Small sizes as long as `EVIL=full` is not given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actors::io::transfer_client::{Transfer, Waits};
use dnssec::transfer::schedule::How;
use dnssec::zone::load::Limits;

use crate::is_full;
use crate::master::{Outcome, PATIENCE, Sends, a, answer, ask_within, framed, record, soa};

const AXFR: How = How::Axfr { have: None };
/// Records in a message.
const MESSAGE_RECORDS: u32 = 1000;
/// Memory of this process, which is the master, too, beyond what records of the zone have.
const GROWTH_KIB_MAX: u64 = 96 << 10;
/// Records that the buffers of two sockets may hold.
const BUFFERED_MAX: u32 = 400_000;
/// Octets of memory for each record while a zone is read.
const RECORD_OCTETS_MAX: u64 = 160;

fn record_count() -> u32 {
    if is_full() { 10_000_000 } else { 100_000 }
}

/// An address; names in no order.
fn host(number: u32) -> Vec<u8> {
    let label = format!("{:08x}", number.wrapping_mul(0x9E37_79B1));
    record(&[b"\x08", label.as_bytes(), b"\x07example\x00"].concat(), 1, 1, &[192, 0, 2, 1])
}

/// A zone of so many addresses; `sent` counts them.
fn hosts(question: &[u8], count: u32, sent: Arc<AtomicU32>) -> Sends {
    let question = question.to_vec();
    let ends = [0, count].map(|_| framed(&[answer(&question, &[soa(9)])]));
    let parts = (0..count.div_ceil(MESSAGE_RECORDS)).map(move |part| {
        let first = part * MESSAGE_RECORDS;
        let records: Vec<Vec<u8>> = (first..count.min(first + MESSAGE_RECORDS)).map(host).collect();
        sent.fetch_add(records.len() as u32, Ordering::Relaxed);
        framed(&[answer(&question, &records)])
    });
    let [first, last] = ends;
    Sends::Parts(Box::new([first].into_iter().chain(parts).chain([last])))
}

/// Most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// All are taken where so many are allowed, on disk first and then packed.
#[tokio::test]
async fn a_very_large_zone_costs_what_its_records_cost() {
    let (count, began, before) = (record_count(), Instant::now(), peak());
    let script = move |question: &[u8]| hosts(question, count, Arc::default());
    let limits = (Limits::default(), Waits::default());
    let Outcome { result, read, .. } = ask_within(AXFR, None, limits, script).await;
    assert!(matches!(result, Ok(Transfer::Whole { .. })), "{result:?}");
    assert_eq!(read.unwrap().unwrap(), count as usize + 1);
    let growth = peak() - before;
    println!("{count} records: {:?}, {growth} KiB", began.elapsed());
    let most = GROWTH_KIB_MAX + u64::from(count) * RECORD_OCTETS_MAX / 1024;
    assert!(growth < most, "{growth} KiB for {count} records");
}

/// Nothing is taken where fewer are allowed, and no more is read than that takes.
#[tokio::test]
async fn a_zone_beyond_its_limit_is_left_at_the_limit() {
    let (count, sent, before) = (record_count(), Arc::new(AtomicU32::new(0)), peak());
    let own = sent.clone();
    let script = move |question: &[u8]| hosts(question, count, own.clone());
    let limits = Limits { record_count_max: u64::from(count / 10), ..Limits::default() };
    let asked = ask_within(AXFR, None, (limits, Waits::default()), script).await;
    let error = asked.result.expect_err("more records than are allowed").to_string();
    println!("{error}; {} records were sent", sent.load(Ordering::Relaxed));
    assert_eq!(asked.files, [] as [&str; 0]);
    // What lies in the buffers of the sockets was sent, too.
    assert!(sent.load(Ordering::Relaxed) < count / 10 + BUFFERED_MAX);
    assert!(peak() - before < GROWTH_KIB_MAX, "{} KiB", peak() - before);
}

/// An octet now and then keeps nobody: so much has to come in each window.
#[tokio::test]
async fn a_master_that_trickles_is_left() {
    let whole = |question: &[u8]| {
        let messages: Vec<Vec<u8>> =
            (0..200).map(|number| answer(question, &[a(number)])).collect();
        framed(&[vec![answer(question, &[soa(9)])], messages].concat())
    };
    let small = Waits { message: PATIENCE * 4, window: PATIENCE * 2, ..Waits::default() };
    let (waits, pause) = match is_full() {
        true => (Waits::default(), Duration::from_secs(1)),
        false => (small, PATIENCE / 30),
    };
    let (began, most) = (Instant::now(), waits.message + waits.window + Duration::from_secs(20));
    let script = move |question: &[u8]| Sends::BitByBit(whole(question), pause);
    let asked = ask_within(AXFR, None, (Limits::default(), waits), script).await;
    let error = asked.result.expect_err("it never ends").to_string();
    println!("{error} after {:?}", began.elapsed());
    assert_eq!(asked.files, [] as [&str; 0]);
    assert!(began.elapsed() < most, "{:?}", began.elapsed());
}
