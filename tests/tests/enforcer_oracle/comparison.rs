//! The comparison itself: our answer to each step beside the recorded one.
//! In: recorded scenarios. Out: nothing, or every difference.
//! Never: a tolerance: a scenario in which ours differs on purpose says why (`differs REASON`) and
//! holds each line by which it does.

use crate::ours::Ours;
use crate::picture::{Next, Picture};
use crate::recordings::{ask_random, recorded, repository_file};
use crate::scenario::{Answer, Scenario, write_scenarios};

/// Where ours differs from the recording: for each compared step the lines that lead from theirs
/// to ours.
pub(crate) fn differences(scenario: &Scenario) -> Vec<Vec<String>> {
    let mut ours = Ours::start(scenario);
    let mut differences = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let Some(theirs) = &step.answer else { panic!("{}: not recorded", scenario.name) };
        let mut ours = ours.run(&step.command, theirs.now);
        forgive_early_looks(scenario, number, &mut ours.picture);
        let mut lines = Vec::new();
        if theirs.exit != ours.exit {
            lines.push(format!("exit {}", ours.exit));
        }
        lines.extend(ours.picture.changes(&theirs.picture));
        let is_over = scenario.goes_apart && !lines.is_empty();
        differences.push(lines);
        if is_over {
            break;
        }
    }
    differences
}

/// `early-look`: 2.1 adds up the times at which something may happen while it still moves
/// records, so it sometimes looks at a zone before anything can; and it remembers the dates of
/// rolls that the policy does not ask for any more. Nothing is forgiven but the time of a look
/// before ours, while all keys are the same, that did nothing.
fn forgive_early_looks(scenario: &Scenario, number: usize, ours: &mut Picture) {
    let answers: Vec<&Answer> =
        scenario.steps[number..].iter().filter_map(|step| step.answer.as_ref()).collect();
    for (name, zone) in &mut ours.zones {
        let Some(theirs) = answers[0].picture.zones.get(name) else { continue };
        let is_early = match (theirs.next, zone.next) {
            (Next::At(early), Next::At(at)) => early < at,
            (Next::At(_), Next::Never) => true,
            _ => false,
        };
        if is_early && zone.keys == theirs.keys && does_nothing(&answers, name) {
            zone.next = theirs.next;
        }
    }
}

/// Whether the look that the judge plans for a zone in the first answer changes no key, or does
/// not happen because another one is planned before.
fn does_nothing(answers: &[&Answer], name: &str) -> bool {
    let zone = |answer: &Answer| answer.picture.zones.get(name).cloned().unwrap_or_default();
    let planned = zone(answers[0]).next;
    let Next::At(time) = planned else { return false };
    for (before, answer) in answers.iter().zip(&answers[1..]) {
        if answer.now >= time {
            return zone(answer).keys == zone(before).keys;
        }
        if zone(answer).next != planned {
            return true;
        }
    }
    true
}

/// The step in question and the two before, then theirs and ours.
fn report(scenario: &Scenario, number: usize, lines: &[String]) -> String {
    let mut text = format!("{}, step {}:\n", scenario.name, number + 1);
    for step in &scenario.steps[number.saturating_sub(2)..=number] {
        text.push_str(&format!("  > {}\n", step.command));
    }
    for line in lines {
        text.push_str(&format!("  ours: {line}\n"));
    }
    let picture = scenario.steps[number].answer.iter().map(|answer| &answer.picture);
    for line in picture.flat_map(|picture| picture.changes(&Picture::default())) {
        text.push_str(&format!("  theirs: {line}\n"));
    }
    text
}

/// Every scenario gives the recorded answers, but for the differences that it names.
#[test]
fn ours_answers_as_opendnssec_does() {
    let mut failures = Vec::new();
    let (mut scenarios, mut steps) = (0, 0);
    for (_, file) in recorded() {
        for scenario in &file {
            scenarios += 1;
            let differences = differences(scenario);
            steps += differences.len();
            let unexpected = differences
                .iter()
                .enumerate()
                .find(|(number, lines)| scenario.steps[*number].ours_differs != **lines);
            if let Some((number, lines)) = unexpected {
                failures.push(report(scenario, number, lines));
            }
        }
    }
    eprintln!("{scenarios} scenarios, {steps} steps compared");
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

/// A scenario that differs says why, by a row of the manual's table; one that says so, differs.
#[test]
fn each_difference_has_a_reason_in_the_manual() {
    let manual = std::fs::read_to_string(repository_file("docs/src/differences.md"));
    let manual = manual.expect("the manual is in the repository");
    for (_, file) in recorded() {
        for scenario in &file {
            let differs = scenario.steps.iter().any(|step| !step.ours_differs.is_empty());
            assert_eq!(differs, !scenario.differs.is_empty(), "{}", scenario.name);
            for reason in &scenario.differs {
                let row = format!("\n| `{reason}` |");
                assert!(manual.contains(&row), "{}: no row `{reason}`", scenario.name);
            }
        }
    }
}

/// With `ENFORCER_ORACLE=accept` the lines by which ours differs are written anew, in the
/// scenarios that say why they differ.
#[test]
fn differences_are_written_on_request() {
    if std::env::var("ENFORCER_ORACLE").as_deref() != Ok("accept") {
        return;
    }
    for (path, mut file) in recorded() {
        for scenario in file.iter_mut().filter(|scenario| !scenario.differs.is_empty()) {
            let differences = differences(scenario);
            scenario.steps.iter_mut().for_each(|step| step.ours_differs.clear());
            for (step, lines) in scenario.steps.iter_mut().zip(differences) {
                step.ours_differs = lines;
            }
        }
        std::fs::write(&path, write_scenarios(&file)).expect("the folder can be written");
    }
}

/// With `ENFORCER_ORACLE=explore` random scenarios run live and are compared at once: `COUNT` of
/// them from `SEED` on. Each difference is printed with its seed.
#[test]
fn random_scenarios_are_explored_on_request() {
    if std::env::var("ENFORCER_ORACLE").as_deref() != Ok("explore") {
        return;
    }
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seed, count) = (number("SEED").unwrap_or(1), number("COUNT").unwrap_or(100));
    let mut failures = 0;
    for seed in seed..seed + count {
        let scenario = match ask_random(seed) {
            Ok(scenario) => scenario,
            Err(error) => {
                eprintln!("seed {seed}: {error}");
                continue;
            }
        };
        let differences = differences(&scenario);
        if let Some((step, lines)) =
            differences.iter().enumerate().find(|(_, lines)| !lines.is_empty())
        {
            failures += 1;
            eprintln!("{}", report(&scenario, step, lines));
        }
    }
    assert_eq!(failures, 0, "of {count} scenarios from seed {seed} on");
}
