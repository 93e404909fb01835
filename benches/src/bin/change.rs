//! How long a small change of a large zone takes, from the change in memory until the new version
//! is audited, durable and committed: the stages of the product, its journal and its state store,
//! on a real disk. The output file is left out, as is the network.
//! In: `change ZONE_FILE ORIGIN nsec|nsec3|nsec3-opt-out FOLDER [CHANGES [RECORDS]]`. Out, all in
//! milliseconds: lines `median N`, `p90 N`, `p99 N`, `most N`, `idle-pass N` (a pass of the resign
//! timer with nothing due) and `read-back N` (what a restart reads); the steps, and a histogram.
//! Each change touches RECORDS (10) names: some come, some go, some get a DS, some lose it.
#![forbid(unsafe_code)]

use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::Stage;
use actors::stages::audit::{Audit, AuditInput};
use actors::stages::denial::{Chained, Change, Denial};
use actors::stages::publish::{Publish, PublishInput, Stored, ZoneJournal, recovered};
use actors::stages::sign::{Extent, Sign, SignOutput, renewals_of};
use actors::stages::sort::{Sort, SortInput, SortSource};
use anchorite_benches::one_zone::OneZone;
use anchorite_benches::token_with_keys;
use audit_host::{Copy, HostProgram, Judge};
use dnssec::signing::ZoneKey;
use dnssec::zone::ZoneVersion;
use dnssec::zone::build::ChunkBuilder;
use dnssec::zone::chunk::OwnerKind;
use dnssec::zone::edit::apply_edits;
use dnssec::zone::key::push_label;
use dnssec::zone::load::{DnssecRecords, Limits};
use dnssec::zone::replace::Replacements;
use dnssec::{Name, RrType, Ttl};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::StateStore;
use storage::state::ZoneState;

type Failure = Box<dyn Error>;

/// DNSKEYs that come or go.
const KEY_EVENT_COUNT: usize = 40;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, origin, denial, folder, rest @ ..] = words.as_slice() else {
        let usage = "usage: change ZONE_FILE ORIGIN nsec|nsec3|nsec3-opt-out FOLDER \
                     [CHANGES [RECORDS]]";
        return Err(usage.into());
    };
    let number = |at: usize, default: usize| rest.get(at).map_or(Ok(default), |word| word.parse());
    let (change_count, record_count) = (number(0, 300)?, number(1, 10)?);
    let keys = tempfile::tempdir()?;
    let zone = OneZone::new(token_with_keys(keys.path())?, denial);
    let apex = Name::parse(origin.as_bytes(), Some(&Name::root()))?;
    let mut bench = Bench::start(zone, apex, file, Path::new(folder))?;
    let mut laps = Vec::new();
    for round in 0..change_count {
        let edits = bench.edits(round, record_count);
        laps.push(bench.change(&edits)?);
    }
    report(&laps);
    bench.idle_pass();
    bench.key_events()?;
    bench.read_back()
}

/// One version after the other.
struct Bench {
    zone: OneZone,
    apex: Name,
    pool: WorkerPool,
    clock: Clock,
    folder: PathBuf,
    store: StateStore,
    state: ZoneState,
    stored: Stored,
    approved: Option<Copy>,
    judge: Arc<Judge>,
    journal: ZoneJournal,
}

/// How long the steps of one change took, in milliseconds.
#[derive(Clone, Copy, Default)]
struct Lap {
    edit: f64,
    denial: f64,
    sign: f64,
    audit: f64,
    journal: f64,
    commit: f64,
}

impl Lap {
    fn total(&self) -> f64 {
        self.edit + self.denial + self.sign + self.audit + self.journal + self.commit
    }
}

fn milliseconds(since: &mut Instant) -> f64 {
    let now = Instant::now();
    let length = now - *since;
    *since = now;
    length.as_secs_f64() * 1e3
}

