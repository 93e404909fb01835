//! Faults of the built-in token: wrong secrets, damaged files, full disks, crashes; and import.

use super::*;
use crate::error::Disposition;
use crate::slot::random_key_id;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use tempfile::TempDir;

struct Fixture {
    base: TempDir,
    unlock: Unlock,
}

impl Fixture {
    fn new() -> Fixture {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("unlock");
        create_key_file("main", &path).unwrap();
        Fixture { base, unlock: Unlock::KeyFile(path) }
    }

    fn folder(&self) -> PathBuf {
        self.base.path().join("keys")
    }

    fn create(&self) -> BuiltinToken {
        BuiltinToken::create("main", &self.folder(), "Anchor", &self.unlock).unwrap()
    }

    fn open(&self) -> Result<BuiltinToken, SlotError> {
        BuiltinToken::open("main", &self.folder(), &self.unlock)
    }

    fn record(&self, id: &KeyId) -> PathBuf {
        self.folder().join(format!("{id}.key"))
    }
}

fn request(algorithm: Algorithm) -> GenerateRequest {
    GenerateRequest::new(random_key_id().unwrap(), algorithm)
}

fn generate(token: &BuiltinToken) -> KeyId {
    let request = request(Algorithm::Ed25519);
    token.generate(&request).unwrap();
    request.id
}

fn batch(key: &KeyId, algorithm: Algorithm) -> SignBatch {
    let messages = [b"one".as_slice(), b"two"].into_iter().collect();
    SignBatch { key: key.clone(), algorithm, messages }
}

#[track_caller]
fn check_signs(token: &BuiltinToken, id: &KeyId, key: &PublicKey) {
    let batch = batch(id, key.algorithm);
    let signatures = token.sign(&batch).unwrap();
    for (message, signature) in batch.messages.iter().zip(signatures.iter()) {
        assert!(crate::verify(key, message, signature));
    }
}

#[test]
fn wrong_pin_is_one_clear_error() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("keys");
    let right = Unlock::Pin("1234".into());
    drop(BuiltinToken::create("main", &folder, "Anchor", &right).unwrap());
    let error = BuiltinToken::open("main", &folder, &Unlock::Pin("4321".into())).err().unwrap();
    assert!(matches!(error, SlotError::PinRejected { .. }), "{error}");
    assert_eq!(error.disposition(), Disposition::Alarm);
    let text = error.to_string();
    assert!(text.contains("repository main, token \"Anchor\": Incorrect PIN"), "{text}");
    assert!(!text.contains("4321"));
    BuiltinToken::open("main", &folder, &right).unwrap();
    let file = base.path().join("file");
    create_key_file("main", &file).unwrap();
    let error = BuiltinToken::open("main", &folder, &Unlock::KeyFile(file)).err().unwrap();
    assert!(matches!(error, SlotError::PinMissing { .. }), "{error}");
}

#[test]
fn wrong_key_files_are_told_apart() {
    let fixture = Fixture::new();
    drop(fixture.create());
    let other = fixture.base.path().join("other");
    create_key_file("main", &other).unwrap();
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o600);
    let error = create_key_file("main", &other).unwrap_err();
    assert!(matches!(error, SlotError::StorageFailed { .. }), "{error}");
    let short = fixture.base.path().join("short");
    fs::write(&short, [1; 31]).unwrap();
    let missing = fixture.base.path().join("missing");
    for (path, words) in [(other, "another token"), (short, "32 bytes"), (missing, "No such")] {
        let unlock = Unlock::KeyFile(path);
        let error = BuiltinToken::open("main", &fixture.folder(), &unlock).err().unwrap();
        assert!(matches!(error, SlotError::KeyFileUnusable { .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = BuiltinToken::open("main", &fixture.folder(), &Unlock::Pin("1".into()));
    assert!(matches!(error.err(), Some(SlotError::KeyFileUnusable { .. })));
    fixture.open().unwrap();
}

#[test]
fn only_the_owner_may_read() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let id = generate(&token);
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.folder()), 0o700);
    assert_eq!(mode(fixture.record(&id)), 0o600);
    assert_eq!(mode(fixture.folder().join("token")), 0o600);
}

