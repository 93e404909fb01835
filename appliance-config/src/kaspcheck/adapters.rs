//! kaspcheck of addns.xml, as far as zonelist.xml or a `<CatalogList>` names it, and of
//! zonefetch.xml.
//! In: names of files. Out: lines of the report: `fails to validate` as for the other files, with
//! each fault at its place, and nothing of a file that is right, since OpenDNSSEC says nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Environment, Report, Severity, load};
use crate::addns::read_addns;
use crate::diagnostics::{FileFaults, Read};
use crate::zonefetch::read_zonefetch;
use crate::zonelist::{Adapter, ZoneList};

/// Checks every addns.xml that zones or catalogs name, once; `folder` is that of relative paths.
pub(super) fn check(
    folder: &Path,
    list: &ZoneList,
    of_catalogs: &[PathBuf],
    environment: &dyn Environment,
    report: &mut Report,
) {
    let adapters = list.zones.iter().flat_map(|zone| [&zone.input, &zone.output]);
    let files: BTreeSet<PathBuf> = adapters
        .filter_map(|adapter| match adapter {
            Adapter::Dns(path) => Some(folder.join(path)),
            Adapter::File(_) => None,
        })
        .chain(of_catalogs.iter().map(|path| folder.join(path)))
        .collect();
    for file in files {
        check_file(&file.to_string_lossy(), read_addns, environment, report);
    }
}

/// Checks zonefetch.xml.
pub(super) fn check_zonefetch(file: &str, environment: &dyn Environment, report: &mut Report) {
    check_file(file, read_zonefetch, environment, report);
}

fn check_file<T>(
    file: &str,
    read: impl Fn(&str, &[u8]) -> Result<Read<T>, FileFaults>,
    environment: &dyn Environment,
    report: &mut Report,
) {
    let Some(bytes) = load(file, environment, report) else { return };
    let notices = match read(file, &bytes) {
        Ok(read) => read.notices,
        Err(faults) => {
            for fault in &faults.faults {
                report.push(Severity::Detail, "", format_args!("{fault}"));
            }
            report.error(format_args!("{file} fails to validate"));
            faults.notices
        }
    };
    report.notices(&notices);
}
