//! The built-in token: an HSM in software, keys sealed in a folder, signing at aws-lc's speed.
//!
//! It emulates an HSM: whoever reads this process's memory reads its keys. Algorithms: RSA
//! (2048, 3072, 4096 bits), ECDSA P-256 and P-384, Ed25519; algorithms 5 and 7 by switch or
//! import only (RFC 9905). Not here: Ed448. Every record is read and parsed when the token is
//! opened; a damaged one is reported in [`TokenInfo`] and hides no other key.

mod keys;
mod seal;
mod store;
#[cfg(test)]
mod tests;

use crate::error::{Cause, PinTries, Place, SlotError};
use crate::packed::Packed;
use crate::slot::{DamagedRecord, GenerateRequest, KeyEntry, KeyKind, SignBatch, Slot, TokenInfo};
use crate::transfer::KeyTransfer;
use crate::verify::Verifier;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use keys::{KeyFault, PrivateKey};
use seal::{Derivation, Header, KEY_FILE_LENGTH, SealFault, SealingKey, Secret};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use store::{Folder, LockFault};
use zeroize::Zeroizing;

/// What opens a token.
#[derive(Clone, Debug)]
pub enum Unlock {
    /// A PIN, stretched with argon2id.
    Pin(SecretString),
    /// A file of 32 random bytes; see [`create_key_file`].
    KeyFile(PathBuf),
}

/// A built-in token, open and unlocked.
pub struct BuiltinToken {
    place: Place,
    path: PathBuf,
    folder: Folder,
    header: Header,
    sealing_key: SealingKey,
    keys: RwLock<BTreeMap<KeyId, Held>>,
    /// Held while the folder changes, so that two requests cannot take one id.
    changing: Mutex<()>,
    /// Files whose names are no key ids.
    strangers: Vec<DamagedRecord>,
}

/// What is known under an id.
#[derive(Clone)]
enum Held {
    Key(Arc<Key>),
    Damaged(DamagedRecord),
}

struct Key {
    private: PrivateKey,
    public: PublicKey,
    verifier: Verifier,
}

impl BuiltinToken {
    /// Makes a new token in `folder` (made too, mode 0700) and opens it.
    pub fn create(
        repository: &str,
        folder: &Path,
        label: &str,
        unlock: &Unlock,
    ) -> Result<BuiltinToken, SlotError> {
        let place = Place { repository: repository.to_owned(), token: label.to_owned() };
        let locked = Folder::create(folder).map_err(|fault| lock_error(&place, folder, fault))?;
        let path = locked.header_path();
        if path.exists() {
            return Err(SlotError::TokenExists { place, path: text(folder) });
        }
        let secret = secret(&place, unlock)?;
        let bytes = seal::new_header(label, &secret).map_err(|fault| SlotError::NoRandomness {
            place: place.clone(),
            cause: Cause::of(fault),
        })?;
        locked.write(&path, &bytes).map_err(|error| storage(&place, "write", &path, error))?;
        BuiltinToken::unlock(place, folder, locked, unlock)
    }

    /// Opens the token in `folder`. A wrong PIN is tried exactly once.
    pub fn open(
        repository: &str,
        folder: &Path,
        unlock: &Unlock,
    ) -> Result<BuiltinToken, SlotError> {
        // The label is not known before the header is read.
        let token = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        let place = Place { repository: repository.to_owned(), token: token.into_owned() };
        if let Err(error) = Folder::check_token(folder) {
            let path = text(folder);
            return Err(SlotError::FolderUnusable { place, path, cause: Cause::of(error) });
        }
        let locked = Folder::open(folder).map_err(|fault| lock_error(&place, folder, fault))?;
        BuiltinToken::unlock(place, folder, locked, unlock)
    }

    fn unlock(
        mut place: Place,
        path: &Path,
        folder: Folder,
        unlock: &Unlock,
    ) -> Result<BuiltinToken, SlotError> {
        let header_path = folder.header_path();
        let bytes = store::read(&header_path)
            .map_err(|error| storage(&place, "read", &header_path, error))?;
        let locked = seal::read_header(&bytes).map_err(|fault| SlotError::TokenDamaged {
            place: place.clone(),
            path: text(&header_path),
            cause: Cause::of(fault),
        })?;
        place.token.clone_from(&locked.header().label);
        let secret = secret(&place, unlock)?;
        let sealing_key = locked
            .unlock(&secret)
            .map_err(|fault| unlock_error(&place, unlock, locked.header().derivation, fault))?;
        let mut token = BuiltinToken {
            place,
            path: path.to_owned(),
            folder,
            header: locked.header().clone(),
            sealing_key,
            keys: RwLock::default(),
            changing: Mutex::default(),
            strangers: Vec::new(),
        };
        token.load()?;
        Ok(token)
    }

