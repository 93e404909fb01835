//! `ods-auditor` as in OpenDNSSEC 1.x: audits the zones of a configuration, or one zone, or copies
//! of its files. In: words. Out: OpenDNSSEC's lines on standard output. Exit code 0 unless there
//! was something at error level or worse.
//!
//! Where 1.x stopped after a hundred lines, so does this. `--full` and `--partial` override the
//! policy's `<Audit>`.

use super::{AuditError, Judged, audit_on, file, policy};
use actors::runtime::Clock;
use actors::settings::{ZoneSettings, read_settings_with, zone_text};
use appliance_config::{Repository, Secret};
use audit::{Expectations, Sampling, Severity, Verdict, Zones};
use console_protocol::options::{self, Given, Known};
use dnssec::policy::AuditMode;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zeroize::Zeroizing;

const CONF_FILE_DEFAULT: &str = "/etc/opendnssec/conf.xml";
const OPTIONS: &[Known] = &[
    Known { short: 'c', long: "conf", takes_value: true },
    Known { short: 'k', long: "kasp", takes_value: true },
    Known { short: 'z', long: "zone", takes_value: true },
    Known { short: 's', long: "signed", takes_value: true },
    Known { short: 'u', long: "unsigned", takes_value: true },
    Known { short: 'f', long: "full", takes_value: false },
    Known { short: 'p', long: "partial", takes_value: false },
    Known { short: 'v', long: "version", takes_value: false },
    Known { short: 'h', long: "help", takes_value: false },
];
/// Findings shown of all zones together.
const LINES_MAX: usize = 100;
/// A partial audit verifies the signatures at one name in so many.
const PARTIAL_ONE_IN: u32 = 10;

#[derive(Default)]
struct Options {
    conf: Option<PathBuf>,
    kasp: Option<PathBuf>,
    zone: Option<String>,
    signed: Option<PathBuf>,
    unsigned: Option<PathBuf>,
    mode: Option<AuditMode>,
}

