//! File names of snapshots and journal segments, from zone names. RFC 1035 §2.3.1 allows any
//! octet in a label; a file name here has only `[a-z0-9_.%@~-]` and upper-case hexadecimal
//! digits.
//! In: a zone name, in any case. Out: `<stem>.<generation>.snapshot`, `.journal`.
//! The stem is the name in lower case without its final dot; octets other than `[a-z0-9_-]` are
//! `%XX`, the root is `@`. A stem that would pass [`STEM_LENGTH_MAX`] is cut and gets `~` and the
//! SHA-256 of the name's canonical wire form instead. Different names have different stems.

use dnssec::Name;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Longest stem, in bytes: with generation, suffix and the marks of a temporary file a name
/// stays under NAME_MAX (255).
pub(super) const STEM_LENGTH_MAX: usize = 165;
/// How much of a long stem is kept for the reader, in bytes: the rest is `~` and 64 digits.
const STEM_KEPT_LENGTH: usize = 100;
/// End of a snapshot's file name.
const SNAPSHOT_SUFFIX: &str = ".snapshot";
/// End of a journal segment's file name.
const JOURNAL_SUFFIX: &str = ".journal";

/// What a file in the folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A version of a zone.
    Snapshot,
    /// The differences after it.
    Journal,
}

/// Where the snapshot of `zone` and `generation` lies in `folder`.
pub fn snapshot_path(folder: &Path, zone: &Name, generation: u64) -> PathBuf {
    folder.join(format!("{}.{generation}{SNAPSHOT_SUFFIX}", zone_file_stem(zone)))
}

/// Where the journal segment of `zone` and `generation` lies in `folder`.
pub fn journal_path(folder: &Path, zone: &Name, generation: u64) -> PathBuf {
    folder.join(format!("{}.{generation}{JOURNAL_SUFFIX}", zone_file_stem(zone)))
}

/// The start of the names of all files about `zone`; unique for the zone.
pub fn zone_file_stem(zone: &Name) -> String {
    if zone.is_root() {
        return "@".to_owned();
    }
    let zone = zone.to_lowercase();
    let mut stem = String::new();
    for label in zone.labels() {
        if !stem.is_empty() {
            stem.push('.');
        }
        label.iter().for_each(|octet| push_octet(*octet, &mut stem));
    }
    if stem.len() > STEM_LENGTH_MAX {
        stem.truncate(STEM_KEPT_LENGTH);
        stem.push('~');
        Sha256::digest(zone.as_wire()).iter().for_each(|octet| push_hex(*octet, &mut stem));
    }
    stem
}

/// The stem, generation and kind that a file name names; `None` when it is none of ours.
pub(super) fn parse_file_name(name: &str) -> Option<(&str, u64, FileKind)> {
    let (rest, kind) = match name.strip_suffix(SNAPSHOT_SUFFIX) {
        Some(rest) => (rest, FileKind::Snapshot),
        None => (name.strip_suffix(JOURNAL_SUFFIX)?, FileKind::Journal),
    };
    let (stem, digits) = rest.rsplit_once('.')?;
    let generation: u64 = digits.parse().ok()?;
    // `+7` and `007` parse too, but are not ours.
    (generation.to_string() == digits).then_some((stem, generation, kind))
}

fn push_octet(octet: u8, out: &mut String) {
    match octet {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => out.push(char::from(octet)),
        _ => {
            out.push('%');
            push_hex(octet, out);
        }
    }
}

fn push_hex(octet: u8, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{octet:02X}");
}
