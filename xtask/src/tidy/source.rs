//! Rules for Rust files: head (H13), size (H14), leftovers, `unsafe`, calls that only a few files
//! may make (H3), and the list of allowed lints. Each rule is one function over one file; the
//! tables are data. Why not `disallowed-methods` in clippy.toml: it holds for the whole workspace,
//! so each permitted file would need an `#[allow]`, and the list of those is what may only shrink.
//! Here the permitted places are part of the rule.

use super::code_view::{Views, split};
use super::files::TextFile;
use super::{Finding, Severity};

/// Aim of H14 with room for a reason; above it a warning.
const FILE_LINES_WARN: usize = 600;
/// Above this the file has to be split.
const FILE_LINES_MAX: usize = 800;
/// Width of a line in characters.
const LINE_COLUMNS_MAX: usize = 100;

/// A word longer than this (a key in a test, an address) excuses a long line: it cannot be broken.
const LONG_WORD_MIN: usize = 60;

/// Macros that mark unfinished or forgotten code.
const LEFTOVER_MACROS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];
/// Words that do the same in comments. Split, so that this file passes its own check.
const LEFTOVER_WORDS: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK:")];

/// Crates that may contain `unsafe`, each block with a safety note (STYLE H2).
const UNSAFE_CRATES: &[&str] = &["hsm/", "storage/", "image/init/", "tests/fault-module/"];

/// A call that only some places may make.
struct Reserved {
    calls: &'static [&'static str],
    /// Path prefixes that may; tests may as well if `tests_too`.
    places: &'static [&'static str],
    tests_too: bool,
    reason: &'static str,
}

const RESERVED: &[Reserved] = &[
    Reserved {
        calls: &["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"],
        places: &[
            "actors/src/runtime/clock.rs",
            // How long a module's calls take decides how many are made at once; nothing else.
            "hsm/src/host/pace.rs",
            "src/",
            "image/",
            "xtask/",
            "benches/",
        ],
        tests_too: true,
        reason: "time is an argument (STYLE H3); the clock is actors/src/runtime/clock.rs",
    },
    Reserved {
        calls: &["thread::sleep", "time::sleep("],
        places: &[
            "actors/src/runtime/",
            "image/init/",
            "tests/fault-module/src/",
            // A measurement waits; a test does not.
            "tests/benches/",
        ],
        tests_too: false,
        reason: "nothing sleeps except the runtime's clock; in a test it is a defect (STYLE H15)",
    },
    Reserved {
        calls: &["std::fs", "File::open", "File::create", "OpenOptions::new"],
        places: &[
            "actors/src/io/",
            "src/",
            "hsm/src/",
            "audit/host/src/process.rs",
            "storage/src/",
            "image/",
            "xtask/",
            "tests/",
            "benches/",
            "console/src/",
        ],
        tests_too: true,
        reason: "files are opened by actors/src/io, the slots and the storage only (STYLE H3)",
    },
    Reserved {
        calls: &["println!", "eprintln!", "print!(", "eprint!(", "process::exit"],
        places: &["src/", "image/", "xtask/", "tests/", "benches/"],
        tests_too: true,
        reason: "only binaries print; libraries return values or use tracing (STYLE H3)",
    },
    Reserved {
        calls: &[
            "std::thread",
            "UdpSocket",
            "TcpStream",
            "TcpListener",
            "UnixStream",
            "tokio::",
            "async fn",
            "getrandom",
        ],
        places: &[
            "actors/",
            "src/",
            "hsm/",
            "audit/host/",
            "storage/",
            "image/",
            "xtask/",
            "tests/",
            "benches/",
            "console/",
        ],
        tests_too: true,
        reason: "the core and the auditor compute only (STYLE H2)",
    },
];

/// Every rule about one Rust file.
pub(super) fn check(file: &TextFile) -> Vec<Finding> {
    let views = split(&file.text);
    let mut findings = Vec::new();
    findings.extend(check_head(file));
    findings.extend(check_size(file));
    findings.extend(check_leftovers(file, &views));
    findings.extend(check_reserved(file, &views));
    findings.extend(check_unsafe(file, &views));
    findings
}

fn check_head(file: &TextFile) -> Option<Finding> {
    let missing = !file.text.starts_with("//! ");
    missing.then(|| Finding::error(&file.path, 1, "must begin with a //! head (STYLE H13)"))
}

