//! A slot in a process of its own: the [`Slot`] contract over a socket to a [`crate::host`].
//!
//! Signing requests are hashed here, cut into parts, and many are in flight at once. Everything a
//! PKCS#11 module signs is verified here before it is given out. When the host dies or is killed
//! past a deadline, what was in flight ends with an error whose disposition is "restart", and the
//! next use starts another host, at most [`HOST_STARTS_MAX`] times without a success between;
//! then the slot's owner has to open it anew, with the pauses that it likes.
//! Never: the PIN offered again that a token has refused; see [`pins`].

mod check;
mod host;
mod pins;
mod settings;

pub use pins::forget_refused_pins;
pub use settings::{Deadlines, HostProgram, HostedSettings, HostedToken, Network};

use crate::builtin::Unlock;
use crate::error::{Cause, PinTries, Place, SlotError};
use crate::hash;
use crate::packed::Packed;
use crate::pin::Pin;
use crate::pkcs11::WITNESSES_MAX;
use crate::protocol::{
    Answer, FRAME_LENGTH_MAX, FrameFault, OpenRequest, Proof, Request, SecretIn, TokenIn,
};
use crate::slot::{GenerateRequest, KeyEntry, MechanismChoice, SignBatch, Slot, TokenInfo};
use crate::verify::Verifier;
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use host::Host;
use pins::TokenName;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// Most starts of a host in a row with nothing done between.
pub const HOST_STARTS_MAX: u32 = 3;
/// Most messages in one request: small enough that a slow token answers each well within the
/// deadline, large enough that the frames cost nothing.
const PART_COUNT_MAX: usize = 64;
/// Most bytes of messages in one request, unless one message alone has more.
const PART_LENGTH_MAX: usize = 1 << 20;
/// Longest message: a frame, less what else is in it.
const MESSAGE_LENGTH_MAX: usize = FRAME_LENGTH_MAX - 4096;

/// A slot in a process of its own.
pub struct HostedSlot {
    settings: HostedSettings,
    place: Place,
    pin: Option<Arc<Pin>>,
    name: TokenName,
    running: Mutex<Running>,
    verifiers: RwLock<HashMap<(KeyId, Algorithm), Arc<Verifier>>>,
    /// Keys that the token has shown; a new host is told.
    seen: Mutex<BTreeSet<KeyId>>,
    /// The wrong signature that was wrong the second time too: the token is not used any more.
    lie: OnceLock<SlotError>,
    wrong_count: AtomicU64,
}

#[derive(Default)]
struct Running {
    host: Option<Arc<Host>>,
    starts_in_a_row: u32,
    last_failure: Option<SlotError>,
}

impl HostedSlot {
    /// Starts a host and opens the token, with one PIN try.
    pub fn open(mut settings: HostedSettings) -> Result<HostedSlot, SlotError> {
        let (secret, name) = match &mut settings.token {
            HostedToken::Pkcs11 { settings, .. } => {
                let module = settings.module.display().to_string();
                (settings.pin.take(), (module, settings.token_label.clone()))
            }
            HostedToken::BuiltIn { folder, label, unlock, .. } => {
                let secret = match unlock {
                    Unlock::Pin(pin) => Some(std::mem::take(pin)),
                    Unlock::KeyFile(_) => None,
                };
                (secret, (folder.display().to_string(), label.clone()))
            }
        };
        let place = Place { repository: settings.repository.clone(), token: name.1.clone() };
        let slot = HostedSlot {
            settings,
            place,
            // Locked where the system allows it; the host insists.
            pin: secret.map(|secret| Arc::new(Pin::lock(secret).0)),
            name,
            running: Mutex::default(),
            verifiers: RwLock::default(),
            seen: Mutex::default(),
            lie: OnceLock::new(),
            wrong_count: AtomicU64::new(0),
        };
        slot.host()?;
        Ok(slot)
    }

    /// The host's process, while there is one; for reports.
    pub fn process_id(&self) -> Option<u32> {
        self.running().host.as_ref().and_then(|host| host.process_id())
    }

    /// How many wrong signatures the token has made since this slot was opened. None was given
    /// out; one is reason enough for an alarm.
    pub fn wrong_signature_count(&self) -> u64 {
        self.wrong_count.load(Ordering::Relaxed)
    }

