//! zonelist.xml in the hands of commands: read, changed and written whole, its comments kept.
//! In: the list as it shall be. Out: the file, replaced at once or not at all. Blocks.

use crate::io::config_files::{self, ConfigFileError};
use appliance_config::{
    EditError, FileFaults, ZONELIST_BYTES_MAX, ZoneEntry, read_zonelist, replace_zones,
};
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use storage::{FileMode, ReplaceError, replace_file};

/// Mode of a list that was not there.
const MODE_NEW: FileMode = FileMode::PreservedOr(0o644);

/// Why a list of zones was not read, or not changed.
#[derive(Debug)]
pub(crate) enum ListError {
    /// It could not be read.
    File(ConfigFileError),
    /// It has faults, or what is to be written into it has.
    Faults(PathBuf, EditError),
    /// It could not be written.
    Write(ReplaceError),
}

impl std::error::Error for ListError {}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListError::File(error) => error.fmt(f),
            ListError::Faults(_, EditError::Faults(faults)) => faults.fmt(f),
            ListError::Faults(path, error) => write!(f, "{}: {error}", path.display()),
            ListError::Write(error) => error.fmt(f),
        }
    }
}

/// The zones of a list.
pub(super) fn read_list(path: &Path) -> Result<Vec<ZoneEntry>, ListError> {
    let bytes = config_files::read(path, ZONELIST_BYTES_MAX).map_err(ListError::File)?;
    let read = read_zonelist(&path.to_string_lossy(), &bytes);
    let fail = |faults: FileFaults| ListError::Faults(path.to_owned(), EditError::Faults(faults));
    Ok(read.map_err(fail)?.value.zones)
}

/// Changes the list at `path`: `edit` gets the zones that are in it and says which shall be.
pub(super) fn change_list(
    path: &Path,
    edit: impl FnOnce(Vec<ZoneEntry>) -> Vec<ZoneEntry>,
) -> Result<(), ListError> {
    let bytes = config_files::read(path, ZONELIST_BYTES_MAX).map_err(ListError::File)?;
    let name = path.to_string_lossy();
    let faults = |error| ListError::Faults(path.to_owned(), error);
    let read = read_zonelist(&name, &bytes).map_err(|error| faults(EditError::Faults(error)))?;
    let new = replace_zones(&name, &bytes, &edit(read.value.zones)).map_err(faults)?;
    if new == bytes {
        return Ok(());
    }
    // Whatever is written has to be read at the next start.
    read_zonelist(&name, &new).map_err(|error| faults(EditError::Faults(error)))?;
    // A link stays one: the file that it leads to is replaced.
    let place = config_files::resolved(path);
    replace_file(&place, MODE_NEW, |out| out.write_all(&new)).map_err(ListError::Write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_a_fault_is_left_alone_and_a_link_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("real.xml"), folder.path().join("zonelist.xml"));
        std::fs::write(&file, "<ZoneList>\n<Zone/></ZoneList>").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let error = change_list(&link, |zones| zones).unwrap_err().to_string();
        assert!(error.contains("zonelist.xml:2:1"), "{error}");
        let zone = "<ZoneList>\n<!-- here --><Zone name='a.example'><Policy>default</Policy>\
            <SignerConfiguration>/s</SignerConfiguration><Adapters><Input><File>/i</File></Input>\
            <Output><File>/o</File></Output></Adapters></Zone>\n</ZoneList>\n";
        std::fs::write(&file, zone).unwrap();
        change_list(&link, |_| Vec::new()).unwrap();
        assert!(link.is_symlink());
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            "<ZoneList>\n<!-- here -->\n</ZoneList>\n"
        );
        assert!(read_list(&link).unwrap().is_empty());
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(change_list(&link, |zones| zones), Err(ListError::File(_))));
    }
}
