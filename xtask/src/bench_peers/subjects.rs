//! The zones that are compared, and where what is made of them lies. In: how much to compare. Out:
//! zone files. Limits: everything lies in one folder, which each comparison empties first.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Extent, Tool};
use crate::workspace::{self, Outcome};
use crate::zonegen;
use crate::zonegen_command::to_file;

/// Which denial everybody makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    Nsec,
    /// No salt, no iterations (RFC 9276).
    Nsec3,
    /// The same, with opt-out.
    OptOut,
}

impl Denial {
    /// As `anchorite sign --denial` and the bench programs call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Denial::Nsec => "nsec",
            Denial::Nsec3 => "nsec3",
            Denial::OptOut => "nsec3-opt-out",
        }
    }
}

/// Whether slow peers sign it more than once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Normal,
    Large,
}

/// One zone to sign, with one kind of denial.
pub(super) struct Subject {
    /// As the names of promises begin.
    pub(super) name: &'static str,
    what: &'static str,
    pub(super) origin: &'static str,
    pub(super) denial: Denial,
    pub(super) size: Size,
    pub(super) is_verified: bool,
    pub(super) file: PathBuf,
    folder: PathBuf,
}

impl Subject {
    pub(super) fn title(&self) -> String {
        format!("{}, {}", self.what, self.denial.word())
    }

    /// Where a tool keeps its keys and puts what it makes.
    pub(super) fn folder_of(&self, tool: &str) -> PathBuf {
        self.folder.join(format!("{}-{tool}", self.name))
    }

    /// The signed zone that a tool is told to write. Knot takes the name of its input.
    pub(super) fn signed_by(&self, tool: &str) -> PathBuf {
        let input = self.file.file_name().unwrap_or_default();
        let name = if tool == "kzonesign" { input } else { OsStr::new("signed.zone") };
        self.folder_of(tool).join(name)
    }

    /// Octets of the signed zone; 0 if there is none.
    pub(super) fn output_bytes(&self, tool: &str) -> u64 {
        fs::metadata(self.signed_by(tool)).map_or(0, |metadata| metadata.len())
    }

    pub(super) fn input_bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |metadata| metadata.len())
    }

    /// What the table says of a tool.
    pub(super) fn note(&self, tool: &Tool) -> String {
        match (tool.name, self.denial) {
            ("ldns-signzone", Denial::OptOut) => "has no opt-out: hashes every delegation".into(),
            _ => tool.note.to_owned(),
        }
    }
}

/// Writes the zones.
pub(super) fn all(extent: Extent, folder: &Path) -> Outcome<Vec<Subject>> {
    let fail = |e: std::io::Error| format!("cannot write a zone: {e}");
    let path = |file: &str| folder.join(file);
    let (tld, mixed, root, large) =
        (path("tld.zone"), path("mixed.zone"), path("root.zone"), path("large.zone"));
    delegations(100_000, &tld)?;
    to_file(&mixed, |f| zonegen::enterprise(100_000, "corp.example.", zonegen::SEED, f))
        .map_err(fail)?;
    let packed = workspace::root().join("tests/zones/root-2020.zone.gz");
    let unpacked = File::create(&root).map_err(fail)?;
    workspace::run(Command::new("gzip").args(["-dc"]).arg(packed).stdout(unpacked))?;
    let subject = |name, what, origin, denial, is_verified, file: &Path| Subject {
        name,
        what,
        origin,
        denial,
        size: Size::Normal,
        is_verified,
        file: file.to_owned(),
        folder: folder.to_owned(),
    };
    let mut subjects = vec![
        subject("root", "root zone of 2020", ".", Denial::Nsec, false, &root),
        subject("tld-100k", "100,000 delegations", "bench.", Denial::OptOut, true, &tld),
        subject("mixed-nsec", "100,000 mixed records", "corp.example.", Denial::Nsec, true, &mixed),
        subject(
            "mixed-nsec3",
            "100,000 mixed records",
            "corp.example.",
            Denial::Nsec3,
            false,
            &mixed,
        ),
    ];
    if extent == Extent::Full {
        delegations(1_000_000, &large)?;
        let million =
            subject("tld-1m", "1,000,000 delegations", "bench.", Denial::OptOut, true, &large);
        subjects.push(Subject { size: Size::Large, ..million });
    }
    Ok(subjects)
}

/// Writes a registry's zone; returns the number of its records.
pub(super) fn delegations(count: u64, file: &Path) -> Outcome<u64> {
    to_file(file, |f| zonegen::tld(count, "bench.", zonegen::SEED, f))
        .map_err(|e| format!("cannot write {}: {e}", file.display()))
}
