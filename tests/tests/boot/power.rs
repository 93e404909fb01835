//! Power that fails at random moments while the box works: zones change, keys roll and are made,
//! zones are added. In: `POWER_CUTS` (5), `SEED` (printed). Out: after each cut the box comes up by
//! itself, and what was promised holds: serials that were seen outside, keys and zones that a
//! command has shown or acknowledged; every zone is valid. The disk loses what was not flushed (see
//! disk.rs), and the moment is a number of writes, so it may lie between any two of them.

use crate::disk::{Chance, Disk};
use crate::fetched::verified;
use crate::machine::{Doors, Machine, Start, WAIT, ssh};
use crate::site::{ADDNS, Site, Way, addns};
use anchorite_tests::daemon::small_zone;
use anchorite_tests::judges::repository_file;
use anchorite_tests::peers::{self, Peer, Setup, Software};
use dnssec::transfer::message::{Answer, Opcode, Request};
use dnssec::transfer::rcode::Rcode;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

/// Comes from a BIND outside, which changes it all the time.
const MOVING: &str = "moving.example";
/// Is signed anew all the time.
const FORCED: &str = "forced.example";
/// Its keys roll all the time.
const ROLLING: &str = "rolling.example";
/// Power cuts during the first start, before those under load.
const FIRST_CUTS: u64 = 3;
/// Most writes between the moment when all is at work and the cut.
const WRITES_MAX: u64 = 1000;
/// Most writes of a first start before a cut.
const FIRST_WRITES_MAX: u64 = 250;

/// A policy whose keys roll while one looks on.
fn policies() -> String {
    let read = |path: &str| std::fs::read_to_string(repository_file(path)).unwrap();
    let lab = read("examples/lab/kasp.xml");
    let quick = [
        ("Policy name=\"lab\"", "Policy name=\"quick\""),
        ("PT2M", "PT4S"),
        ("PT1M", "PT2S"),
        ("<Purge>PT1H</Purge>", "<Purge>P14D</Purge>"),
        ("<Lifetime>PT30M</Lifetime>", "<Lifetime>PT20S</Lifetime>"),
    ];
    let quick = quick.into_iter().fold(lab, |text, (from, to)| {
        assert!(text.contains(from), "{from}: {text}");
        text.replace(from, to)
    });
    let (from, to) = ("<Policy ", "</KASP>");
    let policy = &quick[quick.find(from).unwrap()..quick.find(to).unwrap()];
    read("examples/default/kasp.xml").replace(to, &format!("{policy}{to}"))
}

/// What was shown to somebody outside.
#[derive(Clone, Default)]
struct Promised {
    /// The highest serial of each zone.
    serials: BTreeMap<String, u32>,
    /// Zones and key ids of `key list`.
    keys: BTreeSet<(String, String)>,
    /// Zones whose adding was acknowledged.
    added: BTreeSet<String>,
    /// New serials since the start of the box, of each zone.
    news: BTreeMap<String, (u64, Instant)>,
    /// Rounds of commands since then.
    rounds: u64,
}

impl Promised {
    fn serial(&mut self, zone: &str, serial: u32) {
        let highest = self.serials.entry(zone.to_owned()).or_insert(serial);
        if serial.wrapping_sub(*highest) as i32 > 0 {
            *highest = serial;
            let first = self.news.get(zone).map_or(Instant::now(), |(_, first)| *first);
            let count = self.news.get(zone).map_or(0, |(count, _)| *count);
            self.news.insert(zone.to_owned(), (count + 1, first));
        }
    }
}

/// Whoever is outside.
struct Outside {
    promised: Mutex<Promised>,
    changed: Condvar,
    /// The power fails, or the test: nobody goes on.
    is_over: AtomicBool,
}

impl Outside {
    fn note(&self, note: impl FnOnce(&mut Promised)) {
        note(&mut self.promised.lock().unwrap());
        self.changed.notify_all();
    }

    /// Waits until that holds, or all is over.
    #[track_caller]
    fn wait_until(&self, holds: impl Fn(&Promised) -> bool) {
        let deadline = Instant::now() + WAIT;
        let mut promised = self.promised.lock().unwrap();
        while !holds(&promised) && !self.is_over() {
            assert!(Instant::now() < deadline, "{:?} {}", promised.news, promised.rounds);
            let moment = Duration::from_millis(200);
            promised = self.changed.wait_timeout(promised, moment).unwrap().0;
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn promised(&self) -> Promised {
        self.promised.lock().unwrap().clone()
    }

    /// A secondary that does nothing but hear of new versions: NOTIFY is the first that anybody
    /// outside can see of a serial.
    fn hear(&self, socket: &UdpSocket, is_done: &AtomicBool) {
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut octets = [0; 4096];
        while !is_done.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut octets) else { continue };
            let Ok(told) = Request::decode(&octets[..length]) else { continue };
            if let (Opcode::Notify, Some(serial)) = (told.opcode, told.serial) {
                let zone = told.question.name.to_string();
                self.note(|promised| promised.serial(zone.trim_end_matches('.'), serial.0));
            }
            // It tells again when this is lost.
            let _ = socket.send_to(&Answer::new(&told, Rcode::NOERROR).finish(512), from);
        }
    }

