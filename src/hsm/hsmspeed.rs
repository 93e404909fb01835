//! `ods-hsmspeed`: how many signatures a token makes in a second, with a key that is removed again.
//! In: words. Out: OpenDNSSEC's line on standard output, progress on standard error; its exit
//! codes. Each thread signs one message at a time, as there; each signature is verified, which
//! takes its share of the time. Beyond OpenDNSSEC: `-a`, the algorithm as a number.

use super::repositories::{self, CONF_FILE_DEFAULT, Fault, NewToken, Repositories, slot_fault};
use super::words::{self, Given, atoi};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::{GenerateRequest, SignBatch, Slot, random_key_id};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Instant;

const THREADS_MAX: i64 = 2048;
const MINUS_ONE: u8 = 255;
/// A thread calls the module and little else.
const STACK_BYTES: usize = 512 * 1024;

struct Job {
    conf: String,
    repository: String,
    algorithm: Algorithm,
    /// `-s`, for RSA.
    bits: i64,
    iterations: i64,
    threads: i64,
}

/// Runs the tool; `arguments` come behind the name `program`.
pub(crate) fn main(program: &str, arguments: &[String]) -> ExitCode {
    let job = match job(arguments) {
        Ok(job) => job,
        Err(complaint) => {
            if let Some(complaint) = complaint {
                eprintln!("{program}: {complaint}");
            }
            eprintln!(
                "usage: {program} [-c config] -r repository [-i iterations] [-s keysize] \
                 [-t threads] [-a algorithm]"
            );
            return ExitCode::FAILURE;
        }
    };
    run(&job).map_or_else(
        |fault| {
            eprintln!("{fault}");
            ExitCode::from(MINUS_ONE)
        },
        ExitCode::from,
    )
}

/// What the words say; a complaint, or none when a word is missing.
fn job(arguments: &[String]) -> Result<Job, Option<String>> {
    let mut job = Job {
        conf: CONF_FILE_DEFAULT.to_owned(),
        repository: String::new(),
        algorithm: Algorithm::RsaSha256,
        bits: 1024,
        iterations: 1,
        threads: 1,
    };
    let mut repository = None;
    for given in words::read(arguments, "c:i:r:s:t:a:").given {
        match given {
            Given::Option('c', Some(value)) => job.conf = value,
            Given::Option('r', value) => repository = value,
            Given::Option('i', Some(value)) => job.iterations = atoi(&value).max(0),
            Given::Option('s', Some(value)) => job.bits = atoi(&value),
            Given::Option('t', Some(value)) => job.threads = atoi(&value).max(0),
            Given::Option('a', Some(value)) => {
                let known = u8::try_from(atoi(&value)).ok().and_then(Algorithm::from_number);
                let known = known.ok_or_else(|| Some(format!("no such algorithm: {value}")));
                job.algorithm = known?;
            }
            Given::Option(..) => {}
            Given::Wrong(complaint) => return Err(Some(complaint)),
        }
    }
    job.repository = repository.ok_or(None)?;
    if job.threads > THREADS_MAX {
        eprintln!("Number of threads specified over max, force using {THREADS_MAX} threads!");
        job.threads = THREADS_MAX;
    }
    Ok(job)
}

fn run(job: &Job) -> Result<u8, Fault> {
    eprintln!("Opening HSM Library...");
    let known = Repositories::read(Path::new(&job.conf))?;
    let failed = |cause: &dyn std::fmt::Display| {
        eprintln!("Could not generate a key pair in repository \"{}\"", job.repository);
        eprintln!("{cause}");
        Ok(MINUS_ONE)
    };
    let repository = match known.named(&job.repository) {
        Ok(repository) => repository,
        Err(fault) => {
            eprintln!("Generating temporary key...");
            return failed(&fault);
        }
    };
    let sessions = usize::try_from(job.threads).unwrap_or(1).max(1);
    let slot = repositories::open(repository, NewToken::Refused, sessions)?;
    eprintln!("Generating temporary key...");
    let Some(id) = random_key_id() else { return failed(&"no random number could be had") };
    let request = GenerateRequest {
        id: id.clone(),
        algorithm: job.algorithm,
        rsa_bits: u16::try_from(job.bits).unwrap_or(0),
        // The key signs nothing that anybody sees.
        allow_deprecated: true,
    };
    let public = match slot.generate(&request) {
        Ok(public) => public,
        Err(error) => return failed(&slot_fault(repository, error)),
    };
    eprintln!("Temporary key created: {id}");
    let (count, seconds) = measure(job, slot.as_ref(), &id);
    let rate = count as f64 / seconds;
    eprintln!("Signing done.");
    let threads = if job.threads > 1 { "threads" } else { "thread" };
    let name = match job.algorithm {
        algorithm if algorithm.is_rsa() => "RSA",
        algorithm => algorithm.mnemonic(),
    };
    let written = writeln!(
        io::stdout().lock(),
        "{} {threads}, {} signatures per thread, {rate:.2} sig/s ({name} {} bits)",
        job.threads,
        job.iterations,
        public.bits()
    );
    eprintln!("Deleting temporary key...");
    slot.delete(&id).map_err(|error| slot_fault(repository, error))?;
    written?;
    // OpenDNSSEC calls it a success, and counts what was never signed.
    Ok(if count == job.iterations * job.threads { 0 } else { MINUS_ONE })
}

/// How many signatures were made, in how many seconds.
fn measure(job: &Job, slot: &dyn Slot, id: &KeyId) -> (i64, f64) {
    let (threads, iterations) = (job.threads, job.iterations);
    let plural = if threads > 1 { "threads" } else { "thread" };
    let name = match job.algorithm {
        Algorithm::RsaSha256 => "RSA/SHA256",
        algorithm => algorithm.mnemonic(),
    };
    let count = AtomicI64::new(0);
    eprintln!("Signing {iterations} RRsets with {name} using {threads} {plural}...");
    let message = [b"regress.opendnssec.se. IN A 123.123.123.123".as_slice()];
    let messages = message.into_iter().collect();
    let batch = SignBatch { key: id.clone(), algorithm: job.algorithm, messages };
    let sign = |number: i64| {
        eprintln!("Signer thread #{number} started...");
        for _ in 0..iterations {
            if let Err(error) = slot.sign(&batch) {
                eprintln!("hsm_sign_rrset() returned error: {error}");
                return;
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        eprintln!("Signer thread #{number} done.");
    };
    let start = Instant::now();
    thread::scope(|scope| {
        for number in 0..threads {
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            let sign = &sign;
            if let Err(error) = builder.spawn_scoped(scope, move || sign(number)) {
                eprintln!("pthread_create() returned {error}");
            }
        }
    });
    (count.into_inner(), start.elapsed().as_secs_f64())
}
