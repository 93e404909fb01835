//! Replaced files: old or new, never a part; no temporary file stays.

use super::*;

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn new_content_and_modes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    let written = replace_file(&path, FileMode::PreservedOr(0o640), |out| {
        out.write_all(b"one")?;
        Ok(3)
    });
    assert_eq!(written.unwrap(), 3);
    assert_eq!(mode_of(&path), 0o640);
    fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
    replace_file(&path, FileMode::PreservedOr(0o640), |out| out.write_all(b"two")).unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode_of(&path)), (b"two".to_vec(), 0o604));
    replace_file(&path, FileMode::Exactly(0o600), |out| out.write_all(b"three")).unwrap();
    assert_eq!((fs::read(&path).unwrap(), mode_of(&path)), (b"three".to_vec(), 0o600));
    assert_eq!(entries(folder.path()), ["zone"]);
}

#[test]
fn an_error_or_a_panic_in_the_writer_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    fs::write(&path, "old").unwrap();
    let result = replace_file(&path, FileMode::PreservedOr(0o644), |out| {
        out.write_all(&vec![b'x'; 3 * WRITE_BUFFER_BYTES])?;
        Err::<(), _>(io::Error::other("no more"))
    });
    assert!(matches!(result, Err(ReplaceError::Io { step: ReplaceStep::Write, .. })));
    let panicked = std::panic::catch_unwind(|| {
        let _ = replace_file(&path, FileMode::PreservedOr(0o644), |_| -> io::Result<()> {
            panic!("in the writer")
        });
    });
    assert!(panicked.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(entries(folder.path()), ["zone"]);
}

/// `/dev/full` answers every write with ENOSPC: at the flush of a small content, and in the
/// middle of a large one.
#[test]
fn a_full_disk_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    fs::write(&path, "old").unwrap();
    for length in [1, 3 * WRITE_BUFFER_BYTES] {
        let full = |temporary: &Path| {
            File::create_new(temporary)?;
            OpenOptions::new().write(true).open("/dev/full")
        };
        let result = replace_file_by(&path, FileMode::PreservedOr(0o644), full, |out| {
            out.write_all(&vec![b'x'; length])
        });
        let Err(error @ ReplaceError::DiskFull { .. }) = result else { panic!("{result:?}") };
        assert!(error.to_string().contains(&*path.to_string_lossy()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(entries(folder.path()), ["zone"]);
    }
}

#[test]
fn refusals_name_their_cause() {
    let folder = tempfile::tempdir().unwrap();
    let replace = |path: &Path| replace_file(path, FileMode::Exactly(0o600), |_| Ok(()));
    assert!(matches!(replace(folder.path()), Err(ReplaceError::IsDirectory { .. })));
    assert!(matches!(replace(Path::new("/")), Err(ReplaceError::IsDirectory { .. })));
    let missing = folder.path().join("no/zone");
    assert!(matches!(replace(&missing), Err(ReplaceError::NoFolder { .. })));
    let denied = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
    let path = folder.path().join("zone");
    let result = replace_file_by(&path, FileMode::Exactly(0o600), denied, |_| Ok(()));
    let Err(ReplaceError::PermissionDenied { step: ReplaceStep::Create, .. }) = result else {
        panic!("{result:?}")
    };
}

#[test]
fn a_link_is_replaced_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("zone"), folder.path().join("other"));
    fs::write(&other, "other").unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    replace_file(&path, FileMode::PreservedOr(0o600), |out| out.write_all(b"new")).unwrap();
    assert_eq!(fs::read(&other).unwrap(), b"other");
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn the_longest_file_name_has_a_temporary_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("z".repeat(255));
    replace_file(&path, FileMode::Exactly(0o600), |out| out.write_all(b"new")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn leftovers_of_the_dead_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let own = temporary_name(OsStr::new("zone"));
    // Process 1 always lives; process numbers end at 4194304 (PID_MAX_LIMIT).
    let names = ["zone", ".zone.1-7.anchorite-tmp", ".zone.4194305-7.anchorite-tmp", ".x.tmp"];
    for name in names {
        fs::write(folder.path().join(name), "").unwrap();
    }
    fs::write(folder.path().join(own), "").unwrap();
    assert_eq!(remove_leftovers(folder.path()).unwrap(), 2);
    assert_eq!(entries(folder.path()), [".x.tmp", ".zone.1-7.anchorite-tmp", "zone"]);
}

#[test]
fn a_file_is_created_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(create_file(&path, 0o600, b"first").unwrap());
    assert!(!create_file(&path, 0o600, b"second").unwrap());
    assert_eq!((fs::read(&path).unwrap(), mode_of(&path)), (b"first".to_vec(), 0o600));
    assert_eq!(entries(folder.path()), ["state"]);
}

#[test]
fn a_pending_file_is_there_when_it_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("zone");
    let names = || fs::read_dir(folder.path()).unwrap().count();
    let mut pending = PendingFile::create(&path, FileMode::PreservedOr(0o640)).unwrap();
    pending.write(b"one").unwrap();
    assert_eq!((names(), path.exists()), (1, false));
    drop(pending);
    assert_eq!(names(), 0);
    let mut pending = PendingFile::create(&path, FileMode::PreservedOr(0o640)).unwrap();
    pending.write(b"one").unwrap();
    pending.write(b" two").unwrap();
    pending.commit().unwrap();
    assert_eq!((names(), fs::read(&path).unwrap()), (1, b"one two".to_vec()));
    let missing = folder.path().join("no").join("zone");
    let error = PendingFile::create(&missing, FileMode::PreservedOr(0o640)).unwrap_err();
    assert!(matches!(error, ReplaceError::NoFolder { .. }));
}
