//! `anchorite plan` and `anchorite key timeline` on the operator's side: files that they name are
//! read and written here, with the operator's rights; the daemon touches none of them.
//! `plan --kasp FILE` without a zone needs no daemon: it is the plan of a new zone of each policy.
//! In: words. Out: text on standard output, a picture in a file. Exit codes: 0 done, 1 failed,
//! 2 wrong words, and those of the daemon's answer.

use crate::arguments::PROGRAMS;
use crate::front_ends;
use actors::enforcer::{TRASH_PERIOD, scene};
use actors::io::config_files;
use actors::settings::{EnforcerSettings, capacities, enforcer_settings};
use appliance_config::{FILE_BYTES_MAX, parse_duration, read_conf, read_kasp};
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Known, Place, take_apart};
use console_protocol::parse::{Invocation, parse};
use dnssec::enforcer::plan::{
    Assumptions, DsCommands, PARENT_DELAY_DEFAULT, ZonePlan, fill_repositories, icalendar, json,
    plan, table,
};
use dnssec::enforcer::{DsSighting, ZoneLife};
use dnssec::{Seconds, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const SOCKET: &[Known] = &[Known { short: 's', long: "socket", takes_value: true }];
/// Most years of a plan, as in the daemon.
const YEARS_MAX: u64 = 50;
/// Most of kasp.xml that goes into one request.
const KASP_OCTETS_MAX: usize = 48 << 10;
const WRONG: u8 = 2;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error(transparent)]
    File(#[from] config_files::ConfigFileError),
    #[error(transparent)]
    Faults(#[from] appliance_config::FileFaults),
    #[error("{} is no text", .0.display())]
    NoText(PathBuf),
    #[error("{} has more than {KASP_OCTETS_MAX} octets: too much for the daemon", .0.display())]
    TooLarge(PathBuf),
    #[error("{} has no policy {policy}; it has: {known}", path.display())]
    PolicyUnknown { path: PathBuf, policy: String, known: String },
    #[error("{0} is no number of years from 1 to {YEARS_MAX}")]
    Years(String),
    #[error("{text}: {cause}")]
    Duration { text: String, cause: appliance_config::DurationError },
    #[error("cannot write {}: {cause}", path.display())]
    Write { path: PathBuf, cause: std::io::Error },
}

/// A command for the daemon; those that name files are seen to here.
pub(crate) fn command(arguments: &[String]) -> ExitCode {
    let operands = take_apart(arguments, SOCKET, Place::InFront).operands;
    let invocation = parse(FrontEnd::Appliance, &operands).ok();
    let front = &arguments[..arguments.len() - operands.len()];
    let result = match invocation {
        Some(asked) if asked.command.path == "plan" && asked.value("kasp").is_some() => {
            proposed(front, &asked)
        }
        Some(asked) if asked.command.path == "key timeline" => picture(front, &asked),
        _ => return front_ends::command(arguments, PROGRAMS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("anchorite: {}", error.to_string().trim_end());
        ExitCode::from(match error {
            PlanError::Years(_) | PlanError::Duration { .. } => WRONG,
            _ => 1,
        })
    })
}

/// `plan --kasp FILE`.
fn proposed(front: &[String], asked: &Invocation) -> Result<ExitCode, PlanError> {
    let path = PathBuf::from(asked.value("kasp").unwrap_or_default());
    if !asked.has("all") && asked.value("zone").is_none() {
        print!("{}", fresh(&path, asked)?);
        return Ok(ExitCode::SUCCESS);
    }
    let bytes = config_files::read(&path, FILE_BYTES_MAX)?;
    // Faults are told here, with the file's name.
    read_kasp(&path.to_string_lossy(), &bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| PlanError::NoText(path.clone()))?;
    let text = text.trim_start_matches('\u{feff}').to_owned();
    if text.len() > KASP_OCTETS_MAX {
        return Err(PlanError::TooLarge(path));
    }
    let mut words = [front, &["plan".to_owned(), "--kasp".to_owned(), text]].concat();
    for flag in ["all", "json", "ics"].iter().filter(|flag| asked.has(flag)) {
        words.push(format!("--{flag}"));
    }
    for name in ["zone", "years", "policy", "parent-delay"] {
        words.extend(asked.value(name).map(|value| format!("--{name}={value}")));
    }
    Ok(front_ends::command(&words, PROGRAMS))
}

/// The plans of new zones of a file's policies, or of one of them.
fn fresh(path: &Path, asked: &Invocation) -> Result<String, PlanError> {
    let bytes = config_files::read(path, FILE_BYTES_MAX)?;
    let mut policies = read_kasp(&path.to_string_lossy(), &bytes)?.value;
    if let Some(name) = asked.value("policy") {
        let known: Vec<String> = policies.iter().map(|one| one.name.clone()).collect();
        policies.retain(|one| one.name == name);
        if policies.is_empty() {
            let (path, policy) = (path.to_owned(), name.to_owned());
            return Err(PlanError::PolicyUnknown { path, policy, known: known.join(", ") });
        }
    }
    let now = u64::try_from(jiff::Timestamp::now().as_second()).map_or(Timestamp(0), Timestamp);
    let until = now.plus(Seconds(years(asked)? * 365 * 86_400));
    let parent_delay = parent_delay(asked)?;
    let habits = Habits::read(asked.value("config"), path)?;
    let none: &[DsSighting] = &[];
    let mut plans = Vec::new();
    for policy in &policies {
        let parent = policy.parent.agents.as_ref().map(|_| none);
        let assumptions = Assumptions {
            scene: scene(policy, now, &[], parent, &habits.settings),
            until,
            parent_delay,
            commands: DsCommands {
                submits: habits.settings.submit_command.is_some(),
                retracts: habits.settings.retract_command.is_some(),
            },
            backed_up: &habits.settings.backed_up,
            keys_by_hand: habits.settings.manual_key_generation,
            // The first one is made with the zone.
            salted: Some(now),
        };
        let plan = plan(&ZoneLife::default(), &assumptions);
        let zone = "a new zone".to_owned();
        let mut one = [ZonePlan { zone, policy: policy.name.clone(), plan }];
        // Each policy by itself: whether they will have zones, and how many, is not known.
        fill_repositories(&mut one, &habits.free, TRASH_PERIOD);
        plans.extend(one);
    }
    Ok(match (asked.has("json"), asked.has("ics")) {
        (true, _) => json(&plans),
        (_, true) => icalendar(&plans),
        _ => table(&plans),
    })
}

/// What conf.xml says that plans depend on.
#[derive(Default)]
struct Habits {
    settings: EnforcerSettings,
    /// `<Capacity>` of the repositories that have one, as if they were empty.
    free: BTreeMap<String, u64>,
}

impl Habits {
    /// From the file that is named, or from the conf.xml beside kasp.xml; where there is none,
    /// nothing is assumed that only a conf.xml says.
    fn read(named: Option<&str>, kasp: &Path) -> Result<Habits, PlanError> {
        let path = match named {
            Some(named) => PathBuf::from(named),
            None => kasp.with_file_name("conf.xml"),
        };
        if named.is_none() && !path.exists() {
            return Ok(Habits::default());
        }
        let bytes = config_files::read(&path, FILE_BYTES_MAX)?;
        let conf = read_conf(&path.to_string_lossy(), &bytes)?.value;
        let free = capacities(&conf);
        Ok(Habits { settings: enforcer_settings(&conf), free })
    }
}

fn years(asked: &Invocation) -> Result<u64, PlanError> {
    let Some(typed) = asked.value("years") else { return Ok(1) };
    let years = typed.parse().ok().filter(|years| (1..=YEARS_MAX).contains(years));
    years.ok_or_else(|| PlanError::Years(typed.to_owned()))
}

fn parent_delay(asked: &Invocation) -> Result<Seconds, PlanError> {
    let Some(typed) = asked.value("parent-delay") else { return Ok(PARENT_DELAY_DEFAULT) };
    parse_duration(typed).map_err(|cause| PlanError::Duration { text: typed.to_owned(), cause })
}

/// `key timeline`, with its picture in a file.
fn picture(front: &[String], asked: &Invocation) -> Result<ExitCode, PlanError> {
    let mut words = [front, &["key".to_owned(), "timeline".to_owned()]].concat();
    words.extend(asked.operands.iter().cloned());
    for name in ["years", "parent-delay"] {
        words.extend(asked.value(name).map(|value| format!("--{name}={value}")));
    }
    let path = match asked.value("svg") {
        None => return Ok(front_ends::command(&words, PROGRAMS)),
        Some("-") => None,
        Some(path) => Some(PathBuf::from(path)),
    };
    words.push("--svg=-".to_owned());
    let Some(path) = path else { return Ok(front_ends::command(&words, PROGRAMS)) };
    let mut text = Vec::new();
    let exit_code = front_ends::command_into(&words, PROGRAMS, &mut text);
    if exit_code == 0 {
        std::fs::write(&path, text).map_err(|cause| PlanError::Write { path, cause })?;
    }
    Ok(ExitCode::from(exit_code))
}
