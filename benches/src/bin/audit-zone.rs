//! The full audit of a signed zone file, on all cores. In: `audit-zone SIGNED UNSIGNED ORIGIN
//! nsec|nsec3|nsec3-opt-out`, where SIGNED has one record a line with absolute names, as anchorite
//! writes it. Out: on standard output lines with seconds: `read`, `prepare`, `verify`, `finish`
//! and `audit`, which is the last three; then the counts. Exit code 1 if the zone is refused.
//! The same auditor as the product's, without its expectations of policy.
#![forbid(unsafe_code)]

use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::Stage;
use actors::stages::sort::{Sort, SortInput};
use anchorite_benches::on_threads;
use audit::{Denial, Expectations, Prepared, Verdict, Zones};
use dnssec::Name;
use dnssec::zone::load::{DnssecRecords, Limits};
use dnssec::zone::render;
use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
};
use std::error::Error;
use std::path::Path;

/// Parts of the work per thread, so that no thread waits long for the last one.
const PARTS_PER_THREAD: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [signed, unsigned, origin, denial] = words.as_slice() else {
        return Err("usage: audit-zone SIGNED UNSIGNED ORIGIN nsec|nsec3|nsec3-opt-out".into());
    };
    let opt_out = denial == "nsec3-opt-out";
    let denial = match denial.as_str() {
        "nsec" => Denial::Nsec,
        _ => Denial::Nsec3 { hash_algorithm: 1, iterations: 0, salt: Vec::new(), opt_out },
    };
    let threads = std::thread::available_parallelism()?.get();
    let clock = Clock::system();
    let started = clock.uptime();
    let apex = Name::parse(origin.as_bytes(), Some(&Name::root()))?;
    let candidate = signed_blocks(threads, &apex, Path::new(signed))?;
    let source = unsigned_blocks(threads, &apex, Path::new(unsigned))?;
    let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
    let source: Vec<&[u8]> = source.iter().map(Vec::as_slice).collect();
    let expectations = Expectations::new(apex.as_wire().to_vec(), clock.now().0, denial);

    let read = clock.uptime();
    let zones = Zones { candidate: &candidate, source: Some(&source) };
    let prepared = Prepared::new(zones, &expectations)?;
    let prepare = clock.uptime();
    let ranges: Vec<_> = prepared.ranges(threads * PARTS_PER_THREAD).collect();
    let parts = on_threads(threads, &ranges, |range| prepared.verify_range(range.clone()));
    let verify = clock.uptime();
    let report = prepared.finish(parts)?;
    let finish = clock.uptime();
    println!("read {:.4}", (read - started).as_secs_f64());
    println!("prepare {:.4}", (prepare - read).as_secs_f64());
    println!("verify {:.4}", (verify - prepare).as_secs_f64());
    println!("finish {:.4}", (finish - verify).as_secs_f64());
    println!("audit {:.4}", (finish - read).as_secs_f64());
    println!("{:?}", report.counts);
    if report.verdict() != Verdict::Approve {
        for finding in report.findings.iter().take(10) {
            eprintln!("{finding}");
        }
        return Err(format!("{} findings", report.findings.len()).into());
    }
    Ok(())
}

/// The signed file as wire records: parts that end at line ends are read on all threads.
fn signed_blocks(threads: usize, apex: &Name, path: &Path) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let bytes = std::fs::read(path)?;
    let mut parts = Vec::new();
    let mut rest = &bytes[..];
    let size = bytes.len() / (threads * PARTS_PER_THREAD) + 1;
    while !rest.is_empty() {
        let from = size.min(rest.len());
        let end = rest[from..].iter().position(|octet| *octet == b'\n');
        let (part, after) = rest.split_at(end.map_or(rest.len(), |end| from + end + 1));
        parts.push(part);
        rest = after;
    }
    let read = on_threads(threads, &parts, |part| {
        let mut block = WireBlock(Vec::with_capacity(part.len()));
        let mut reader = Reader::new(State::new(Some(apex.clone()), 0));
        let taken = reader.read_block(part, BlockEnd::Final, &mut block);
        taken.map(|_| block.0).map_err(|error| format!("{error:?}"))
    });
    Ok(read.into_iter().collect::<Result<_, _>>()?)
}

/// The unsigned file as wire records, by the product's own sorting.
fn unsigned_blocks(
    threads: usize,
    apex: &Name,
    path: &Path,
) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    // This thread takes part in the work.
    let workers = threads - 1;
    let pool = WorkerPool::start(PoolSpec { name: "worker", workers, queue_bound: 64 })?;
    let file = ZoneFile::open(path)?;
    let (apex, limits) = (apex.clone(), Limits::default());
    let dnssec_records = DnssecRecords::Dropped;
    let input = SortInput { apex, file, limits, dnssec_records, previous: None };
    let version = Sort::run(&pool, input)?.version;
    let chunks: Vec<_> = version.chunks().cloned().collect();
    Ok(on_threads(threads, &chunks, |chunk| {
        let mut block = Vec::new();
        render::wire(&version.apex, chunk, &mut block);
        block
    }))
}

/// Appends each record in uncompressed wire form (RFC 1035 §3.2.1).
struct WireBlock(Vec<u8>);

impl Sink for WireBlock {
    type Error = &'static str;

    fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), Self::Error> {
        let length = u16::try_from(record.rdata.len()).map_err(|_| "RDATA is too long")?;
        self.0.extend(record.owner.as_wire());
        self.0.extend(record.rtype.0.to_be_bytes());
        self.0.extend(1_u16.to_be_bytes());
        self.0.extend(record.ttl.0.to_be_bytes());
        self.0.extend(length.to_be_bytes());
        self.0.extend(record.rdata);
        Ok(())
    }

    fn warning(&mut self, _: Warning, _: Position) -> Result<(), Self::Error> {
        Err("anchorite writes no file that its reader warns of")
    }

    fn include(&mut self, _: IncludeRequest<'_>) -> Result<Included, Self::Error> {
        Err("anchorite writes no $INCLUDE")
    }
}