    /// Changes a zone at its master, again whenever the last change went through.
    fn change(&self, master: &mut Peer, serial: &mut u32) {
        while !self.is_over() {
            *serial += 1;
            let before = self.promised().serials.get(MOVING).copied();
            master.replace(&moving(*serial), *serial);
            self.wait_until(|promised| promised.serials.get(MOVING).copied() != before);
        }
    }

    /// Commands over SSH, one after the other.
    fn command(&self, site: &Site, mut to_add: Option<String>) {
        let policy = "default";
        while !self.is_over() {
            for line in [format!("clear {FORCED}"), format!("sign {FORCED}")] {
                self.said(site, &line);
            }
            self.said(site, &format!("key rollover -z {ROLLING} -t ZSK"));
            if let Some(zone) = to_add.take() {
                let input = format!("-i /var/lib/opendnssec/unsigned/{zone} -q DNS -o {ADDNS}");
                if self.said(site, &format!("zone add -z {zone} -p {policy} {input}")).is_some() {
                    self.note(|promised| {
                        promised.added.insert(zone);
                    });
                }
            }
            if let Some(list) = self.said(site, "key list --verbose --all --parsable") {
                self.note(|promised| promised.keys.extend(keys(&list)));
            }
            self.note(|promised| promised.rounds += 1);
        }
    }

    /// What a command said, if it has come to its end.
    fn said(&self, site: &Site, line: &str) -> Option<String> {
        let (code, out, err) = ssh(site.doors.ssh, &site.key, line);
        // 255 is SSH's own: the box has no power any more.
        assert!(code == Some(0) || code == Some(255), "{line}: {code:?} {out} {err}");
        (code == Some(0)).then_some(out)
    }
}

/// The zones and key ids of a `key list` for programs.
fn keys(list: &str) -> BTreeSet<(String, String)> {
    let of_line = |line: &str| {
        let fields: Vec<&str> = line.split(';').collect();
        let is_id = |field: &&&str| {
            field.len() == 32 && field.bytes().all(|octet| octet.is_ascii_hexdigit())
        };
        let id = fields.iter().find(is_id)?;
        Some((fields[0].to_owned(), (*id).to_owned()))
    };
    list.lines().filter_map(of_line).collect()
}

fn moving(serial: u32) -> String {
    zone_text(MOVING, serial, &format!("www IN A 192.0.2.{}", serial % 250))
}

/// A zone whose TTLs are not above those of the policies, so that keys may roll as fast as these
/// say.
fn zone_text(zone: &str, serial: u32, records: &str) -> String {
    small_zone(zone, serial, records).replace("$TTL 60", "$TTL 4")
}

/// The box, its disk, and everything around it.
struct Trial {
    folder: tempfile::TempDir,
    site: Site,
    disk: Disk,
    chance: Chance,
    added: u64,
}

impl Trial {
    fn start(&self, also: &[&Path]) -> Machine {
        let disk = self.disk.address();
        let disks: Vec<&Path> =
            std::iter::once(disk.as_path()).chain(also.iter().copied()).collect();
        Machine::start_at(Start::Kernel, &disks, Some(self.site.doors))
    }

    /// The box is new: whenever the power fails, it begins anew or goes on.
    fn first_starts(&mut self) {
        for _ in 0..FIRST_CUTS {
            let writes = 1 + self.chance.below(FIRST_WRITES_MAX);
            let machine = self.start(&[&self.site.setup]);
            self.disk.fail_after(writes);
            self.disk.wait_until_failed();
            machine.pull_the_plug();
            let loss = self.disk.settle(&mut self.chance);
            eprintln!("first start, power fails at write {writes}: {loss:?}");
        }
    }

    /// One cut under load, and the machine that runs after it.
    fn cut(&mut self, machine: Machine, outside: &Outside, outer: &mut (Peer, u32)) -> Machine {
        outside.is_over.store(false, Ordering::Relaxed);
        outside.note(|promised| (promised.news, promised.rounds) = Default::default());
        let begun = Instant::now();
        self.added += 1;
        let to_add = Some(format!("added{}.example", self.added));
        let writes = 1 + self.chance.below(WRITES_MAX);
        let site = &self.site;
        let disk = &self.disk;
        std::thread::scope(|scope| {
            let (master, serial) = outer;
            scope.spawn(|| outside.change(master, serial));
            scope.spawn(|| outside.command(site, to_add));
            outside.wait_until(|promised| {
                let is_new = |zone: &&str| promised.news.contains_key(*zone);
                promised.rounds > 0 && [MOVING, FORCED, ROLLING].iter().all(is_new)
            });
            disk.fail_after(writes);
            disk.wait_until_failed();
            machine.pull_the_plug();
            outside.is_over.store(true, Ordering::Relaxed);
        });
        let (all_writes, flushes) = self.disk.counts();
        let loss = self.disk.settle(&mut self.chance);
        let Promised { rounds, news, .. } = outside.promised();
        eprintln!("power fails after {rounds} rounds and {writes} writes: {loss:?}");
        for (zone, (count, first)) in news {
            eprintln!("  {zone}: {count} versions, the first after {:?}", first - begun);
        }
        eprintln!("  {all_writes} writes, {flushes} flushes since the beginning");
        self.start(&[])
    }

