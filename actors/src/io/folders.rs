//! Makes the folders that the program keeps its own files in.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a folder that only its owner can enter, and those above it; one that exists stays as it
/// is.
pub fn private_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).recursive(true).create(path)
}

/// Removes a file of the program's own.
pub fn remove_file(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}
