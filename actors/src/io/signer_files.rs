//! Writes signer configuration files (signconf.xml). In: a path and a text. Out: the file, whole
//! or as it was before.

use std::io::Write;
use std::path::Path;
use storage::{FileMode, ReplaceError, replace_file};

/// Permission bits of a new file: it names keys, but holds none.
const MODE: u32 = 0o644;

/// Replaces the file at `path` by one with this text.
pub fn write(path: &Path, text: &str) -> Result<(), ReplaceError> {
    replace_file(path, FileMode::PreservedOr(MODE), |out| out.write_all(text.as_bytes()))
}