    fn load(&mut self) -> Result<(), SlotError> {
        let records = self
            .folder
            .records()
            .map_err(|error| storage(&self.place, "read", &self.path, error))?;
        let mut keys = BTreeMap::new();
        for (key_hex, path) in records {
            // Only the spelling that writing uses: another one would be a second name for a key.
            let id = KeyId::from_hex(&key_hex).filter(|id| id.to_string() == key_hex);
            let Some(id) = id else {
                let damage = "its name is no key id".to_owned();
                self.strangers.push(DamagedRecord { path: text(&path), damage });
                continue;
            };
            let held = match self.load_record(&id, &path) {
                Ok(key) => Held::Key(Arc::new(key)),
                Err(damage) => Held::Damaged(DamagedRecord { path: text(&path), damage }),
            };
            keys.insert(id, held);
        }
        self.keys = RwLock::new(keys);
        Ok(())
    }

    fn load_record(&self, id: &KeyId, path: &Path) -> Result<Key, String> {
        let bytes = store::read(path).map_err(|error| error.to_string())?;
        let (algorithm, pkcs8) =
            seal::open_record(&self.sealing_key, id, &bytes).map_err(|fault| fault.to_string())?;
        Key::new(algorithm, &pkcs8).map_err(|fault| fault.to_string())
    }

    /// Saves a key and only then lets it be used. The caller holds `changing`.
    fn keep(&self, id: &KeyId, key: Key, pkcs8: &[u8]) -> Result<PublicKey, SlotError> {
        let place = self.place.clone();
        let path = self.folder.record_path(&id.to_string());
        // The file counts too: it may have appeared since the token was opened.
        if self.read_keys().contains_key(id) || path.exists() {
            return Err(SlotError::KeyExists { place, key: id.clone() });
        }
        if self.read_keys().len() >= store::KEYS_MAX {
            let cause = Cause::of("the token is full");
            return Err(SlotError::GenerateFailed { place, key: id.clone(), cause });
        }
        let bytes = seal::seal_record(&self.sealing_key, id, key.public.algorithm, pkcs8)
            .map_err(|fault| SlotError::NoRandomness { place, cause: Cause::of(fault) })?;
        self.folder
            .write(&path, &bytes)
            .map_err(|error| storage(&self.place, "write", &path, error))?;
        let public = key.public.clone();
        self.write_keys().insert(id.clone(), Held::Key(Arc::new(key)));
        Ok(public)
    }

    /// A key out of its record.
    fn unseal(&self, id: &KeyId) -> Result<(Algorithm, Zeroizing<Vec<u8>>), SlotError> {
        self.key(id)?;
        let path = self.folder.record_path(&id.to_string());
        let bytes =
            store::read(&path).map_err(|error| storage(&self.place, "read", &path, error))?;
        let opened = seal::open_record(&self.sealing_key, id, &bytes);
        opened.map_err(|fault| SlotError::RecordDamaged {
            place: self.place.clone(),
            path: text(&path),
            cause: Cause::of(fault),
        })
    }

    /// Signs some of the messages, without the sample that [`Slot::sign`] verifies.
    pub(crate) fn sign_unverified(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        messages: &Packed,
        range: Range<usize>,
    ) -> Result<Packed, SlotError> {
        let key = self.key_for(id, algorithm)?;
        let failed = |cause: Cause| SlotError::SignFailed {
            place: self.place.clone(),
            key: id.clone(),
            cause,
        };
        let mut signatures = Packed::default();
        for position in range {
            let message = messages.get(position).unwrap_or_default();
            let taken = key
                .private
                .sign(message, |signature| signatures.push(signature))
                .map_err(|fault| failed(Cause::of(fault)))?;
            if !taken {
                return Err(failed(Cause::of("the batch is too large")));
            }
        }
        Ok(signatures)
    }

    fn key(&self, id: &KeyId) -> Result<Arc<Key>, SlotError> {
        let place = self.place.clone();
        match self.read_keys().get(id) {
            Some(Held::Key(key)) => Ok(Arc::clone(key)),
            Some(Held::Damaged(record)) => Err(SlotError::RecordDamaged {
                place,
                path: record.path.clone(),
                cause: Cause::of(&record.damage),
            }),
            None => Err(SlotError::NotFound { place, key: id.clone() }),
        }
    }

    fn key_for(&self, id: &KeyId, algorithm: Algorithm) -> Result<Arc<Key>, SlotError> {
        let key = self.key(id)?;
        if key.public.algorithm == algorithm {
            return Ok(key);
        }
        Err(SlotError::AlgorithmMismatch { place: self.place.clone(), key: id.clone(), algorithm })
    }

