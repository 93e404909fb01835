//! From NOTIFY in to NOTIFY out in a large zone, end to end: `cargo build --release && cargo bench
//! -p anchorite-tests --bench notify_to_notify`. A scripted master tells the daemon of a change of
//! ten delegations; the daemon fetches, signs, has it audited, makes it durable, and tells a
//! secondary, who is this program, too. RFC 1995, RFC 1996, RFC 5936.
//! In, by environment: NAMES (1,000,000 delegations), CHANGES (1000), PARTS (all): words of
//! `changes`, `zonemd`, `file`, `peers`. Out: lines `median-ms N` and `p99-ms N`, a histogram,
//! memory of all processes at 100 changes and at the end, sizes of IXFR and AXFR, a hundred
//! secondaries at once; the same with a ZONEMD; the first transfer beside a file and beside peers.
//! Never: an assertion about time. Loopback only.

mod master;
mod secondary;
mod subject;
mod zone;

use anchorite_tests::peers::{Setup, Software};
use dnssec::Serial;
use master::Master;
use secondary::{Secondary, Transferred, transfer};
use std::time::{Duration, Instant};
use subject::{Source, Subject, megabytes};
use zone::{CHANGED_COUNT, ZONE, Zone};

const SECONDARY_COUNT: usize = 100;
/// Changes after which memory is looked at first.
const WARM_COUNT: usize = 100;

fn main() {
    let number = |name: &str, usual: u64| {
        std::env::var(name).ok().and_then(|word| word.parse().ok()).unwrap_or(usual)
    };
    let (names, changes) = (number("NAMES", 1_000_000), number("CHANGES", 1000) as usize);
    let parts = std::env::var("PARTS").unwrap_or_default();
    let has = |part: &str| parts.is_empty() || parts.split(',').any(|word| word == part);
    if has("changes") {
        println!("{names} delegations, {changes} changes of {CHANGED_COUNT}");
        let mut run = Run::start(names, "");
        run.changes(changes);
        run.sizes();
        run.a_hundred();
        run.all_anew();
    }
    if has("zonemd") {
        println!("the same with a ZONEMD, {} changes", changes.min(WARM_COUNT));
        Run::start(names, "<ZoneMD/>").changes(changes.min(WARM_COUNT));
    }
    if has("file") {
        from_file(names);
    }
    if has("peers") {
        beside_peers(names);
    }
}

/// A daemon, its master, its secondary.
struct Run {
    zone: Zone,
    master: Master,
    secondary: Secondary,
    subject: Subject,
    /// The first serial that was published, and the newest.
    first: Serial,
    newest: Serial,
    /// All that the changes brought the secondary, one after the other.
    one_by_one: Transferred,
}

impl Run {
    fn start(names: u64, zone_options: &str) -> Run {
        let zone = Zone::new(names);
        let master = Master::start(&zone);
        let secondary = Secondary::new();
        let began = Instant::now();
        let subject = Subject::start(&Source::Master(master.address), &secondary, zone_options);
        let (told, first) = secondary.told(None);
        let took = told - began;
        println!(
            "AXFR in {:.2} s; from the start to the first NOTIFY out {:.2} s, {}",
            master.axfr_time().as_secs_f64(),
            took.as_secs_f64(),
            memory(&subject, "VmHWM")
        );
        let one_by_one = Transferred::default();
        Run { zone, master, secondary, subject, first, newest: first, one_by_one }
    }

    /// One change: NOTIFY in to NOTIFY out; then the secondary fetches it.
    fn change(&mut self, id: usize) -> Duration {
        let from = self.zone.serial();
        let change = self.zone.change();
        self.master.offer(&self.zone, from, change);
        let notice = self.master.notice(id as u16);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        let began = Instant::now();
        socket.send_to(&notice, self.subject.address).expect("loopback takes it");
        let (told, serial) = self.secondary.told(Some(self.newest));
        let brought = transfer(self.subject.address, Some(self.newest));
        self.one_by_one.octets += brought.octets;
        self.one_by_one.records += brought.records;
        self.newest = serial;
        told - began
    }

    fn changes(&mut self, count: usize) {
        let (began, used) = (Instant::now(), self.subject.processor_seconds());
        let mut times = Vec::new();
        for number in 0..count {
            times.push(self.change(number).as_secs_f64() * 1e3);
            if number + 1 == WARM_COUNT.min(count) {
                println!("memory after {} changes: {}", number + 1, memory(&self.subject, "VmRSS"));
            }
        }
        println!("memory after {count} changes: {}", memory(&self.subject, "VmRSS"));
        println!(
            "{:.1} s, {:.2} ms of processor time for a change",
            began.elapsed().as_secs_f64(),
            (self.subject.processor_seconds() - used) * 1e3 / count as f64
        );
        report(times);
    }

