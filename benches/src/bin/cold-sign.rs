//! Cold signing of one zone, file to file, **without audit**: for comparison with peers, which do
//! not audit. The same stage functions as the product, which itself has no way around its auditor.
//! In: `cold-sign ZONE_FILE ORIGIN nsec|nsec3|nsec3-opt-out OUTPUT`. Out: the signed file; seconds
//! per stage on standard error.
#![forbid(unsafe_code)]

use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::denial::{Chained, Denial};
use actors::stages::publish::write_zone_file;
use actors::stages::sign::{Extent, Sign, SignOutput};
use actors::stages::sort::{Sort, SortInput, SortSource};
use actors::stages::{Stage, StageError};
use anchorite_benches::one_zone::OneZone;
use anchorite_benches::token_with_keys;
use dnssec::Name;
use dnssec::zone::load::{DnssecRecords, Limits};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, origin, denial, output] = words.as_slice() else {
        return Err("usage: cold-sign ZONE_FILE ORIGIN nsec|nsec3|nsec3-opt-out OUTPUT".into());
    };
    let clock = Clock::system();
    // This thread takes part in the work.
    let workers = std::thread::available_parallelism()?.get() - 1;
    let pool = WorkerPool::start(PoolSpec { name: "worker", workers, queue_bound: 64 })?;
    let apex = Name::parse(origin.as_bytes(), Some(&Name::root()))?;
    let folder = tempfile::tempdir()?;
    let zone = OneZone::new(token_with_keys(folder.path())?, denial);
    sign(&pool, &clock, Job { file, apex, output, zone })?;
    Ok(())
}

/// What is to be signed, and with what.
struct Job<'a> {
    file: &'a str,
    apex: Name,
    output: &'a str,
    zone: OneZone,
}

fn sign(pool: &WorkerPool, clock: &Clock, job: Job<'_>) -> Result<(), StageError> {
    let Job { file, apex, output, zone } = job;
    let mut lap = clock.uptime();
    let mut tell = |stage: &str| {
        let now = clock.uptime();
        eprintln!("{stage:<8} {:.3} s", (now - lap).as_secs_f64());
        lap = now;
    };
    let file = ZoneFile::open(Path::new(file))?;
    let (limits, dnssec_records) = (Limits::default(), DnssecRecords::Dropped);
    let source = SortSource::File(file);
    let sort = SortInput { apex, source, limits, dnssec_records, previous: None };
    let unsigned = Sort::run(pool, sort)?.version;
    tell("sort");
    let serial = unsigned.serial().unwrap_or_default();
    let Chained::Whole(version) = Denial::run(pool, zone.denial_input(unsigned, None, None))?
    else {
        return Ok(());
    };
    tell("denial");
    let input = zone.sign_input(Extent::Whole(version), None, serial, clock.now());
    let SignOutput::Signed { version, .. } = Sign::run(pool, input)? else { return Ok(()) };
    tell("sign");
    write_zone_file(pool, &version, Path::new(output))?;
    tell("write");
    Ok(())
}
