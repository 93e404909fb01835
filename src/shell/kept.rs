//! The user's history between sessions: `~/.anchorite_history`, for the user only. In: lines
//! without secrets (the session leaves those out). Out: the last of them.
//! Never: a reason not to go on. Without a home, or with a full disk, there is no history.
//! Limits: [`console::shell::ENTRIES_MAX`] lines are read; a file of more than [`OCTETS_MAX`] is
//! begun anew with those.

use console::shell::ENTRIES_MAX;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// Largest file.
const OCTETS_MAX: u64 = 256 << 10;

fn path() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".anchorite_history"))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

/// The last lines, oldest first.
pub(super) fn read() -> Vec<String> {
    let Some(file) = path().and_then(|path| File::open(path).ok()) else { return Vec::new() };
    let mut octets = Vec::new();
    if file.take(2 * OCTETS_MAX).read_to_end(&mut octets).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&octets);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let lines = lines[lines.len().saturating_sub(ENTRIES_MAX)..].to_vec();
    if octets.len() as u64 > OCTETS_MAX {
        begin_anew(&lines);
    }
    lines
}

fn begin_anew(lines: &[String]) {
    let file = path().and_then(|path| options().write(true).truncate(true).open(path).ok());
    if let Some(mut file) = file {
        let _ = file.write_all((lines.join("\n") + "\n").as_bytes());
    }
}

/// Adds a line.
pub(super) fn add(line: &str) {
    let file = path().and_then(|path| options().append(true).open(path).ok());
    if let Some(mut file) = file {
        let _ = file.write_all(format!("{line}\n").as_bytes());
    }
}