impl Bench {
    /// Signs, audits and saves the whole zone.
    fn start(zone: OneZone, apex: Name, file: &str, folder: &Path) -> Result<Bench, Failure> {
        let clock = Clock::system();
        // This thread takes part in the work.
        let workers = std::thread::available_parallelism()?.get() - 1;
        let pool = PoolSpec { name: "worker", workers: workers.max(1), queue_bound: 64 };
        let pool = WorkerPool::start(pool)?;
        let host = HostProgram {
            path: std::env::current_exe()?.with_file_name("anchorite"),
            ..HostProgram::of_this_program()
        };
        let uptime = clock.clone();
        let judge = Arc::new(Judge::in_host(host, move || uptime.uptime()));
        let mut lap = Instant::now();
        let sort = SortInput {
            apex: apex.clone(),
            source: SortSource::File(ZoneFile::open(Path::new(file))?),
            limits: Limits::default(),
            dnssec_records: DnssecRecords::Dropped,
            previous: None,
        };
        let unsigned = Sort::run(&pool, sort)?.version;
        let chained = Denial::run(&pool, zone.denial_input(unsigned.clone(), None, None))?;
        let Chained::Whole(chained) = chained else { return Err("not a whole version".into()) };
        let serial = unsigned.serial().unwrap_or_default();
        let sign = zone.sign_input(Extent::Whole(chained), None, serial, clock.now());
        let SignOutput::Signed { version, .. } = Sign::run(&pool, sign)? else {
            return Err("nothing was signed".into());
        };
        let audit = AuditInput {
            candidate: version.clone(),
            unsigned: unsigned.clone(),
            expectations: zone.expectations(&unsigned, None, clock.now()),
            previous: None,
            approved: None,
            keeps_approved: true,
            judge: judge.clone(),
            waived: Vec::new(),
        };
        let audited = Audit::run(&pool, audit)?;
        let save = PublishInput::Save { zone: audited, folder: folder.into(), generation: 1 };
        let approved = Publish::run(&pool, save)?.into_approved();
        let store = StateStore::open(&folder.join("state.redb"), clock.now())?;
        let state = ZoneState {
            generation: 1,
            input_serial: unsigned.serial(),
            output_serial: version.serial(),
            ..store.zone_add(&apex, "bench")?
        };
        store.commit_version(&apex, &state)?;
        eprintln!("signed, audited and saved in {:.0} ms", milliseconds(&mut lap));
        Ok(Bench {
            zone,
            apex,
            pool,
            clock,
            folder: folder.into(),
            store,
            state,
            stored: Stored { version, unsigned },
            approved,
            judge,
            journal: ZoneJournal::default(),
        })
    }

    /// Changes of `count` delegations: every third is new, every third goes, the others get or
    /// lose a DS.
    fn edits(&self, round: usize, count: usize) -> Replacements {
        let names = &self.stored.unsigned.names;
        let mut edits = Replacements::new();
        for number in 0..count {
            let spread = (round * 7919 + number * 104_729) % names.len();
            let chunk = &names[spread];
            let owner = chunk.owner((round + number) % chunk.owner_count());
            if owner.kind() != OwnerKind::Delegation {
                continue;
            }
            if number % 3 == 1 {
                edits.insert(owner.key().to_vec(), None);
                continue;
            }
            let new = format!("change-{round}-{number}");
            let mut key = Vec::new();
            push_label(new.as_bytes(), &mut key);
            let key = if number % 3 == 0 { key } else { owner.key().to_vec() };
            let with_ds = number % 3 == 0 || owner.rrset(RrType::DS).is_none();
            edits.insert(key.clone(), Some(Arc::new(delegation(&key, with_ds, round as u8))));
        }
        edits
    }

    fn change(&mut self, edits: &Replacements) -> Result<Lap, Failure> {
        let mut lap = Lap::default();
        let mut clock = Instant::now();
        let previous = self.stored.clone();
        let (unsigned, touched) = apply_edits(&previous.unsigned, edits);
        let unsigned = Arc::new(unsigned);
        lap.edit = milliseconds(&mut clock);
        let apex = self.zone.plan(None);
        self.go_on(lap, clock, unsigned, Change { previous, apex, touched })
    }

    /// A DNSKEY comes, or goes: the apex is made anew.
    fn key_event(&mut self, spare: Option<ZoneKey>) -> Result<Lap, Failure> {
        let clock = Instant::now();
        let (previous, apex) = (self.stored.clone(), self.zone.plan(None));
        self.zone.publish(spare);
        let touched = BTreeSet::from([Vec::new()]);
        let unsigned = previous.unsigned.clone();
        self.go_on(Lap::default(), clock, unsigned, Change { previous, apex, touched })
    }

    /// Keys that come and go, one after the other; then, for comparison, the same made and judged
    /// as a whole zone, up to the verdict.
    fn key_events(&mut self) -> Result<(), Failure> {
        let spare = self.zone.spare_key()?;
        let mut laps = Vec::new();
        for round in 0..KEY_EVENT_COUNT {
            let lap = self.key_event((round % 2 == 0).then(|| spare.clone()))?;
            laps.push(lap.total());
        }
        laps.sort_by(f64::total_cmp);
        println!("  a DNSKEY comes or goes: {:.2} ms", quantile(&laps, 0.5));
        self.zone.publish(Some(spare));
        let mut clock = Instant::now();
        let (unsigned, serial) = (self.stored.unsigned.clone(), self.state.output_serial);
        let denial = self.zone.denial_input(unsigned.clone(), serial, None);
        let Chained::Whole(chained) = Denial::run(&self.pool, denial)? else {
            return Err("not a whole version".into());
        };
        let (now, last) = (self.clock.now(), Some(self.stored.version.clone()));
        let input_serial = unsigned.serial().unwrap_or_default();
        let sign = self.zone.sign_input(Extent::Whole(chained), last, input_serial, now);
        let SignOutput::Signed { version, .. } = Sign::run(&self.pool, sign)? else {
            return Err("nothing changed".into());
        };
        let audit = AuditInput {
            candidate: version,
            unsigned: unsigned.clone(),
            expectations: self.zone.expectations(&unsigned, serial, now),
            previous: None,
            approved: None,
            keeps_approved: true,
            judge: self.judge.clone(),
            waived: Vec::new(),
        };
        Audit::run(&self.pool, audit)?;
        println!("  the same as a whole zone: {:.0} ms", milliseconds(&mut clock));
        Ok(())
    }

