//! kill -9 wherever it hurts: the daemon is killed at a random call by which it changes files,
//! again and again, from the making of the keys to the delivery of the signed file. After each
//! restart nothing is lost, nothing is made twice and nothing is signed again needlessly.
//! `SEED=n` repeats a sequence. What a killed machine loses is not tested here, but in `storage`.

use anchorite_tests::daemon::{Daemon, Installation, Untouched, serial_of};
use anchorite_tests::judges::dnssec_verify;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rounds of kill and recovery.
const ROUND_COUNT: u32 = 40;
/// A start with one new zone passes about as many points; some kills come too late on purpose.
const POINT_COUNT: u64 = 100;

struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(2026);
        println!("SEED={seed}");
        Random(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15).max(1))
    }

    /// Below `bound` (xorshift64*).
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % bound
    }
}

/// Builds the library that kills.
fn killer(folder: &Path) -> PathBuf {
    let library = folder.join("kill_at.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library);
    compile.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/faults/kill_at.c"));
    let compiled = compile.output().expect("Rust links with cc, so it is there");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    library
}

/// What was seen of one zone so far.
#[derive(Default)]
struct Seen {
    serial: u32,
    contents: BTreeMap<u32, Vec<u8>>,
    signatures: BTreeSet<String>,
    input_serial: u32,
}

struct World {
    installation: Installation,
    library: PathBuf,
    zones: BTreeMap<String, Seen>,
}

impl World {
    fn new() -> World {
        let installation = Installation::new("default");
        let library = killer(&installation.path(""));
        let told = installation.path("told");
        std::fs::create_dir(&told).unwrap();
        let command = format!("/bin/cp -f %zonefile {}/%zone", told.display());
        let element = format!("<NotifyCommand>{command}</NotifyCommand></Signer>");
        installation.edit("conf.xml", "</Signer>", &element);
        World { installation, library, zones: BTreeMap::new() }
    }

    fn add_zone(&mut self) {
        let name = format!("z{}.example", self.zones.len());
        self.zones.insert(name.clone(), Seen::default());
        self.change(&name);
        let list: Vec<(&str, &str)> =
            self.zones.keys().map(|zone| (zone.as_str(), "default")).collect();
        self.installation.write_zonelist(&list);
    }

    /// Gives the zone a new serial and another address of `www`.
    fn change(&mut self, zone: &str) {
        let seen = self.zones.get_mut(zone).unwrap();
        seen.input_serial += 1;
        let serial = seen.input_serial;
        let records = format!("www IN A 192.0.2.{}\nmail IN A 192.0.2.1\n", serial % 250);
        self.installation.write_small_zone(zone, serial, &records);
    }

    /// One line of the log for each zone that was brought up to date.
    fn wait_for_all(&self, daemon: &mut Daemon) -> bool {
        let wanted: Vec<String> =
            self.zones.keys().map(|zone| format!("write zone {zone} serial ")).collect();
        let wanted: Vec<[&str; 1]> = wanted.iter().map(|line| [line.as_str()]).collect();
        let wanted: Vec<&[&str]> = wanted.iter().map(|line| line.as_slice()).collect();
        daemon.sees_all(&wanted)
    }

    /// Starts the daemon and has it killed at the `point`-th point; or, when it does not come so
    /// far, when all is done. Whether it came so far.
    fn run_killed(&self, point: u64) -> bool {
        let mut command = self.installation.command();
        command.env("LD_PRELOAD", &self.library).env("KILL_AT", point.to_string());
        let mut daemon = Daemon::spawn(command);
        let is_done = self.wait_for_all(&mut daemon);
        daemon.kill();
        !is_done
    }

    /// Starts the daemon, waits until all is done, stops it. Its lines.
    fn run_whole(&self) -> String {
        let mut daemon = self.installation.start();
        assert!(self.wait_for_all(&mut daemon), "the daemon ended: {}", daemon.log());
        daemon.stop()
    }

    /// Looks at what everybody can see.
    fn look(&mut self) {
        for (zone, seen) in &mut self.zones {
            let path = self.installation.signed(zone);
            if !path.exists() {
                assert!(seen.contents.is_empty(), "{zone}: the signed file is gone");
                continue;
            }
            dnssec_verify(&path, zone).unwrap();
            let (serial, content) = (serial_of(&path), std::fs::read(&path).unwrap());
            assert!(serial >= seen.serial, "{zone}: serial {serial} after {}", seen.serial);
            let text = String::from_utf8_lossy(&content).into_owned();
            let known = seen.contents.entry(serial).or_insert_with(|| content.clone());
            assert!(*known == content, "{zone}: serial {serial} with two contents");
            // What a new serial and a new address of `www` do not touch keeps its signatures.
            let kept = text.lines().filter(|line| {
                line.contains("\tRRSIG\t") && !line.contains("\tSOA ") && !line.starts_with("www.")
            });
            let kept: BTreeSet<String> = kept.map(str::to_owned).collect();
            assert!(!kept.is_empty());
            if !seen.signatures.is_empty() {
                assert_eq!(kept, seen.signatures, "{zone}: signed again needlessly");
            }
            (seen.serial, seen.signatures) = (serial, kept);
        }
    }

    /// What has to hold when all is done.
    fn check_whole(&self) {
        for (zone, seen) in &self.zones {
            let signed = std::fs::read(self.installation.signed(zone)).unwrap();
            let address = format!("192.0.2.{}", seen.input_serial % 250);
            let text = String::from_utf8_lossy(&signed).into_owned();
            assert!(text.contains(&address), "{zone}: the last input is not published");
            assert_eq!(text.matches("\tDNSKEY\t").count(), 2, "{zone}");
            let told = std::fs::read(self.installation.path("told").join(zone)).unwrap();
            assert!(told == signed, "{zone}: the notify command has not heard of it");
        }
        let keys = self.zones.len() * 2;
        let token = self.installation.path("tokens/built-in");
        let records = files_below(&token).into_iter().filter(|path| path.ends_with(".key"));
        assert_eq!(records.count(), keys, "keys in the token: {:?}", files_below(&token));
        let left = |folder: &str| files_below(&self.installation.path(folder));
        assert_eq!(left("signed").len(), self.zones.len(), "leftovers: {:?}", left("signed"));
        let saved = left("signer/snapshots");
        let count = |end: &str| saved.iter().filter(|path| path.ends_with(end)).count();
        assert_eq!(count(".snapshot"), self.zones.len(), "leftovers: {saved:?}");
        // A zone has a journal from its first difference on.
        let journals = saved.len() - count(".snapshot");
        assert_eq!(journals, count(".journal"), "leftovers: {saved:?}");
        assert!(journals <= self.zones.len(), "leftovers: {saved:?}");
    }
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path.display().to_string()),
            }
        }
    }
    files
}