#[test]
fn damaged_record_is_named_and_hides_no_other_key() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let (good, bad, swapped) = (generate(&token), generate(&token), generate(&token));
    drop(token);
    let mut bytes = fs::read(fixture.record(&bad)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(fixture.record(&bad), bytes).unwrap();
    fs::copy(fixture.record(&good), fixture.record(&swapped)).unwrap();
    fs::write(fixture.folder().join("strange.key"), b"").unwrap();

    let token = fixture.open().unwrap();
    let damaged = token.info().unwrap().damaged;
    assert_eq!(damaged.len(), 3, "{damaged:?}");
    assert!(damaged.iter().any(|record| record.path.contains(&bad.to_string())));
    let ids: Vec<_> = token.list().unwrap().into_iter().map(|entry| entry.id).collect();
    assert_eq!(ids, std::slice::from_ref(&good));
    token.sign(&batch(&good, Algorithm::Ed25519)).unwrap();
    for id in [&bad, &swapped] {
        let error = token.sign(&batch(id, Algorithm::Ed25519)).unwrap_err();
        assert!(matches!(&error, SlotError::RecordDamaged { .. }), "{error}");
        assert!(error.to_string().contains(&id.to_string()), "{error}");
        assert_eq!(error.disposition(), Disposition::Refuse);
        let request = GenerateRequest::new(id.clone(), Algorithm::Ed25519);
        assert!(matches!(token.generate(&request), Err(SlotError::KeyExists { .. })));
    }
}

/// Whatever is done to a file, reading it gives an error and never a panic or another key.
#[test]
fn every_altered_byte_is_noticed() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let id = generate(&token);
    drop(token);
    let Ok(Secret::KeyFile(content)) =
        secret(&Place { repository: String::new(), token: String::new() }, &fixture.unlock)
    else {
        panic!("a key file")
    };
    let secret = Secret::KeyFile(content);
    let header = fs::read(fixture.folder().join("token")).unwrap();
    let key = seal::read_header(&header).unwrap().unlock(&secret).unwrap();
    for position in 0..header.len() {
        let mut altered = header.clone();
        altered[position] ^= 0x41;
        assert!(seal::read_header(&altered).is_err(), "byte {position}");
        assert!(seal::read_header(&header[..position]).is_err(), "cut at {position}");
    }
    let record = fs::read(fixture.record(&id)).unwrap();
    seal::open_record(&key, &id, &record).unwrap();
    for position in 0..record.len() {
        let mut altered = record.clone();
        altered[position] ^= 0x41;
        assert!(seal::open_record(&key, &id, &altered).is_err(), "byte {position}");
        assert!(seal::open_record(&key, &id, &record[..position]).is_err(), "cut at {position}");
    }
}

#[test]
fn damaged_header_is_not_called_a_wrong_pin() {
    let fixture = Fixture::new();
    drop(fixture.create());
    let path = fixture.folder().join("token");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = fixture.open().err().unwrap();
    assert!(matches!(error, SlotError::TokenDamaged { .. }), "{error}");
}

#[test]
fn folder_without_token_is_left_as_it_is() {
    let base = tempfile::tempdir().unwrap();
    let unlock = Unlock::Pin("1234".into());
    let error = BuiltinToken::open("main", base.path(), &unlock).err().unwrap();
    assert!(matches!(error, SlotError::FolderUnusable { .. }), "{error}");
    assert_eq!(fs::read_dir(base.path()).unwrap().count(), 0);
    let below_a_file = base.path().join("file/keys");
    fs::write(base.path().join("file"), b"").unwrap();
    let error = BuiltinToken::create("main", &below_a_file, "Anchor", &unlock).err().unwrap();
    assert!(matches!(error, SlotError::StorageFailed { .. }), "{error}");
}

#[test]
fn token_is_not_made_over_another() {
    let fixture = Fixture::new();
    let id = generate(&fixture.create());
    let again = BuiltinToken::create("main", &fixture.folder(), "Second", &fixture.unlock);
    assert!(matches!(again.err(), Some(SlotError::TokenExists { .. })));
    assert_eq!(fixture.open().unwrap().list().unwrap()[0].id, id);
}