    // A poisoned lock only means that a thread panicked between two whole changes: the map is
    // changed by single insertions and removals.
    fn read_keys(&self) -> RwLockReadGuard<'_, BTreeMap<KeyId, Held>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_keys(&self) -> RwLockWriteGuard<'_, BTreeMap<KeyId, Held>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn new(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Key, KeyFault> {
        let private = PrivateKey::from_pkcs8(algorithm, pkcs8)?;
        let public = private.public(algorithm)?;
        let verifier = Verifier::new(&public).ok_or(KeyFault::NotPkcs8)?;
        Ok(Key { private, public, verifier })
    }
}

impl Slot for BuiltinToken {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        let mut damaged = self.strangers.clone();
        damaged.extend(self.read_keys().values().filter_map(|held| match held {
            Held::Damaged(record) => Some(record.clone()),
            Held::Key(_) => None,
        }));
        Ok(TokenInfo {
            repository: self.place.repository.clone(),
            module: text(&self.path),
            slot: 0,
            label: self.header.label.clone(),
            manufacturer: "Anchorite".to_owned(),
            model: "built-in token (HSM emulation)".to_owned(),
            serial: format!("{:016x}", u64::from_be_bytes(self.header.serial)),
            firmware: String::new(),
            sessions_max: None,
            damaged,
        })
    }

    /// The header is the canary: it lies in the folder with the keys, sealed with what opens them.
    fn put_canary(&self, _: &KeyId) -> Result<(), SlotError> {
        Ok(())
    }

    fn shows_canary(&self, _: &KeyId) -> Result<bool, SlotError> {
        let Ok(bytes) = store::read(&self.folder.header_path()) else { return Ok(false) };
        let header = seal::read_header(&bytes);
        Ok(header.is_ok_and(|locked| locked.header().serial == self.header.serial))
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        let GenerateRequest { id, algorithm, rsa_bits, allow_deprecated } = request;
        let place = self.place.clone();
        if algorithm.is_deprecated() && !allow_deprecated {
            return Err(SlotError::AlgorithmDeprecated { place, algorithm: *algorithm });
        }
        let _changing = self.change();
        if self.read_keys().contains_key(id) {
            return Err(SlotError::KeyExists { place, key: id.clone() });
        }
        let failed = |fault| generate_error(&self.place, request, fault);
        let pkcs8 = keys::generate(*algorithm, *rsa_bits).map_err(failed)?;
        let key = Key::new(*algorithm, &pkcs8).map_err(failed)?;
        self.keep(id, key, &pkcs8)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        let keys = self.read_keys();
        let entries = keys.iter().filter_map(|(id, held)| match held {
            Held::Key(key) => Some(KeyEntry {
                id: id.clone(),
                label: id.to_string(),
                kind: KeyKind::of(key.public.algorithm),
                bits: key.public.bits(),
                algorithm: Some(key.public.algorithm),
            }),
            Held::Damaged(_) => None,
        });
        Ok(entries.collect())
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        Ok(self.key_for(id, algorithm)?.public.clone())
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        let key = self.key_for(&batch.key, batch.algorithm)?;
        let all = 0..batch.messages.len();
        let signatures = self.sign_unverified(&batch.key, batch.algorithm, &batch.messages, all)?;
        // The library is trusted more than a foreign module: the first of each batch is proof
        // enough that key and memory are whole (rule HSM-5 by sample).
        if let (Some(message), Some(signature)) = (batch.messages.get(0), signatures.get(0))
            && !key.verifier.verify(message, signature)
        {
            return Err(SlotError::WrongSignature {
                place: self.place.clone(),
                key: batch.key.clone(),
                algorithm: batch.algorithm,
                index: 0,
            });
        }
        Ok(signatures)
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        let _changing = self.change();
        self.key(id)?;
        let path = self.folder.record_path(&id.to_string());
        self.folder.remove(&path).map_err(|error| storage(&self.place, "remove", &path, error))?;
        self.write_keys().remove(id);
        Ok(())
    }
}

impl KeyTransfer for BuiltinToken {
    fn import(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        pkcs8: &[u8],
    ) -> Result<PublicKey, SlotError> {
        let rejected = |fault| key_rejected(&self.place, id, fault);
        let key = Key::new(algorithm, pkcs8).map_err(rejected)?;
        let _changing = self.change();
        self.keep(id, key, pkcs8)
    }

    fn copy(&self, id: &KeyId, new: &KeyId) -> Result<(), SlotError> {
        let _changing = self.change();
        let (algorithm, pkcs8) = self.unseal(id)?;
        let rejected = |fault| key_rejected(&self.place, id, fault);
        let key = Key::new(algorithm, &pkcs8).map_err(rejected)?;
        self.keep(new, key, &pkcs8).map(drop)
    }

