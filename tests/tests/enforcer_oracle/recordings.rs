//! The files of recordings, made anew on request and checked against the live enforcer.
//! In: `tests/data/enforcer-oracle/*.txt`, the live enforcer. Out: the same files; differences.
//! Never: our own core.

use crate::live::{Judge, Unavailable};
use crate::random::random_scenario;
use crate::scenario::{Command, Scenario, Step, read_scenarios, write_scenarios};
use std::path::{Path, PathBuf};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/enforcer-oracle");

/// A file of the repository.
pub(crate) fn repository_file(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative)
}

/// Random scenarios that are kept: seeds 1 to this.
const RANDOM_COUNT: u64 = 200;

/// Steps of a random scenario.
const RANDOM_STEPS: usize = 30;

/// Scenarios that run live each time.
const LIVE: &[&str] =
    &["ksk-double-signature", "zsk-pre-publication", "csk-pre-publication", "ttl-change"];

/// The recorded files and their scenarios, by file name; with `FILE=name` that one only.
pub(crate) fn recorded() -> Vec<(PathBuf, Vec<Scenario>)> {
    let entries = std::fs::read_dir(FOLDER).unwrap_or_else(|error| panic!("{FOLDER}: {error}"));
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let only = std::env::var("FILE").ok();
    paths.retain(|path| only.as_ref().is_none_or(|only| path.ends_with(format!("{only}.txt"))));
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, read_scenarios(&text))
    };
    paths.into_iter().map(read).collect()
}

/// Attempts to ask the judge, which sometimes locks itself up.
const ATTEMPTS: usize = 4;

fn patiently<T>(ask: impl Fn() -> Result<T, Unavailable>) -> Result<T, Unavailable> {
    let mut answer = ask();
    for _ in 1..ATTEMPTS {
        if !matches!(answer, Err(Unavailable::Hung { .. })) {
            break;
        }
        answer = ask();
    }
    answer
}

/// The same scenario with the answers of the live enforcer.
pub(crate) fn ask(scenario: &Scenario) -> Result<Scenario, Unavailable> {
    let mut judge = Judge::start(scenario)?;
    let mut answered = Scenario { steps: Vec::new(), ..scenario.clone() };
    for step in &scenario.steps {
        let count = if let Command::Auto { count } = step.command { count } else { 1 };
        for _ in 0..count {
            let command = match &step.command {
                Command::Auto { .. } => {
                    judge.last().awaited().into_iter().next().unwrap_or(Command::Leap)
                }
                command => command.clone(),
            };
            let answer = Some(judge.run(&command)?);
            answered.steps.push(Step { answer, ..Step::new(command) });
        }
    }
    Ok(answered)
}

/// The random scenario of a seed, with its steps and answers.
pub(crate) fn ask_random(seed: u64) -> Result<Scenario, Unavailable> {
    let (mut scenario, mut random) = random_scenario(seed);
    let mut judge = Judge::start(&scenario)?;
    for number in 0..RANDOM_STEPS {
        let command = random.step(number, judge.policies(), judge.last());
        let answer = Some(judge.run(&command)?);
        scenario.steps.push(Step { answer, ..Step::new(command) });
    }
    Ok(scenario)
}

fn mode() -> Option<String> {
    std::env::var("ENFORCER_ORACLE").ok()
}

/// Rewrites all recordings when `ENFORCER_ORACLE` asks for it: `record` all of them, `record NAME`
/// the file of that name.
#[test]
fn recordings_are_made_on_request() {
    let Some(mode) = mode().filter(|mode| mode.starts_with("record")) else { return };
    let only = mode.strip_prefix("record ").map(str::to_owned);
    let wanted = |path: &PathBuf| {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        only.is_none() || only == stem
    };
    for (path, scenarios) in recorded() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if wanted(&path) && name.is_some_and(|name| !name.starts_with("random")) {
            let answered: Vec<Scenario> = scenarios
                .iter()
                .map(|scenario| patiently(|| ask(scenario)).expect("the judge is here"))
                .collect();
            std::fs::write(&path, write_scenarios(&answered)).expect("the folder can be written");
        }
    }
    let path = PathBuf::from(FOLDER).join("random.txt");
    if wanted(&path) {
        let before: Vec<Scenario> = recorded().into_iter().flat_map(|(_, file)| file).collect();
        let ask = |seed| {
            let mut scenario = patiently(|| ask_random(seed)).expect("the judge is here");
            let known = before.iter().find(|known| known.name == scenario.name);
            if let Some(known) = known {
                scenario.differs = known.differs.clone();
                scenario.goes_apart = known.goes_apart;
            }
            scenario
        };
        let scenarios: Vec<Scenario> = (1..=RANDOM_COUNT).map(ask).collect();
        std::fs::write(&path, write_scenarios(&scenarios)).expect("the folder can be written");
    }
}

/// The recordings say what the enforcer says.
#[test]
fn recordings_are_what_the_live_enforcer_answers() {
    if mode().is_some() {
        return;
    }
    for (_, scenarios) in recorded() {
        for scenario in scenarios.iter().filter(|scenario| LIVE.contains(&scenario.name.as_str())) {
            match patiently(|| ask(scenario)) {
                Ok(answered) => {
                    let mut recorded = scenario.clone();
                    recorded.steps.iter_mut().for_each(|step| step.ours_differs.clear());
                    assert_eq!(
                        write_scenarios(&[answered]),
                        write_scenarios(&[recorded]),
                        "{}: record again with ENFORCER_ORACLE=record",
                        scenario.name
                    );
                }
                Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
                Err(error) => {
                    eprintln!("left out: {error}");
                    return;
                }
            }
        }
    }
}