    /// Signs without verifying: half of [`Slot::sign`], for measuring what each half costs. What
    /// comes back must not be used for anything else.
    pub fn sign_unverified(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        let host = self.host()?;
        let form = host.opened().form(batch.algorithm);
        let inputs = hash::inputs(form, batch.algorithm, &batch.messages);
        if let Some(long) = inputs.iter().find(|input| input.len() > MESSAGE_LENGTH_MAX) {
            return Err(SlotError::MessageTooLong {
                place: self.place.clone(),
                key: batch.key.clone(),
                length: long.len(),
            });
        }
        let ranges = parts(&inputs);
        let requests = ranges.iter().map(|(start, end)| Request::Sign {
            key: batch.key.clone(),
            algorithm: batch.algorithm,
            inputs: inputs.slice(*start, *end),
        });
        let answers = self.ask(&host, "C_Sign", requests)?;
        let mut signatures = Packed::default();
        for (answer, (start, end)) in answers.iter().zip(&ranges) {
            let is_taken = match answer {
                Answer::Signatures(part) if part.len() == end - start => signatures.append(part),
                _ => false,
            };
            if !is_taken {
                return Err(host.garbled("C_Sign", &FrameFault::WrongKind));
            }
        }
        Ok(signatures)
    }

    /// Signs again what was signed wrongly, once (rule HSM-5).
    fn sign_again(
        &self,
        batch: &SignBatch,
        verifier: &Verifier,
        signatures: Packed,
        wrong: &[usize],
    ) -> Result<Packed, SlotError> {
        self.wrong_count.fetch_add(wrong.len() as u64, Ordering::Relaxed);
        let Place { repository, token } = &self.place;
        let (key, count) = (&batch.key, wrong.len());
        tracing::error!(target: "hsm", %repository, %token, %key, count,
            "{}: the token made {count} wrong signatures with key {key}; none was used, they are \
             made again once: watch this token, and call its vendor", self.place);
        let messages: Packed = wrong
            .iter()
            .map(|position| batch.messages.get(*position).unwrap_or_default())
            .collect();
        let second = SignBatch { key: batch.key.clone(), algorithm: batch.algorithm, messages };
        let mended = self.sign_unverified(&second)?;
        if let Some(still) = check::wrong_positions(verifier, &second.messages, &mended).first() {
            let error = SlotError::WrongSignature {
                place: self.place.clone(),
                key: batch.key.clone(),
                algorithm: batch.algorithm,
                index: wrong[*still],
            };
            return Err(self.lie.get_or_init(|| error).clone());
        }
        let mut whole = Packed::with_capacity(signatures.len(), signatures.parts().0.len());
        for (position, signature) in signatures.iter().enumerate() {
            let again = wrong.binary_search(&position).ok().and_then(|at| mended.get(at));
            // The same strings, or some of the same length: the list does not outgrow its limit.
            let _ = whole.push(again.unwrap_or(signature));
        }
        Ok(whole)
    }