    /// The key is in this process's memory on its way, as it is when it signs.
    fn replicate(&self, id: &KeyId, to: &dyn KeyTransfer) -> Result<(), SlotError> {
        let (algorithm, pkcs8) = self.unseal(id)?;
        to.import(id, algorithm, &pkcs8).map(drop)
    }
}

/// The public half of a key that is in no token yet. What only looks like a key is refused.
pub(crate) fn public_half(algorithm: Algorithm, pkcs8: &[u8]) -> Result<PublicKey, Cause> {
    Key::new(algorithm, pkcs8).map(|key| key.public).map_err(Cause::of)
}

fn key_rejected(place: &Place, id: &KeyId, fault: KeyFault) -> SlotError {
    let (place, key) = (place.clone(), id.clone());
    SlotError::KeyRejected { place, key, cause: Cause::of(fault) }
}

/// Makes a key file: 32 random bytes, mode 0600. An existing file is left alone.
pub fn create_key_file(repository: &str, path: &Path) -> Result<(), SlotError> {
    let place = Place { repository: repository.to_owned(), token: String::new() };
    let content: Zeroizing<[u8; KEY_FILE_LENGTH]> =
        seal::random().map(Zeroizing::new).map_err(|fault| SlotError::NoRandomness {
            place: place.clone(),
            cause: Cause::of(fault),
        })?;
    store::write_new(path, &content[..]).map_err(|error| storage(&place, "create", path, error))
}

fn secret<'a>(place: &Place, unlock: &'a Unlock) -> Result<Secret<'a>, SlotError> {
    let path = match unlock {
        Unlock::Pin(pin) => return Ok(Secret::Pin(pin)),
        Unlock::KeyFile(path) => path,
    };
    let unusable =
        |cause: Cause| SlotError::KeyFileUnusable { place: place.clone(), path: text(path), cause };
    let bytes = Zeroizing::new(store::read(path).map_err(|error| unusable(Cause::of(error)))?);
    let mut content = Zeroizing::new([0; KEY_FILE_LENGTH]);
    if bytes.len() != content.len() {
        return Err(unusable(Cause::of("it does not have 32 bytes")));
    }
    content.copy_from_slice(&bytes);
    Ok(Secret::KeyFile(content))
}

fn unlock_error(place: &Place, unlock: &Unlock, needs: Derivation, fault: SealFault) -> SlotError {
    let place = place.clone();
    match (fault, unlock, needs) {
        (SealFault::Seal, Unlock::Pin(_), Derivation::Argon2id { .. }) => {
            // Nothing is counted: a copy of the folder would take as many tries as one likes.
            SlotError::PinRejected { place, tries: PinTries::Unknown }
        }
        (SealFault::Seal, Unlock::KeyFile(path), Derivation::KeyFile) => {
            let cause = Cause::of("it belongs to another token");
            SlotError::KeyFileUnusable { place, path: text(path), cause }
        }
        (SealFault::Seal, Unlock::Pin(_), Derivation::KeyFile) => {
            let cause = Cause::of("this token opens with a key file, not with a PIN");
            SlotError::KeyFileUnusable { place, path: String::new(), cause }
        }
        (SealFault::Seal, Unlock::KeyFile(_), Derivation::Argon2id { .. }) => {
            SlotError::PinMissing { place }
        }
        (fault, ..) => {
            let path = "token".to_owned();
            SlotError::TokenDamaged { place, path, cause: Cause::of(fault) }
        }
    }
}

fn generate_error(place: &Place, request: &GenerateRequest, fault: KeyFault) -> SlotError {
    let place = place.clone();
    let algorithm = request.algorithm;
    let cause = Cause::of(&fault);
    match fault {
        KeyFault::Ed448 => SlotError::AlgorithmUnavailable { place, algorithm, cause },
        KeyFault::RsaBits => {
            SlotError::KeyLengthRefused { place, algorithm, bits: request.rsa_bits, cause }
        }
        _ => SlotError::GenerateFailed { place, key: request.id.clone(), cause },
    }
}

fn lock_error(place: &Place, folder: &Path, fault: LockFault) -> SlotError {
    match fault {
        LockFault::InUse => SlotError::TokenInUse { place: place.clone(), path: text(folder) },
        LockFault::Io(error) => storage(place, "open", folder, error),
    }
}

fn storage(
    place: &Place,
    operation: &'static str,
    path: &Path,
    error: std::io::Error,
) -> SlotError {
    let cause = Cause::of(error);
    SlotError::StorageFailed { place: place.clone(), operation, path: text(path), cause }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
