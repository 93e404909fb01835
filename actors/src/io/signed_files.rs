//! Looks at signed zone files; writing them is `storage::replace_file`'s.
//! In: a path. Out: the first bytes of a regular file. Limit: as many bytes as asked for.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The first bytes of the file at `path`, at most `bytes_max` of them.
pub fn beginning(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for its writer, so look before opening.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::with_capacity(bytes_max);
    File::open(path)?.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begins_where_a_file_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signed");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(beginning(&path, 4).unwrap(), b"0123");
        assert_eq!(beginning(&path, 40).unwrap(), b"0123456789");
        assert!(beginning(folder.path(), 4).is_err());
        assert!(beginning(&folder.path().join("missing"), 4).is_err());
    }
}
