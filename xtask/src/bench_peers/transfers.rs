//! Zone transfers: the whole signed zone beside what peers send, and a change from NOTIFY in to
//! NOTIFY out. In: nothing; the benches of the tests make their zones and servers. Out: what they
//! print, and the values of promises.

use crate::workspace::{Outcome, cargo, show};

use super::pace::read_number;
use super::promises::Measured;

/// A bench, its environment, and the lines that promises are of.
type Bench = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

const BENCHES: [Bench; 2] = [
    ("axfr_out", &[], &[("time-to-fastest", "tld-1m-axfr-out")]),
    (
        "notify_to_notify",
        &[("PARTS", "changes")],
        &[("median-ms", "tld-1m-notify-median-ms"), ("p99-ms", "tld-1m-notify-p99-ms")],
    ),
];

/// Runs the benches with a million delegations each.
pub(super) fn transfers() -> Outcome<Vec<Measured>> {
    let mut measured = Vec::new();
    for (bench, environment, lines) in BENCHES {
        let mut command = cargo();
        command.args(["bench", "--quiet", "-p", "anchorite-tests", "--bench", bench]);
        command.envs(environment.iter().copied());
        let output =
            command.output().map_err(|e| format!("cannot start {}: {e}", show(&command)))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} failed: {}", show(&command), errors.trim()));
        }
        println!("\n{bench}, 1,000,000 delegations");
        text.lines().for_each(|line| println!("    {line}"));
        for (word, name) in lines {
            let value = read_number(&text, word)?;
            measured.push(Measured { name: (*name).to_owned(), value });
        }
    }
    Ok(measured)
}