/// Writing to /dev/full fails as on a full disk.
#[test]
fn full_disk_makes_no_key() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let request = request(Algorithm::Ed25519);
    symlink("/dev/full", fixture.folder().join(format!("{}.key.tmp", request.id))).unwrap();
    let error = token.generate(&request).unwrap_err();
    assert!(matches!(error, SlotError::StorageFailed { .. }), "{error}");
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(matches!(error.disposition(), Disposition::Retry { .. }));
    assert!(token.list().unwrap().is_empty());
    let error = token.sign(&batch(&request.id, Algorithm::Ed25519)).unwrap_err();
    assert!(matches!(error, SlotError::NotFound { .. }), "{error}");
    // There is room again: the same request succeeds, and survives.
    token.generate(&request).unwrap();
    drop(token);
    assert_eq!(fixture.open().unwrap().list().unwrap().len(), 1);
}

/// The crash between writing the temporary file and renaming it.
#[test]
fn interrupted_write_leaves_the_token_whole() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let id = generate(&token);
    drop(token);
    let interrupted = random_key_id().unwrap();
    let leftover = fixture.folder().join(format!("{interrupted}.key.tmp"));
    fs::copy(fixture.record(&id), &leftover).unwrap();
    let token = fixture.open().unwrap();
    assert!(!leftover.exists());
    assert!(token.info().unwrap().damaged.is_empty());
    assert_eq!(token.list().unwrap().len(), 1);
    // Recovery repeats the request with the id that it saved before.
    token.generate(&GenerateRequest::new(interrupted, Algorithm::Ed25519)).unwrap();
}

#[test]
fn failed_removal_keeps_the_key() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let id = generate(&token);
    fs::remove_file(fixture.record(&id)).unwrap();
    let error = token.delete(&id).unwrap_err();
    assert!(matches!(error, SlotError::StorageFailed { .. }), "{error}");
    assert_eq!(token.list().unwrap().len(), 1);
}

#[test]
fn imported_sha1_keys_sign_rfc9905() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let pkcs8 = keys::generate(Algorithm::RsaSha256, 2048).unwrap();
    for algorithm in [Algorithm::RsaSha1, Algorithm::RsaSha1Nsec3Sha1, Algorithm::RsaSha512] {
        let id = random_key_id().unwrap();
        let key = token.import(&id, algorithm, &pkcs8).unwrap();
        assert_eq!((key.algorithm, key.bits()), (algorithm, 2048));
        check_signs(&token, &id, &key);
        let again = token.import(&id, algorithm, &pkcs8);
        assert!(matches!(again, Err(SlotError::KeyExists { .. })));
    }
}

#[test]
fn imported_1024_bit_keys_sign_until_they_are_rolled() {
    use rsa::pkcs8::EncodePrivateKey;
    let fixture = Fixture::new();
    let token = fixture.create();
    let pkcs8 = |bits| {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).unwrap();
        key.to_pkcs8_der().unwrap()
    };
    let id = random_key_id().unwrap();
    let key = token.import(&id, Algorithm::RsaSha256, pkcs8(1024).as_bytes()).unwrap();
    check_signs(&token, &id, &key);
    drop(token);
    let token = fixture.open().unwrap();
    check_signs(&token, &id, &key);
    let id = random_key_id().unwrap();
    let error = token.import(&id, Algorithm::RsaSha256, pkcs8(768).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("768 bits"), "{error}");
}

#[test]
fn nonsense_is_not_imported() {
    let fixture = Fixture::new();
    let token = fixture.create();
    let pkcs8 = keys::generate(Algorithm::Ed25519, 0).unwrap();
    for algorithm in Algorithm::ALL {
        let id = random_key_id().unwrap();
        let bytes = if algorithm == Algorithm::Ed25519 { &pkcs8[1..] } else { &pkcs8[..] };
        let error = token.import(&id, algorithm, bytes).unwrap_err();
        assert!(matches!(error, SlotError::KeyRejected { .. }), "{algorithm}: {error}");
    }
    assert!(token.list().unwrap().is_empty());
}