    /// What the changes were for a secondary, and what they are for one that missed them.
    fn sizes(&self) {
        let address = self.subject.address;
        let show = |name: &str, took: Duration, got: Transferred| {
            let (octets, records) = (got.octets, got.records);
            let time = took.as_secs_f64() * 1e3;
            println!("{name:<34} {octets:>11} octets {records:>9} records {time:>9.1} ms");
        };
        show("IXFRs, one after each change", Duration::ZERO, self.one_by_one);
        let began = Instant::now();
        let condensed = transfer(address, Some(self.first));
        show("IXFR of all changes, condensed", began.elapsed(), condensed);
        let began = Instant::now();
        let whole = transfer(address, None);
        show("AXFR", began.elapsed(), whole);
    }

    /// All changes for a hundred secondaries that missed them, then the zone for as many.
    fn a_hundred(&self) {
        for since in [Some(self.first), None] {
            let (address, began) = (self.subject.address, Instant::now());
            let before = self.subject.megabytes("VmRSS")[0];
            let ask = || transfer(address, since);
            std::thread::scope(|scope| {
                (0..SECONDARY_COUNT).for_each(|_| drop(scope.spawn(ask)));
            });
            println!(
                "{SECONDARY_COUNT} secondaries at once, {}: {:.2} s, {before:.0} MB before, {:.0} \
                 after",
                if since.is_some() { "IXFR of all changes" } else { "AXFR" },
                began.elapsed().as_secs_f64(),
                self.subject.megabytes("VmRSS")[0]
            );
        }
    }

    /// All signatures are made anew: what a secondary is sent then.
    fn all_anew(&mut self) {
        let began = Instant::now();
        let mut command = std::process::Command::new(anchorite_tests::program::anchorite());
        std::os::unix::process::CommandExt::arg0(&mut command, "ods-signer");
        command.arg("-s").arg(self.subject.installation.path("engine.sock"));
        let output = command.args(["clear", ZONE]).output().expect("it was built");
        assert!(output.status.success(), "{output:?}");
        let (told, serial) = self.secondary.told(Some(self.newest));
        let got = transfer(self.subject.address, Some(self.newest));
        let whole = transfer(self.subject.address, None);
        println!(
            "all signatures anew: {:.2} s; asked for IXFR, a secondary gets {} octets, {} records \
             (AXFR: {}, {})",
            (told - began).as_secs_f64(),
            got.octets,
            got.records,
            whole.octets,
            whole.records
        );
        self.newest = serial;
        let time = self.change(0);
        println!("the next change: {:.2} ms", time.as_secs_f64() * 1e3);
    }
}

/// The zone from a file, beside the one from a master.
fn from_file(names: u64) {
    let (zone, secondary) = (Zone::new(names), Secondary::new());
    let began = Instant::now();
    let subject = Subject::start(&Source::File(&zone.text), &secondary, "");
    let (told, _) = secondary.told(None);
    let took = (told - began).as_secs_f64();
    println!("from a file to the first NOTIFY out {took:.2} s, {}", memory(&subject, "VmHWM"));
}

/// Secondaries that only keep the zone, unsigned.
fn beside_peers(names: u64) {
    let zone = Zone::new(names);
    let master = Master::start(&zone);
    for software in [Software::Nsd, Software::Knot, Software::Named] {
        let began = Instant::now();
        let mut peer = Setup::secondary(software, ZONE, master.address).start();
        peer.wait_for_serial(zone.serial().0);
        println!(
            "{software:?} as a secondary, unsigned: serves after {:.2} s; AXFR {:.2} s; \
             peak {:.0} MB",
            began.elapsed().as_secs_f64(),
            master.axfr_time().as_secs_f64(),
            peer.pids().into_iter().map(|pid| megabytes(pid, "VmHWM")).sum::<f64>()
        );
    }
}

fn memory(subject: &Subject, kind: &str) -> String {
    let parts = subject.megabytes(kind);
    let [daemon, auditor, token] = parts;
    let what = if kind == "VmHWM" { "at most " } else { "" };
    let all: f64 = parts.iter().sum();
    format!("{what}{all:.0} MB (daemon {daemon:.0}, auditor {auditor:.0}, token {token:.0})")
}

/// Quantiles and a histogram of milliseconds.
fn report(mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let quantile = |part: f64| times[((times.len() as f64 * part) as usize).min(times.len() - 1)];
    for (name, part) in [("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0)] {
        println!("{name}-ms {:.2}", quantile(part));
    }
    let (mut limit, mut below) = (1.0, 0);
    while below < times.len() {
        let count = times.iter().filter(|time| **time < limit).count();
        if count > below {
            let bar = "#".repeat((count - below) * 60 / times.len());
            println!("  below {limit:>7.1} ms: {:>5} {bar}", count - below);
        }
        below = count;
        limit *= 1.3;
    }
}