    fn verifier(&self, key: &KeyId, algorithm: Algorithm) -> Result<Arc<Verifier>, SlotError> {
        let name = (key.clone(), algorithm);
        let known = self.verifiers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(verifier) = known.get(&name) {
            return Ok(Arc::clone(verifier));
        }
        drop(known);
        let public = self.ask_public_key(key, algorithm, Proof::Follows)?;
        let verifier = Verifier::new(&public).map(Arc::new).ok_or_else(|| {
            let cause = Cause::of("what the token shows is no key of this algorithm");
            let (place, key) = (self.place.clone(), key.clone());
            SlotError::PublicKeyUnavailable { place, key, cause }
        })?;
        let mut known = self.verifiers.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, Arc::clone(&verifier));
        Ok(verifier)
    }

    fn ask_public_key(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
        proof: Proof,
    ) -> Result<PublicKey, SlotError> {
        let request = Request::PublicKey { key: id.clone(), algorithm, proof };
        match self.ask_one("public_key", request)? {
            Answer::PublicKey(key) if key.algorithm == algorithm => {
                self.note_seen(std::iter::once(id));
                Ok(key)
            }
            _ => Err(self.wrong_kind("public_key")),
        }
    }

    /// One request, one answer.
    fn ask_one(&self, operation: &'static str, request: Request) -> Result<Answer, SlotError> {
        let host = self.host()?;
        let mut answers = self.ask(&host, operation, std::iter::once(request))?;
        Ok(answers.swap_remove(0))
    }

    fn ask(
        &self,
        host: &Host,
        operation: &'static str,
        requests: impl Iterator<Item = Request>,
    ) -> Result<Vec<Answer>, SlotError> {
        let deadlines = self.settings.deadlines;
        let deadline = match operation {
            "C_GenerateKeyPair" => deadlines.generate,
            _ => deadlines.answer,
        };
        let answers = host.collect(host.submit(operation, deadline, requests)?)?;
        for answer in &answers {
            let Answer::Failed(error) = answer else { continue };
            if matches!(error, SlotError::ModuleFault { .. }) {
                // The host has initialised the module anew already: only a new process is left.
                host.condemn(Cause::of("its module does not get well"));
            }
            return Err(error.clone());
        }
        self.running().starts_in_a_row = 0;
        Ok(answers)
    }

    /// An answer that does not fit its request.
    fn wrong_kind(&self, operation: &'static str) -> SlotError {
        let fault = FrameFault::WrongKind;
        match self.running().host.clone() {
            Some(host) => host.garbled(operation, &fault),
            None => {
                let (place, cause) = (self.place.clone(), Cause::of(fault));
                SlotError::HostEnded { place, operation, cause }
            }
        }
    }

    /// The running host, or a new one.
    fn host(&self) -> Result<Arc<Host>, SlotError> {
        let mut running = self.running();
        if let Some(host) = running.host.as_ref().filter(|host| host.is_alive()) {
            return Ok(Arc::clone(host));
        }
        running.host = None;
        if running.starts_in_a_row >= HOST_STARTS_MAX
            && let Some(failure) = &running.last_failure
        {
            return Err(failure.clone());
        }
        running.starts_in_a_row += 1;
        match self.start() {
            Ok(host) => {
                let host = Arc::new(host);
                running.host = Some(Arc::clone(&host));
                let (place, cause) = (self.place.clone(), Cause::of("too often in a row"));
                running.last_failure =
                    Some(SlotError::HostEnded { place, operation: "opening", cause });
                Ok(host)
            }
            Err(error) => {
                running.last_failure = Some(error.clone());
                Err(error)
            }
        }
    }

    fn start(&self) -> Result<Host, SlotError> {
        let HostedSettings { repository, program, user, token, deadlines } = &self.settings;
        let pin = self.pin.as_ref();
        if pin.is_some_and(|pin| pins::is_refused(&self.name, pin)) {
            let (place, tries) = (self.place.clone(), PinTries::Unknown);
            return Err(SlotError::PinRejected { place, tries });
        }
        let seen = self.seen().clone();
        let (module, label) = (self.name.0.as_str(), self.name.1.as_str());
        let mut secret = host::pin_text(pin.map(Arc::as_ref));
        let key_file;
        let token = match token {
            HostedToken::Pkcs11 { settings, capacity } => TokenIn::Pkcs11 {
                module,
                label,
                serial: settings.known.serial.as_deref(),
                parameters: settings.module_parameters.as_deref(),
                mechanisms: settings.known.mechanisms.clone(),
                skip_public_key: settings.skip_public_key,
                allow_extraction: settings.allow_extraction,
                sessions_max: u32::try_from(settings.sessions_max).unwrap_or(u32::MAX),
                capacity: *capacity,
                witnesses: seen.iter().map(KeyId::as_bytes).collect(),
            },
            HostedToken::BuiltIn { unlock, may_create, .. } => {
                if let Unlock::KeyFile(path) = unlock {
                    key_file = text(path);
                    secret = SecretIn::KeyFile(&key_file);
                }
                TokenIn::BuiltIn { folder: module, create: may_create.then_some(label) }
            }
        };
        let pin_in_doubt = pins::begin(&self.name);
        let user = user.as_deref();
        let network = program.network;
        let request = OpenRequest { repository, user, token, secret, pin_in_doubt, network };
        let result = Host::start(&self.place, program, &request, deadlines.answer);
        match &result {
            // Nobody knows whether the PIN was offered: it stays in doubt.
            Err(SlotError::HostEnded { .. } | SlotError::HostSilent { .. }) => {}
            Err(SlotError::PinRejected { .. }) => pins::end(&self.name, pin),
            _ => pins::end(&self.name, None),
        }
        result
    }

    // A poisoned lock only means that a thread panicked between two whole changes.
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, BTreeSet<KeyId>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_seen<'a>(&self, keys: impl Iterator<Item = &'a KeyId>) {
        let mut seen = self.seen();
        for key in keys {
            if seen.len() < WITNESSES_MAX {
                seen.insert(key.clone());
            }
        }
    }

    fn check_honest(&self) -> Result<(), SlotError> {
        self.lie.get().map_or(Ok(()), |lie| Err(lie.clone()))
    }
}

