//! Who the token of a repository is (rules HSM-2, HSM-3, HSM-8). What is learnt of it when it is
//! used for the first time is saved, and compared whenever it is opened again:
//! ```text
//! label and serial number   another number: closed, until conf.xml names it with <TokenSerial>
//! canary, keys              shows neither canary nor recorded keys: closed, tried again
//! mechanisms                found out by trying, anew when the firmware is another
//! ```
//! In: the state store, another way to open tokens. Out: the same way, with the comparison.
//! Openings run on threads of the slot's own and block, so the store is asked without the storage
//! actor; each request is one transaction.
//! Never: an empty token taken for the one that is known; a PIN for another PKCS#11 token.

use super::open::{NewToken, OpenSlot, open_group};
use crate::runtime::Clock;
use crate::settings::{RepositorySettings, TokenSettings};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use hsm::absence::TokenIdentity;
use hsm::error::Cause;
use hsm::{
    Disposition, KnownToken, MechanismChoice, Place, Slot, SlotError, TokenInfo, random_key_id,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::state::{Canary, KeyRecord, KeyState, TokenRecord};
use storage::{StateError, StateStore};

/// How many of the recorded keys are looked for in a token that does not show its canary.
const KEYS_LOOKED_FOR: usize = 4;

/// What is remembered of tokens.
#[derive(Clone)]
pub struct TokenBook {
    store: Arc<StateStore>,
    clock: Clock,
}

impl TokenBook {
    /// A book in this store.
    pub fn new(store: Arc<StateStore>, clock: Clock) -> TokenBook {
        TokenBook { store, clock }
    }

    /// What is remembered of a repository's token.
    pub(super) fn token(&self, repository: &str) -> Result<Option<TokenRecord>, StateError> {
        self.store.token(repository)
    }

    /// Who the token of a repository is, once it has a canary.
    pub(super) fn identity(&self, repository: &str) -> Option<TokenIdentity> {
        // Without the record nothing is proven, which is what `None` means to the caller.
        let record = self.store.token(repository).ok()??;
        match record.canary {
            Canary::Present(canary) => {
                Some(TokenIdentity { label: record.label, serial: record.serial, canary })
            }
            Canary::Intent(_) | Canary::Refused => None,
        }
    }

    /// The keys that are in the token, as far as is recorded.
    pub(super) fn keys(&self, repository: &str) -> Result<Vec<KeyRecord>, StateError> {
        let mut keys = self.store.keys()?;
        keys.retain(|key| key.repository == repository && key.state == KeyState::Present);
        Ok(keys)
    }

    /// Whether a key is in the token, or may be.
    fn has_keys(&self, repository: &str) -> Result<bool, StateError> {
        Ok(self.store.keys()?.iter().any(|key| key.repository == repository))
    }

    /// Finds out how the token signs for this algorithm, unless that is known. `true` when the slot
    /// has to be opened anew to sign so.
    pub(super) fn learn_mechanism(
        &self,
        repository: &str,
        slot: &dyn Slot,
        key: &KeyId,
        algorithm: Algorithm,
    ) -> Result<bool, SlotError> {
        let place = || Place { repository: repository.to_owned(), token: String::new() };
        let known = self.token(repository).map_err(|error| self.failed(place(), "read", &error))?;
        let Some(mut record) = known else { return Ok(false) };
        let is_other = learn_mechanism(&mut record, slot, key, algorithm)?;
        self.save(place(), repository, &record)?;
        Ok(is_other)
    }

    fn save(&self, place: Place, repository: &str, record: &TokenRecord) -> Result<(), SlotError> {
        let saved = self.store.token_put(repository, record);
        saved.map_err(|error| self.failed(place, "write", &error))
    }

    fn failed(&self, place: Place, operation: &'static str, error: &StateError) -> SlotError {
        let path = self.store.path().display().to_string();
        SlotError::StorageFailed { place, operation, path, cause: Cause::of(error) }
    }
}

/// A way to open tokens that compares them with the book.
pub fn known(open: OpenSlot, book: TokenBook) -> OpenSlot {
    known_as(Part::Whole, open, book)
}

fn known_as(part: Part, open: OpenSlot, book: TokenBook) -> OpenSlot {
    Arc::new(move |settings, new_token| match &settings.token {
        TokenSettings::Group { .. } => {
            let open = known_as(Part::Member, open.clone(), book.clone());
            open_group(settings, new_token, &open)
        }
        TokenSettings::BuiltIn { .. } | TokenSettings::Pkcs11 { .. } => {
            Opening { part, open: &open, book: &book, settings, new_token }.run()
        }
    })
}

/// What a token is of a repository that keys are recorded for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// A member: the keys are recorded for its group, which has it prove each of them.
    Member,
}

