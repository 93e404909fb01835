//! What the machine can do, and what a record costs: numbers that come from one program of ours.
//! In: a signed zone, or nothing. Out: seconds, or bytes.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::promises::Measured;
use super::subjects::Subject;
use super::{release_binary, subjects};
use crate::measure::measure;
use crate::workspace::{Outcome, show};

/// Seconds that the built-in token takes, on all cores, for as many signatures as the file has.
pub(super) fn pure_signing_seconds(signed: &Path) -> Outcome<f64> {
    let mut command = Command::new(release_binary("pure-sign"));
    command.arg(signed);
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", show(&command)))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", show(&command), text.trim()));
    }
    read_number(&String::from_utf8_lossy(&output.stdout), "seconds")
}

/// Peak memory of cold signing five million delegations, for each record of the signed zone.
pub(super) fn bytes_per_record(folder: &Path) -> Outcome<Measured> {
    let (input, output) = (folder.join("huge.zone"), folder.join("huge.signed"));
    subjects::delegations(5_000_000, &input)?;
    let mut command = Command::new(release_binary("cold-sign"));
    command.arg(&input).args(["bench.", "nsec3-opt-out"]).arg(&output);
    let cost = measure(&command)?;
    let mut count = Command::new("wc");
    let counted = count.arg("-l").arg(&output).output().map_err(|e| format!("wc: {e}"))?;
    let text = String::from_utf8_lossy(&counted.stdout).into_owned();
    let records: f64 = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| format!("wc counted nothing: {text}"))?;
    let value = cost.peak_bytes as f64 / records;
    println!(
        "\n5,000,000 delegations, nsec3-opt-out, 1 run\n  cold-sign: {records} records, \
         {:.1} s, {:.0} MB, {value:.0} bytes a record",
        cost.wall_seconds,
        cost.peak_bytes as f64 / 1e6,
    );
    for file in [input, output] {
        fs::remove_file(&file).map_err(|e| format!("cannot remove {}: {e}", file.display()))?;
    }
    Ok(Measured { name: "tld-5m-bytes-per-record".to_owned(), value })
}

/// Small changes of a zone, one after the other, until each is audited and durable; a pass with
/// nothing due; what a restart reads. Milliseconds.
pub(super) fn changes(subject: &Subject) -> Outcome<Vec<Measured>> {
    let folder = subject.folder_of("change");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let mut command = Command::new(release_binary("change"));
    command.arg(&subject.file).args([subject.origin, subject.denial.word()]).arg(&folder);
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", show(&command)))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {}", show(&command), errors.trim()));
    }
    println!("  300 changes of 10 names, in memory to audited, durable and committed (ms)");
    text.lines().for_each(|line| println!("    {line}"));
    let measured = |(word, name): (&str, &str)| {
        let value = read_number(&text, word)?;
        Ok(Measured { name: format!("{}-{name}", subject.name), value })
    };
    let words = [
        ("median", "change-median-ms"),
        ("p99", "change-p99-ms"),
        ("idle-pass", "idle-pass-ms"),
        ("read-back", "read-back-ms"),
    ];
    words.into_iter().map(measured).collect()
}

/// Finds a line `word NUMBER` in what a program printed.
pub(super) fn read_number(text: &str, word: &str) -> Outcome<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(word)?.strip_prefix(' ')?.trim().parse().ok())
        .ok_or_else(|| format!("no line with `{word}` and a number in: {text}"))
}

/// The middle value; not a number if there is none.
pub(super) fn median_of(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_found_behind_its_word() {
        assert_eq!(read_number("noise\naudit 1.25\n", "audit"), Ok(1.25));
        assert!(read_number("auditor 1.25\n", "audit").is_err());
    }

    #[test]
    fn median_is_the_middle_value() {
        assert_eq!(median_of(vec![3.0, 1.0, 2.0]), 2.0);
        assert!(median_of(Vec::new()).is_nan());
    }
}