#[test]
fn a_daemon_that_is_killed_anywhere_loses_nothing_and_makes_nothing_twice() {
    let mut random = Random::seeded();
    let mut world = World::new();
    world.add_zone();
    let mut killed = 0;
    for round in 0..ROUND_COUNT {
        if round % 8 == 7 {
            world.add_zone();
        }
        let zones: Vec<String> = world.zones.keys().cloned().collect();
        let zone = &zones[random.below(zones.len() as u64) as usize];
        if random.below(3) > 0 {
            world.change(zone);
        }
        let point = random.below(POINT_COUNT);
        println!("round {round}: {} zones, killed at point {point}", zones.len());
        killed += u32::from(world.run_killed(point));
        world.look();
        if random.below(2) == 0 {
            world.run_whole();
            world.look();
            world.check_whole();
        }
    }
    world.run_whole();
    world.look();
    world.check_whole();
    assert!(killed >= ROUND_COUNT / 4, "only {killed} kills came in time");
    // Nothing is due, so nothing is touched.
    let signed: Vec<Untouched> =
        world.zones.keys().map(|zone| Untouched::look(&world.installation.signed(zone))).collect();
    let lines = world.run_whole();
    assert!(!lines.contains("[STATS]"), "{lines}");
    signed.iter().for_each(Untouched::check);
}