fn check_size(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let length = lines_without_tests(&file.text);
    if length > FILE_LINES_WARN {
        let severity = match length > FILE_LINES_MAX && !is_test(&file.path) {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let message = format!("{length} lines, aim at 400 (STYLE H14)");
        findings.push(Finding { severity, ..Finding::error(&file.path, 0, message) });
    }
    for (index, line) in file.text.lines().enumerate() {
        let width = line.chars().count();
        let unbreakable = line.split_whitespace().any(|word| word.len() > LONG_WORD_MIN);
        if width > LINE_COLUMNS_MAX && !unbreakable {
            let message = format!("{width} columns, at most {LINE_COLUMNS_MAX} (STYLE H14)");
            findings.push(Finding::error(&file.path, index + 1, message));
        }
    }
    findings
}

/// Lines before the inline test module, which stands last (STYLE H14).
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("tests.rs")
}

fn check_leftovers(file: &TextFile, views: &Views) -> Vec<Finding> {
    let in_code = hits(&views.code, LEFTOVER_MACROS);
    let in_comments = hits(&views.comments, LEFTOVER_WORDS);
    let all = in_code.into_iter().chain(in_comments);
    all.map(|(line, word)| Finding::error(&file.path, line, format!("leftover {word}"))).collect()
}

fn check_reserved(file: &TextFile, views: &Views) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tests_from = lines_without_tests(&file.text);
    for rule in RESERVED {
        if rule.places.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        for (line, call) in hits(&views.code, rule.calls) {
            let in_test = is_test(&file.path) || line > tests_from;
            if !(in_test && rule.tests_too) {
                findings.push(Finding::error(&file.path, line, format!("{call}: {}", rule.reason)));
            }
        }
    }
    findings
}

fn check_unsafe(file: &TextFile, views: &Views) -> Option<Finding> {
    if UNSAFE_CRATES.iter().any(|place| file.path.starts_with(place)) {
        return None;
    }
    let is_crate_root = ["src/lib.rs", "src/main.rs"].iter().any(|end| file.path.ends_with(end));
    let missing = is_crate_root && !views.code.contains("#![forbid(unsafe_code)]");
    missing.then(|| Finding::error(&file.path, 1, "must say #![forbid(unsafe_code)] (STYLE H2)"))
}

/// Lines that contain one of `words`, not as the tail of a longer identifier.
fn hits<'w>(text: &str, words: &[&'w str]) -> Vec<(usize, &'w str)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for word in words {
            let stands_alone = |(at, _): (usize, &str)| {
                let before = line[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            };
            if line.match_indices(word).any(stands_alone) {
                found.push((index + 1, *word));
            }
        }
    }
    found
}

/// The list of files that contain `#[allow(..)]` or `#[expect(..)]`: lines of `path count reason`.
pub(super) const ALLOW_LIST: &str = "docs/allow-list.txt";

/// Compares the list with the code. A number that became smaller has to be made smaller in the list
/// too: so it can only grow by a visible edit of that file.
pub(super) fn check_allow_list(files: &[TextFile]) -> Vec<Finding> {
    let list = files.iter().find(|file| file.path == ALLOW_LIST).map_or("", |f| f.text.as_str());
    let mut findings = Vec::new();
    let mut granted: Vec<(&str, usize)> = Vec::new();
    for (index, line) in list.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let entry = words.next().zip(words.next().and_then(|count| count.parse().ok()));
        match entry {
            Some(entry) if words.next().is_some() => granted.push(entry),
            _ => findings.push(Finding::error(ALLOW_LIST, index + 1, "not `path count reason`")),
        }
    }
    for file in files.iter().filter(|file| file.path.ends_with(".rs")) {
        let code = split(&file.text).code;
        let attributes = ["#[allow(", "#![allow(", "#[expect(", "#![expect("];
        let used: usize = attributes.iter().map(|a| code.matches(a).count()).sum();
        let at = granted.iter().position(|(path, _)| *path == file.path);
        let count = at.map_or(0, |at| granted.swap_remove(at).1);
        if used != count {
            let message = format!("allows {used} lints, {ALLOW_LIST} says {count}");
            findings.push(Finding::error(&file.path, 0, message));
        }
    }
    let gone = granted.iter();
    findings.extend(gone.map(|(path, _)| Finding::error(ALLOW_LIST, 0, format!("no file {path}"))));
    findings
}
