//! Cold signing of one zone, file to file, **without audit**: for comparison with peers, which do
//! not audit. The same stage functions as the product, which itself has no way around its auditor.
//! In: `cold-sign ZONE_FILE ORIGIN nsec|nsec3|nsec3-opt-out OUTPUT`. Out: the signed file; seconds
//! per stage on standard error.
#![forbid(unsafe_code)]

use actors::io::zone_files::ZoneFile;
use actors::runtime::{Clock, PoolSpec, WorkerPool};
use actors::stages::denial::{Denial, DenialInput};
use actors::stages::publish::write_zone_file;
use actors::stages::sign::{Extent, Sign, SignInput, SignOutput};
use actors::stages::sort::{Sort, SortInput};
use actors::stages::{Stage, StageError};
use anchorite_benches::token_with_keys;
use dnssec::denial::nsec3::Nsec3Parameters;
use dnssec::policy::{Policy, SerialMode};
use dnssec::signing::apex::ApexPlan;
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::{Signer, SigningTimes, ZoneKey};
use dnssec::zone::load::Limits;
use dnssec::{Name, Ttl};
use hsm::Slot;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

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
    let (token, keys) = token_with_keys(folder.path())?;
    sign(&pool, &clock, Job { file, apex, denial, output, token, keys })?;
    Ok(())
}

/// What is to be signed, and with what.
struct Job<'a> {
    file: &'a str,
    apex: Name,
    denial: &'a str,
    output: &'a str,
    token: Arc<dyn Slot>,
    keys: Vec<ZoneKey>,
}

fn sign(pool: &WorkerPool, clock: &Clock, job: Job<'_>) -> Result<(), StageError> {
    let Job { file, apex, denial, output, token, keys } = job;
    let policy = Policy::anchorite_default("bench");
    let mut lap = clock.uptime();
    let mut tell = |stage: &str| {
        let now = clock.uptime();
        eprintln!("{stage:<8} {:.3} s", (now - lap).as_secs_f64());
        lap = now;
    };
    let file = ZoneFile::open(Path::new(file))?;
    let unsigned = Sort::run(pool, SortInput { apex, file, limits: Limits::default() })?.version;
    tell("sort");
    let opt_out = denial == "nsec3-opt-out";
    let nsec3 =
        (denial != "nsec").then(|| Nsec3Parameters { iterations: 0, salt: Vec::new(), opt_out });
    let plan = ApexPlan {
        soa_ttl: Ttl(3600),
        soa_minimum: 3600,
        serial: None,
        keys_ttl: Ttl(3600),
        dnskeys: keys.iter().map(ZoneKey::dnskey_rdata).collect(),
        cds: Vec::new(),
        cdnskey: Vec::new(),
        nsec3param: nsec3.as_ref().map(|nsec3| (Ttl(0), nsec3.param_rdata())),
    };
    let input_serial = unsigned.serial().unwrap_or_default();
    let version = Denial::run(pool, DenialInput { unsigned, apex: plan, nsec3, ttl: Ttl(3600) })?;
    tell("denial");
    let times = SigningTimes { now: clock.now(), policy: policy.signatures, seed: 1 };
    let input = SignInput {
        version,
        extent: Extent::All,
        previous: None,
        signers: Signer::of_keys(&keys).into(),
        published: PublishedKey::of_keys(&keys).into(),
        times: Arc::new(times),
        slots: Arc::new(BTreeMap::from([("bench".to_owned(), token)])),
        serial_mode: SerialMode::Counter,
        input_serial,
        previous_serial: None,
        is_new_input: true,
    };
    let SignOutput::Signed { version, .. } = Sign::run(pool, input)? else { return Ok(()) };
    tell("sign");
    write_zone_file(pool, &version, Path::new(output))?;
    tell("write");
    Ok(())
}