/// One opening of one token.
struct Opening<'a> {
    open: &'a OpenSlot,
    book: &'a TokenBook,
    settings: &'a RepositorySettings,
    new_token: NewToken,
    part: Part,
}

impl Opening<'_> {
    fn run(&self) -> Result<Arc<dyn Slot>, SlotError> {
        let (name, book) = (&self.settings.name, self.book);
        let place = Place { repository: name.clone(), token: label(self.settings).to_owned() };
        let unread = |error: StateError| book.failed(place.clone(), "read", &error);
        let before = book.token(name).map_err(unread)?;
        let keys = book.keys(name).map_err(unread)?;
        // A token that never had a key may be another one: nothing was lost with it.
        let is_bound = self.part == Part::Member || book.has_keys(name).map_err(unread)?;
        let bound = before.as_ref().filter(|_| is_bound).map(|before| before.serial.clone());
        let wanted = self.settings.serial.clone().or(bound);
        let slot = self.open_as(wanted.as_deref(), before.as_ref())?;
        let info = slot.info()?;
        // Of another token nothing is known.
        let same = before.clone().filter(|before| before.serial == info.serial);
        if let Some(expected) = wanted.filter(|wanted| *wanted != info.serial) {
            let found = vec![info.serial];
            return Err(SlotError::TokenReplaced { place, expected, found });
        }
        if let (Some(before), None) = (&before, &same) {
            tracing::warn!(target: "hsm", repository = %name, serial = %info.serial,
                "repository {name}: the token with serial number {} takes the place of the one \
                 with {}", info.serial, before.serial);
        }
        let mut record = match same {
            Some(same) => self.compare(&place, slot.as_ref(), &info, same, &keys)?,
            None => self.learn(&place, slot.as_ref(), &info, &keys)?,
        };
        if before.as_ref() != Some(&record) {
            book.save(place.clone(), name, &record)?;
        }
        let saved = record.clone();
        put_canary(slot.as_ref(), &mut record);
        let has_other_mechanism = learn_mechanisms(slot.as_ref(), &keys, &mut record);
        if record != saved {
            book.save(place, name, &record)?;
        }
        if !has_other_mechanism {
            return Ok(slot);
        }
        drop(slot);
        self.open_as(Some(&record.serial), Some(&record))
    }

    /// Opens a token that has this serial number.
    fn open_as(
        &self,
        serial: Option<&str>,
        record: Option<&TokenRecord>,
    ) -> Result<Arc<dyn Slot>, SlotError> {
        let mut settings = self.settings.clone();
        if let TokenSettings::Pkcs11 { settings, .. } = &mut settings.token {
            let choice = |(algorithm, mechanism): &(Algorithm, u64)| MechanismChoice {
                algorithm: *algorithm,
                mechanism: *mechanism,
            };
            settings.known = KnownToken {
                serial: serial.map(str::to_owned),
                // Another token than the recorded one is opened again once it is known.
                mechanisms: record
                    .filter(|record| Some(record.serial.as_str()) == serial)
                    .map_or_else(Vec::new, |record| record.mechanisms.iter().map(choice).collect()),
            };
        }
        (self.open)(&settings, self.new_token)
    }

    /// First contact with a token. Where keys are recorded it has to show one of them.
    fn learn(
        &self,
        place: &Place,
        slot: &dyn Slot,
        info: &TokenInfo,
        keys: &[KeyRecord],
    ) -> Result<TokenRecord, SlotError> {
        if !keys.is_empty() && !shows_one_of(slot, keys)? {
            return Err(empty(place, keys));
        }
        let name = &self.settings.name;
        tracing::info!(target: "hsm", repository = %name, label = %info.label,
            serial = %info.serial, "repository {name} is used with token \"{}\", serial number {}, \
             from now on", info.label, info.serial);
        Ok(TokenRecord {
            label: info.label.clone(),
            serial: info.serial.clone(),
            firmware: info.firmware.clone(),
            canary: Canary::Intent(new_canary_id(place)?),
            mechanisms: Vec::new(),
            sessions_max: info.sessions_max,
            first_seen: self.book.clock.now(),
        })
    }

    /// The token is the one that is known. One that shows neither its canary nor a key hides what
    /// it holds, or was emptied: closed, a new key in it would be made in place of one that may be
    /// there.
    fn compare(
        &self,
        place: &Place,
        slot: &dyn Slot,
        info: &TokenInfo,
        mut record: TokenRecord,
        keys: &[KeyRecord],
    ) -> Result<TokenRecord, SlotError> {
        let name = &self.settings.name;
        if let Canary::Present(id) = &record.canary
            && !slot.shows_canary(id)?
        {
            if !keys.is_empty() && !shows_one_of(slot, keys)? {
                return Err(empty(place, keys));
            }
            tracing::warn!(target: "hsm", repository = %name,
                "repository {name}: the token does not show the object that was made in it to tell \
                 that it shows what it holds; it gets another one");
            record.canary = Canary::Intent(new_canary_id(place)?);
        }
        if record.firmware != info.firmware {
            tracing::warn!(target: "hsm", repository = %name,
                "repository {name}: the token's firmware is {} and was {}; how it signs is found \
                 out anew", info.firmware, record.firmware);
            record.firmware.clone_from(&info.firmware);
            record.mechanisms.clear();
        }
        record.label.clone_from(&info.label);
        record.sessions_max = info.sessions_max;
        Ok(record)
    }
}