    /// The box has come up, and what was promised holds.
    fn check(&self, machine: &mut Machine, outside: &Outside) {
        machine.wait_for("box1 login: ");
        let prompt = machine.age();
        machine.ssh_until(&self.site.key, "running", "Engine running.");
        let answering = machine.age();
        let promised = outside.promised();
        let list = machine.ssh_until(&self.site.key, "key list --verbose --all --parsable", "");
        let lost: Vec<_> = promised.keys.difference(&keys(&list)).cloned().collect();
        assert!(lost.is_empty(), "keys are lost: {lost:?}\n{list}");
        let zones = promised.serials.keys().chain(&promised.added).chain([]);
        for zone in zones.collect::<BTreeSet<_>>() {
            let serial = self.serial(zone);
            if let Some(highest) = promised.serials.get(zone) {
                let ahead = serial.wrapping_sub(*highest) as i32;
                assert!(ahead >= 0, "{zone}: {serial} after {highest} was seen");
            }
            verified(self.site.doors, zone, None, self.folder.path());
            outside.note(|promised| promised.serial(zone, serial));
        }
        eprintln!(
            "  prompt after {prompt:?}, daemon after {answering:?}, all checked after {:?}: \
             {} keys, {} zones",
            machine.age(),
            promised.keys.len(),
            promised.serials.len()
        );
    }

    /// The serial that is served; a zone that was added a moment before the cut may not be signed
    /// yet.
    #[track_caller]
    fn serial(&self, zone: &str) -> u32 {
        let deadline = Instant::now() + WAIT;
        loop {
            if let Some(serial) = peers::soa_serial(self.site.doors.dns, zone, None) {
                return serial;
            }
            assert!(Instant::now() < deadline, "{zone} is not served");
        }
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn trial(seed: u64, cuts: u64, master: SocketAddr, witness: SocketAddr, doors: Doors) -> Trial {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::new(folder.path(), 256);
    let way = |zone, input| (zone, "quick", input, Way::Transfer);
    let zones = [way(MOVING, Way::Transfer), way(FORCED, Way::File), way(ROLLING, Way::File)];
    let mut files = vec![
        ("opendnssec/addns.xml".to_owned(), addns(master, &[witness], None)),
        ("opendnssec/kasp.xml".to_owned(), policies()),
    ];
    let added = (1..=cuts).map(|number| format!("added{number}.example"));
    for zone in added.chain([FORCED, ROLLING].map(str::to_owned)) {
        files.push((format!("unsigned/{zone}"), zone_text(&zone, 1, "www IN A 192.0.2.80")));
    }
    let files: Vec<(&str, &str)> =
        files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let site = Site::new(folder.path(), doors, &zones, &files);
    Trial { folder, site, disk, chance: Chance(seed), added: 0 }
}

#[test]
fn nothing_promised_is_lost_when_the_power_fails() {
    let seed = number("SEED", u64::from(std::process::id()));
    let cuts = number("POWER_CUTS", 5);
    eprintln!("SEED={seed} POWER_CUTS={cuts}");
    let doors = Doors::new();
    let witness = UdpSocket::bind("127.0.0.1:0").unwrap();
    let text = moving(1);
    let master = Setup::primary(Software::Named, MOVING, &text).notifying(doors.dns).start();
    let told = witness.local_addr().unwrap();
    let mut trial = trial(seed, cuts, master.address(), told, doors);
    let outside = Outside {
        promised: Mutex::default(),
        changed: Condvar::new(),
        is_over: AtomicBool::new(false),
    };
    let mut outer = (master, 1);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| outside.hear(&witness, &is_done));
        let done = Done(&is_done);
        trial.first_starts();
        let mut machine = trial.start(&[&trial.site.setup]);
        machine.wait_for("box1 login: ");
        machine.ssh_until(&trial.site.key, "running", "Engine running.");
        for _ in 0..cuts {
            machine = trial.cut(machine, &outside, &mut outer);
            trial.check(&mut machine, &outside);
        }
        // An end in order needs no luck: all that was not flushed is lost.
        machine.press_power_button();
        machine.wait_until_off();
        trial.disk.settle(&mut Chance(0));
        let mut machine = trial.start(&[]);
        trial.check(&mut machine, &outside);
        drop(done);
    });
}

/// Ends the listener when the test does, however it does.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