    /// From what changed to the version that is committed.
    fn go_on(
        &mut self,
        mut lap: Lap,
        mut clock: Instant,
        unsigned: Arc<ZoneVersion>,
        change: Change,
    ) -> Result<Lap, Failure> {
        let (previous, serial) = (change.previous.clone(), self.state.output_serial);
        let denial = self.zone.denial_input(unsigned.clone(), serial, Some(change));
        let Chained::Changed(changed) = Denial::run(&self.pool, denial)? else {
            return Err("not a change".into());
        };
        lap.denial = milliseconds(&mut clock);
        let now = self.clock.now();
        let extent = Extent::Changed(previous.version.clone(), changed);
        let last = Some(previous.version.clone());
        let sign = self.zone.sign_input(extent, last, unsigned.serial().unwrap_or_default(), now);
        let SignOutput::Signed { version, .. } = Sign::run(&self.pool, sign)? else {
            return Err("nothing changed".into());
        };
        lap.sign = milliseconds(&mut clock);
        let audit = AuditInput {
            candidate: version.clone(),
            unsigned: unsigned.clone(),
            expectations: self.zone.expectations(&unsigned, serial, now),
            previous: Some(previous),
            approved: self.approved.take(),
            keeps_approved: true,
            judge: self.judge.clone(),
            waived: Vec::new(),
        };
        let audited = Audit::run(&self.pool, audit)?;
        if !audited.is_judged_by_difference() {
            return Err("the whole zone was audited".into());
        }
        lap.audit = milliseconds(&mut clock);
        let append = PublishInput::Append {
            zone: audited,
            folder: self.folder.clone(),
            generation: 1,
            journal: self.journal.clone(),
            signed_at: now,
        };
        self.approved = Publish::run(&self.pool, append)?.into_approved();
        lap.journal = milliseconds(&mut clock);
        self.state.output_serial = version.serial();
        self.store.commit_difference(&self.apex, &self.state)?;
        self.stored = Stored { version, unsigned };
        lap.commit = milliseconds(&mut clock);
        Ok(lap)
    }

    /// A pass of the resign timer that finds nothing to do.
    fn idle_pass(&self) {
        let times = self.zone.times(self.clock.now());
        let began = Instant::now();
        let renewals = renewals_of(&self.stored.version, &times, true);
        let due = renewals.iter().flatten().count();
        println!("idle-pass {:.3}", began.elapsed().as_secs_f64() * 1e3);
        println!("  {due} chunks due");
    }

    /// What a restart does before the zone is served.
    fn read_back(self) -> Result<(), Failure> {
        let began = Instant::now();
        let serial = self.state.output_serial;
        let read = recovered(&self.pool, &self.folder, &self.apex, 1, serial)?;
        let length: Duration = began.elapsed();
        if read.damage.is_some() || read.stored.version.serial() != serial {
            return Err("what was saved is not read back".into());
        }
        let (bytes, entries) = read.journal.size();
        println!("read-back {:.0}", length.as_secs_f64() * 1e3);
        println!("  {entries} journal entries, {bytes} bytes");
        Ok(())
    }
}

fn delegation(key: &[u8], with_ds: bool, digest: u8) -> dnssec::zone::chunk::Chunk {
    let mut builder = ChunkBuilder::default();
    builder.begin_owner(key, None, OwnerKind::Delegation);
    builder.push_single(RrType::NS, Ttl(3600), b"\x02ns\x04test\x00");
    if with_ds {
        let ds = [&[0x12, 0x34, 13, 2][..], &[digest; 32]].concat();
        builder.push_single(RrType::DS, Ttl(3600), &ds);
    }
    builder.end_owner();
    builder.finish()
}

/// The value below which `part` of the sorted values lie.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn report(laps: &[Lap]) {
    let sorted = |of: fn(&Lap) -> f64| {
        let mut values: Vec<f64> = laps.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let totals = sorted(Lap::total);
    for (name, part) in [("median", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0)] {
        println!("{name} {:.2}", quantile(&totals, part));
    }
    type Step = fn(&Lap) -> f64;
    let steps: [(&str, Step); 6] = [
        ("edit", |lap| lap.edit),
        ("denial", |lap| lap.denial),
        ("sign", |lap| lap.sign),
        ("audit", |lap| lap.audit),
        ("journal", |lap| lap.journal),
        ("commit", |lap| lap.commit),
    ];
    for (name, of) in steps {
        let values = sorted(of);
        println!(
            "  {name:<8} {:.2} ms (p99 {:.2})",
            quantile(&values, 0.5),
            quantile(&values, 0.99)
        );
    }
    let mut limit = 1.0;
    let mut below = 0;
    while below < totals.len() {
        let count = totals.iter().filter(|total| **total < limit).count();
        if count > below {
            println!(
                "  below {limit:>6.1} ms: {:>5} {}",
                count - below,
                "#".repeat((count - below) * 60 / totals.len())
            );
        }
        below = count;
        limit *= 1.4;
    }
}