/// Whether the token shows one of the first recorded keys, and signs with it.
fn shows_one_of(slot: &dyn Slot, keys: &[KeyRecord]) -> Result<bool, SlotError> {
    for key in keys.iter().take(KEYS_LOOKED_FOR) {
        match slot.public_key(&key.id, key.algorithm) {
            Ok(_) => return Ok(true),
            Err(error) if error.disposition() == Disposition::Refuse => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn empty(place: &Place, keys: &[KeyRecord]) -> SlotError {
    let first = keys.first().map_or_else(String::new, |key| format!(", such as {}", key.id));
    let cause = Cause::of(format_args!(
        "it shows none of the {} keys that are recorded for this repository{first}: it hides them, \
         was emptied, or is another one; compare it with the backup",
        keys.len()
    ));
    SlotError::TokenGone { place: place.clone(), cause }
}

fn new_canary_id(place: &Place) -> Result<KeyId, SlotError> {
    random_key_id().ok_or_else(|| SlotError::NoRandomness {
        place: place.clone(),
        cause: Cause::of("no new id for an object"),
    })
}

/// Makes the canary whose id is saved. A token that cannot take it now is used all the same, and
/// asked again when it is opened.
fn put_canary(slot: &dyn Slot, record: &mut TokenRecord) {
    let Canary::Intent(id) = &record.canary else { return };
    match slot.put_canary(id) {
        Ok(()) => record.canary = Canary::Present(id.clone()),
        Err(error @ SlotError::CanaryRefused { .. }) => {
            tracing::info!(target: "hsm", %error, "{error}");
            record.canary = Canary::Refused;
        }
        Err(error) => tracing::warn!(target: "hsm", %error, "{error}"),
    }
}

/// Finds out how the token signs for the algorithms of its keys. `true` when one of the answers is
/// not what a slot does that knows nothing.
fn learn_mechanisms(slot: &dyn Slot, keys: &[KeyRecord], record: &mut TokenRecord) -> bool {
    let mut has_other = false;
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key.algorithm) {
            continue;
        }
        match learn_mechanism(record, slot, &key.id, key.algorithm) {
            Ok(is_other) => has_other |= is_other,
            // What is wrong with it is told when something is to be signed.
            Err(error) => tracing::debug!(target: "hsm", %error, "no mechanism was chosen"),
        }
    }
    has_other
}

fn learn_mechanism(
    record: &mut TokenRecord,
    slot: &dyn Slot,
    key: &KeyId,
    algorithm: Algorithm,
) -> Result<bool, SlotError> {
    if record.mechanisms.iter().any(|(of, _)| *of == algorithm) {
        return Ok(false);
    }
    let Some(choice) = slot.choose_mechanism(key, algorithm)? else { return Ok(false) };
    record.mechanisms.push((algorithm, choice.mechanism));
    Ok(!choice.is_usual())
}

/// The label that the settings name.
fn label(settings: &RepositorySettings) -> &str {
    match &settings.token {
        TokenSettings::BuiltIn { label, .. } => label,
        TokenSettings::Pkcs11 { settings, .. } => &settings.token_label,
        TokenSettings::Group { .. } => "",
    }
}

#[cfg(test)]
mod tests;