impl Slot for HostedSlot {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        match self.ask_one("C_GetTokenInfo", Request::Info)? {
            Answer::Info(info) => Ok(info),
            _ => Err(self.wrong_kind("C_GetTokenInfo")),
        }
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.check_honest()?;
        let operation = "C_GenerateKeyPair";
        match self.ask_one(operation, Request::Generate(request.clone()))? {
            Answer::PublicKey(key) if key.algorithm == request.algorithm => {
                self.note_seen(std::iter::once(&request.id));
                Ok(key)
            }
            _ => Err(self.wrong_kind(operation)),
        }
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        match self.ask_one("list", Request::List)? {
            Answer::Keys(keys) => {
                self.note_seen(keys.iter().map(|entry| &entry.id));
                Ok(keys)
            }
            _ => Err(self.wrong_kind("list")),
        }
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.ask_public_key(id, algorithm, Proof::Needed)
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        self.check_honest()?;
        let verifier = self.verifier(&batch.key, batch.algorithm)?;
        let signatures = self.sign_unverified(batch)?;
        let is_trusted = matches!(self.settings.token, HostedToken::BuiltIn { .. });
        let wrong = match is_trusted {
            // Our own library is checked by sample, as where it runs in this process.
            true => check::wrong_positions(&verifier, &batch.messages.slice(0, 1), &signatures),
            false => check::wrong_positions(&verifier, &batch.messages, &signatures),
        };
        match wrong.is_empty() {
            true => Ok(signatures),
            false => self.sign_again(batch, &verifier, signatures, &wrong),
        }
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        match self.ask_one("C_DestroyObject", Request::Delete { key: id.clone() })? {
            Answer::Done => {
                self.seen().remove(id);
                let mut known = self.verifiers.write().unwrap_or_else(PoisonError::into_inner);
                known.retain(|(key, _), _| key != id);
                Ok(())
            }
            _ => Err(self.wrong_kind("C_DestroyObject")),
        }
    }

    fn put_canary(&self, id: &KeyId) -> Result<(), SlotError> {
        match self.ask_one("C_CreateObject", Request::PutCanary { id: id.clone() })? {
            Answer::Done => Ok(()),
            _ => Err(self.wrong_kind("C_CreateObject")),
        }
    }

    fn shows_canary(&self, id: &KeyId) -> Result<bool, SlotError> {
        match self.ask_one("C_FindObjects", Request::ShowsCanary { id: id.clone() })? {
            Answer::Shown(is_shown) => Ok(is_shown),
            _ => Err(self.wrong_kind("C_FindObjects")),
        }
    }

    fn choose_mechanism(
        &self,
        key: &KeyId,
        algorithm: Algorithm,
    ) -> Result<Option<MechanismChoice>, SlotError> {
        let request = Request::ChooseMechanism { key: key.clone(), algorithm };
        match self.ask_one("C_Sign", request)? {
            Answer::Mechanism(choice)
                if choice.is_none_or(|choice| choice.algorithm == algorithm) =>
            {
                Ok(choice)
            }
            _ => Err(self.wrong_kind("C_Sign")),
        }
    }
}

/// Where the parts of a batch begin and end.
fn parts(inputs: &Packed) -> Vec<(usize, usize)> {
    let mut parts = Vec::with_capacity(inputs.len().div_ceil(PART_COUNT_MAX));
    let (mut start, mut length) = (0, 0);
    for (position, input) in inputs.iter().enumerate() {
        let is_full = position - start >= PART_COUNT_MAX || length + input.len() > PART_LENGTH_MAX;
        if is_full && position > start {
            parts.push((start, position));
            (start, length) = (position, 0);
        }
        length += input.len();
    }
    if inputs.len() > start {
        parts.push((start, inputs.len()));
    }
    parts
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_parts(lengths: &[usize], expected: &[(usize, usize)]) {
        let inputs: Vec<_> = lengths.iter().map(|length| vec![0; *length]).collect();
        let inputs: Packed = inputs.iter().map(Vec::as_slice).collect();
        assert_eq!(parts(&inputs), expected);
    }

    #[test]
    fn batches_are_cut_by_count_and_by_length() {
        check_parts(&[], &[]);
        check_parts(&[1; 64], &[(0, 64)]);
        check_parts(&[1; 130], &[(0, 64), (64, 128), (128, 130)]);
        check_parts(&[PART_LENGTH_MAX + 1, 1, 0], &[(0, 1), (1, 3)]);
        check_parts(&[1, PART_LENGTH_MAX, 1], &[(0, 1), (1, 2), (2, 3)]);
    }
}
