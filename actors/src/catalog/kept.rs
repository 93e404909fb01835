//! What the catalogs keep on the disk beside zonelist.xml: of each produced catalog its serial and
//! since when each zone is in it, and the zones whose state is being removed.
//! In: values. Out: text files in the folder of the snapshots, replaced at once. Blocks.
//!
//! ```text
//! catalogs/NAME.catalog:  serial 1732305600
//!                         zone 1732305000 example.com. POLICY
//! catalogs/removing:      example.net.
//! ```
//!
//! A line that is not understood is left out: the zone that it is about counts as a new one.

use crate::io::folders::{private_folder, remove_file};
use crate::io::zone_files;
use dnssec::transfer::catalog::Listed;
use dnssec::{Name, Serial};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use storage::snapshot::zone_file_stem;
use storage::{FileMode, ReplaceError, replace_file};

const FOLDER: &str = "catalogs";
const MODE: FileMode = FileMode::Exactly(0o600);

/// Why something was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// No folder for it.
    #[error("cannot make folder {}: {cause}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// The file.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

/// What a produced catalog has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Produced {
    /// Its serial.
    pub(crate) serial: Serial,
    /// Its zones in canonical order, each with one group: its policy.
    pub(crate) zones: Vec<Listed>,
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), KeepError> {
    let folder = folder.join(FOLDER);
    private_folder(&folder).map_err(|cause| KeepError::Folder { path: folder.clone(), cause })?;
    Ok(replace_file(&folder.join(name), MODE, |out| out.write_all(text.as_bytes()))?)
}

/// The text of a file; empty when there is none.
fn read(folder: &Path, name: &str) -> String {
    let bytes = zone_files::read(&folder.join(FOLDER).join(name)).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn produced_name(catalog: &Name) -> String {
    format!("{}.catalog", zone_file_stem(catalog))
}

/// Keeps what a produced catalog has, durably.
pub(crate) fn write_produced(
    folder: &Path,
    catalog: &Name,
    produced: &Produced,
) -> Result<(), KeepError> {
    let mut text = format!("serial {}\n", produced.serial);
    for listed in &produced.zones {
        let group = listed.groups.first().map(Vec::as_slice).unwrap_or_default();
        // The name of a policy with a line end in it is not the same when it is read again, which
        // only makes a new serial.
        let group = String::from_utf8_lossy(group).replace(['\n', '\r'], " ");
        // Writing to a string does not fail.
        let _ = writeln!(text, "zone {} {} {group}", listed.era, listed.zone);
    }
    write(folder, &produced_name(catalog), &text)
}

/// What a produced catalog had; `None`: there was none.
pub(crate) fn read_produced(folder: &Path, catalog: &Name) -> Option<Produced> {
    let text = read(folder, &produced_name(catalog));
    let mut lines = text.lines();
    let serial = lines.next()?.strip_prefix("serial ")?.parse().ok().map(Serial)?;
    let zones = lines.filter_map(|line| {
        let mut words = line.strip_prefix("zone ")?.splitn(3, ' ');
        let era = words.next()?.parse().ok()?;
        let zone = name(words.next()?)?;
        Some(Listed { zone, era, groups: vec![words.next()?.as_bytes().to_vec()] })
    });
    Some(Produced { serial, zones: zones.collect() })
}

/// Notes zones whose state is about to be removed; what was noted before is forgotten.
pub(crate) fn write_removing(folder: &Path, zones: &[Name]) -> Result<(), KeepError> {
    let lines: String = zones.iter().map(|zone| format!("{zone}\n")).collect();
    write(folder, "removing", &lines)
}

/// Zones whose state was being removed.
pub(crate) fn read_removing(folder: &Path) -> Vec<Name> {
    read(folder, "removing").lines().filter_map(name).collect()
}

/// Nothing is being removed any more.
pub(crate) fn clear_removing(folder: &Path) -> io::Result<()> {
    match remove_file(&folder.join(FOLDER).join("removing")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn name(text: &str) -> Option<Name> {
    Name::parse(text.as_bytes(), Some(&Name::root())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let catalog = name("catz.example").unwrap();
        assert_eq!(read_produced(folder, &catalog), None);
        let listed = |zone: &str, era, group: &str| Listed {
            zone: name(zone).unwrap(),
            era,
            groups: vec![group.as_bytes().to_vec()],
        };
        let zones = vec![listed(r"a\032b.example", 7, "two words"), listed("b.example", 8, "é")];
        let produced = Produced { serial: Serial(u32::MAX), zones };
        write_produced(folder, &catalog, &produced).unwrap();
        assert_eq!(read_produced(folder, &catalog), Some(produced));

        assert_eq!(read_removing(folder), []);
        clear_removing(folder).unwrap();
        let zones = [name("x.example").unwrap(), name(".").unwrap()];
        write_removing(folder, &zones).unwrap();
        assert_eq!(read_removing(folder), zones);
        clear_removing(folder).unwrap();
        assert_eq!(read_removing(folder), []);
        let file = folder.join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(write_removing(&file, &zones), Err(KeepError::Folder { .. })));
    }
}
