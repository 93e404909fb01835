//! `anchorite audit`: judges a signed zone file, with no daemon, keys or state.
//! In: files. Out: findings and a verdict on standard output, as text or JSON. Exit code 0 when the
//! zone is good, 1 when it is not or could not be read, 2 for wrong usage.

mod file;
mod json;
pub(crate) mod ods_auditor;
mod policy;
mod text;

use crate::arguments::AuditArguments;
use actors::runtime::Clock;
use audit::presentation;
use audit::{Expectations, Prepared, Report, Verdict, Zones};
use std::process::ExitCode;
use std::time::Duration;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    #[error(transparent)]
    File(#[from] file::FileError),
    #[error("{0} is not a zone name")]
    Zone(String),
    #[error("{file}: no SOA record was found; is this a zone file?")]
    NoSoa { file: String },
    #[error("--at {0}: expected YYYYMMDDHHmmSS or Unix seconds (UTC), as in an RRSIG")]
    Time(String),
    #[error("--ds {typed}: expected the data of a DS record, as in \"12345 13 2 0123AB...\"")]
    Ds { typed: String },
    #[error(transparent)]
    Policy(#[from] policy::PolicyError),
    #[error("zone {zone} has no such file, it is transferred: give one with {option}")]
    NoFile { zone: String, option: &'static str },
    #[error(transparent)]
    Zones(#[from] audit::AuditError),
}

/// A judged zone.
struct Judged {
    apex: Vec<u8>,
    /// The moment that it was judged for, in Unix seconds.
    at: u64,
    report: Report,
    /// Of which reading the files.
    reading: Duration,
    took: Duration,
}

pub(crate) fn main(arguments: AuditArguments) -> ExitCode {
    let judged = match judge(&arguments) {
        Ok(judged) => judged,
        Err(error) => {
            eprintln!("anchorite: {error}");
            return ExitCode::FAILURE;
        }
    };
    match arguments.json {
        true => println!("{}", json::render(&judged)),
        false => print!("{}", text::render(&judged)),
    }
    match judged.report.verdict() {
        Verdict::Approve => ExitCode::SUCCESS,
        Verdict::Hold | Verdict::Reject => ExitCode::FAILURE,
    }
}

fn judge(arguments: &AuditArguments) -> Result<Judged, AuditError> {
    let clock = Clock::system();
    let began = clock.uptime();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let apex = arguments.zone.as_deref().map(wire_name).transpose()?;
    let now = match &arguments.at {
        None => clock.now().0,
        Some(typed) => moment(typed).ok_or_else(|| AuditError::Time(typed.clone()))?,
    };
    let candidate = file::read(&arguments.signed, apex.clone(), threads)?;
    let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
    let observed = audit::observe(&candidate, apex.as_deref());
    let no_soa = || AuditError::NoSoa { file: arguments.signed.display().to_string() };
    let apex = observed.apex.ok_or_else(no_soa)?;
    let unsigned = arguments.unsigned.as_deref();
    let source = unsigned.map(|path| file::read(path, Some(apex.clone()), threads)).transpose()?;
    let source: Option<Vec<&[u8]>> =
        source.as_ref().map(|blocks| blocks.iter().map(Vec::as_slice).collect());
    let reading = clock.uptime().saturating_sub(began);
    let mut expectations = Expectations::new(apex.clone(), now, observed.denial);
    expectations.limits.findings = arguments.max_findings;
    if let Some(kasp) = &arguments.kasp {
        policy::apply(&policy::read(kasp, &arguments.policy)?, &mut expectations);
    }
    if !arguments.ds.is_empty() {
        expectations.parent = Some(vec![parent(&arguments.ds)?]);
    }
    let zones = Zones { candidate: &candidate, source: source.as_deref() };
    let report = audit_on(threads, zones, &expectations)?;
    Ok(Judged { apex, at: now, report, reading, took: clock.uptime().saturating_sub(began) })
}

/// Audits on several threads.
fn audit_on(
    threads: usize,
    zones: Zones<'_>,
    expectations: &Expectations,
) -> Result<Report, audit::AuditError> {
    let prepared = Prepared::new(zones, expectations)?;
    let parts = audit_host::verify(&prepared, threads, &|_, _| ());
    prepared.finish(parts)
}

/// Does the same on so many threads at once, one of which is this one. A panic passes on.
fn on_threads<R: Send>(threads: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut results = vec![work()];
        for helper in helpers {
            match helper.join() {
                Ok(result) => results.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// A name as typed, with or without its final dot, in wire form.
fn wire_name(typed: &str) -> Result<Vec<u8>, AuditError> {
    let line = format!("{typed} 0 A 192.0.2.1");
    let root = Some(vec![0]);
    let unknown = |_| AuditError::Zone(typed.to_owned());
    let section = presentation::read_text(line.as_bytes(), root).map_err(unknown)?;
    Ok(section.carried.last_owner)
}

/// Unix seconds, or a time as in an RRSIG.
fn moment(typed: &str) -> Option<u64> {
    presentation::read_time(typed.as_bytes()).map(u64::from)
}

/// The DS RRset that the parent has.
fn parent(typed: &[String]) -> Result<audit::DsSet, AuditError> {
    let mut records = Vec::new();
    for line in typed {
        let wrong = || AuditError::Ds { typed: line.clone() };
        let record = presentation::read_rdata("DS", line).map_err(|_| wrong())?;
        records.push(record);
    }
    Ok(audit::DsSet { records, source: audit::DsSource::Seen, cached_until: None })
}
