//! Which steps are kept.

use super::*;

fn step(from: u32, octets: usize) -> Step {
    let difference = Difference { removed: vec![0; octets], added: Vec::new() };
    Step { from: Serial(from), to: Serial(from.wrapping_add(1)), difference: Arc::new(difference) }
}

fn lengths(history: &History, serial: u32) -> Option<Vec<usize>> {
    let steps = history.since(Serial(serial))?;
    Some(steps.iter().map(|step| step.removed.len()).collect())
}

#[test]
fn steps_since_a_serial_over_the_end_of_its_space() {
    let mut history = History::default();
    for (from, octets) in [(u32::MAX - 1, 1), (u32::MAX, 2), (0, 3)] {
        history.push(step(from, octets), 100);
    }
    assert_eq!(lengths(&history, u32::MAX), Some(vec![2, 3]));
    assert_eq!(lengths(&history, 0), Some(vec![3]));
    assert_eq!(lengths(&history, 1), None, "the last version itself");
    assert_eq!((history.serial(), history.octets()), (Some(Serial(1)), 6));
}

#[test]
fn old_steps_go_and_the_newest_stays() {
    let mut history = History::default();
    for from in 0..10 {
        history.push(step(from, 10), 35);
    }
    assert_eq!(lengths(&history, 6), None);
    assert_eq!(lengths(&history, 7), Some(vec![10; 3]));
    history.push(step(10, 1000), 35);
    assert_eq!(lengths(&history, 10), Some(vec![1000]));
    assert_eq!(history.octets(), 1000);
    for from in 11..3000 {
        history.push(step(from, 1), usize::MAX);
    }
    assert_eq!(history.since(Serial(2999 - 999)).map(|steps| steps.len()), Some(1000));
    assert_eq!(history.since(Serial(2999 - 1000)), None);
}

#[test]
fn a_gap_forgets() {
    let mut history = History::default();
    history.push(step(1, 10), 100);
    history.push(step(5, 10), 100);
    assert_eq!(lengths(&history, 1), None);
    assert_eq!(lengths(&history, 5), Some(vec![10]));
}