/// Audits what `words` say, which come after the name `program`.
pub(crate) fn main(program: &str, words: &[String]) -> ExitCode {
    let mut given = Options::default();
    for option in options::read(words, OPTIONS) {
        match option {
            Given::Option('h', _) => {
                print!("{}", usage(program));
                return ExitCode::SUCCESS;
            }
            Given::Option('v', _) => {
                println!("{program} version {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            Given::Option('c', value) => given.conf = value.map(PathBuf::from),
            Given::Option('k', value) => given.kasp = value.map(PathBuf::from),
            Given::Option('z', value) => given.zone = value,
            Given::Option('s', value) => given.signed = value.map(PathBuf::from),
            Given::Option('u', value) => given.unsigned = value.map(PathBuf::from),
            Given::Option('f', _) => given.mode = Some(AuditMode::Full),
            Given::Option('p', _) => given.mode = Some(AuditMode::Partial),
            Given::Option(..) => {}
            Given::Wrong(complaint) => return failed(&format!("{program}: {complaint}")),
        }
    }
    if given.zone.is_none() && (given.signed.is_some() || given.unsigned.is_some()) {
        return failed("--signed and --unsigned need a zone: name it with --zone");
    }
    match zones(&given) {
        Ok((zones, left_out)) => audit_all(&given, zones, &left_out),
        Err(error) => failed(&error),
    }
}

fn failed(text: &str) -> ExitCode {
    eprintln!("{text}");
    ExitCode::FAILURE
}

/// The zones that are to be audited. With them come complaints about those that cannot be.
fn zones(given: &Options) -> Result<(Vec<ZoneSettings>, Vec<String>), String> {
    let default = Path::new(CONF_FILE_DEFAULT);
    let conf = given.conf.as_deref().unwrap_or(default);
    // Tokens are not opened, so any PIN will do.
    let any_pin = |_: &Repository| Some(Secret::from(Zeroizing::new(String::new())));
    let read = read_settings_with(conf, &any_pin).map_err(|error| error.to_string())?;
    let (settings, notices) = read;
    let mut zones = settings.zones;
    if let Some(wanted) = &given.zone {
        let name = |text: &str| text.trim_end_matches('.').to_ascii_lowercase();
        zones.retain(|zone| name(&zone_text(&zone.name)) == name(wanted));
        if zones.is_empty() {
            return Err(format!("zone {wanted} is not in the configuration {}", conf.display()));
        }
    }
    let left_out: Vec<String> = notices
        .iter()
        .filter(|notice| notice.is_about_a_zone() && given.zone.is_none())
        .map(|notice| notice.to_string())
        .collect();
    Ok((zones, left_out))
}

fn audit_all(given: &Options, zones: Vec<ZoneSettings>, left_out: &[String]) -> ExitCode {
    println!("Auditor started");
    let mut lines = left_out.len();
    let mut has_failed = !left_out.is_empty();
    for complaint in left_out {
        println!("{complaint}");
    }
    for zone in zones {
        let name = zone_text(&zone.name);
        println!("Auditor starting on {name}");
        match audit_zone(given, &zone) {
            Ok(judged) => {
                for finding in &judged.report.findings {
                    has_failed |= finding.severity != Severity::Warn;
                    if lines < LINES_MAX {
                        println!("{name}: {finding}");
                    }
                    lines += 1;
                }
                has_failed |= judged.report.verdict() != Verdict::Approve;
            }
            Err(error) => {
                println!("{name}: {error}");
                has_failed = true;
            }
        }
        if lines > LINES_MAX {
            println!("{} more findings are not shown", lines - LINES_MAX);
            break;
        }
    }
    if has_failed {
        println!("Auditor found errors - check log for details");
        return ExitCode::FAILURE;
    }
    println!("Auditor found no errors");
    ExitCode::SUCCESS
}

fn audit_zone(given: &Options, zone: &ZoneSettings) -> Result<Judged, AuditError> {
    let clock = Clock::system();
    let began = clock.uptime();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let apex = zone.name.as_wire().to_vec();
    let no_file = |option| AuditError::NoFile { zone: zone_text(&zone.name), option };
    let signed = given.signed.as_deref().or(zone.output_file());
    let signed = signed.ok_or_else(|| no_file("--signed"))?;
    let unsigned = given.unsigned.as_deref().or(zone.input_file());
    let unsigned = unsigned.ok_or_else(|| no_file("--unsigned"))?;
    let candidate = file::read(signed, Some(apex.clone()), threads)?;
    let source = file::read(unsigned, Some(apex.clone()), threads)?;
    let candidate: Vec<&[u8]> = candidate.iter().map(Vec::as_slice).collect();
    let source: Vec<&[u8]> = source.iter().map(Vec::as_slice).collect();
    let reading = clock.uptime().saturating_sub(began);
    let observed = audit::observe(&candidate, Some(&apex));
    let now = clock.now().0;
    let mut expectations = Expectations::new(apex.clone(), now, observed.denial);
    let of_kasp = given.kasp.as_deref().map(|kasp| policy::read(kasp, &zone.policy.name));
    let policy = of_kasp.transpose()?;
    let policy = policy.as_ref().unwrap_or(&zone.policy);
    policy::apply(policy, &mut expectations);
    if given.mode.unwrap_or(policy.audit) == AuditMode::Partial {
        expectations.sampling = Some(Sampling { one_in: PARTIAL_ONE_IN, seed: now });
    }
    let zones = Zones { candidate: &candidate, source: Some(&source) };
    let report = audit_on(threads, zones, &expectations)?;
    Ok(Judged { apex, at: now, report, reading, took: clock.uptime().saturating_sub(began) })
}

fn usage(program: &str) -> String {
    format!(
        "Usage: {program} [options]

Options:
  -c, --conf [PATH_TO_CONF_FILE]   Path to OpenDNSSEC configuration file
             (defaults to {CONF_FILE_DEFAULT})
  -k, --kasp [PATH_TO_KASP_FILE]   Path to KASP policy file
             (defaults to the path from the conf.xml file)
  -z, --zone [ZONE_NAME]           Single zone to audit
             (defaults to audit all zones)
  -s, --signed [PATH_TO_SIGNED]    If one zone is specified, then override path to signed file
  -u, --unsigned [PATH_TO_UNSIGNED] If one zone is specified, then override path to unsigned file
  -f, --full                       Do full auditing
  -p, --partial                    Only do partial auditing
  -v, --version                    Display version information
  -h, --help                       Show this message
"
    )
}
