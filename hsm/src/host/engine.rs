//! What a host hosts: a PKCS#11 slot or a built-in token, and how it does each request.

use crate::builtin::{BuiltinToken, Unlock, create_key_file};
use crate::error::{Cause, Place, SlotError};
use crate::packed::Packed;
use crate::pin::Pin;
use crate::pkcs11::{Options, Pkcs11Settings, Pkcs11Slot};
use crate::protocol::{Answer, OpenRequest, Opened, Proof, Request, SecretIn, TokenIn};
use crate::slot::{KnownToken, Slot};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use secrecy::SecretString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;

/// The token of a host.
pub(super) enum Engine {
    Pkcs11(Box<Pkcs11Slot>),
    BuiltIn(Box<BuiltinToken>),
}

impl Engine {
    /// Opens what is asked for.
    pub(super) fn open(request: &OpenRequest<'_>) -> Result<Engine, SlotError> {
        match &request.token {
            TokenIn::Pkcs11 {
                module,
                label,
                serial,
                parameters,
                mechanisms,
                skip_public_key,
                allow_extraction,
                sessions_max,
                capacity,
                witnesses,
            } => {
                let settings = Pkcs11Settings {
                    repository: request.repository.to_owned(),
                    module: PathBuf::from(module),
                    token_label: (*label).to_owned(),
                    pin: None,
                    skip_public_key: *skip_public_key,
                    allow_extraction: *allow_extraction,
                    sessions_max: *sessions_max as usize,
                    module_parameters: parameters.map(str::to_owned),
                    known: KnownToken {
                        serial: serial.map(str::to_owned),
                        mechanisms: mechanisms.clone(),
                    },
                };
                let options = Options {
                    capacity: capacity.map(|count| count as usize),
                    owns_process: true,
                    pin_in_doubt: request.pin_in_doubt,
                    witnesses: witnesses.iter().filter_map(|id| KeyId::new(id)).collect(),
                };
                let pin = locked_pin(request)?;
                let slot = Pkcs11Slot::open_with(&settings, options, pin)?;
                Ok(Engine::Pkcs11(Box::new(slot)))
            }
            TokenIn::BuiltIn { folder, create } => {
                open_builtin(request, Path::new(folder), *create)
            }
        }
    }

    /// What the parent has to know of the token.
    pub(super) fn opened(&self) -> Result<Opened, SlotError> {
        let info = self.slot().info()?;
        let whole_messages = match self {
            Engine::Pkcs11(slot) => {
                slot.whole_messages().into_iter().map(Algorithm::number).collect()
            }
            // The library hashes while it signs.
            Engine::BuiltIn(_) => {
                (0..=u8::MAX).filter(|number| Algorithm::from_number(*number).is_some()).collect()
            }
        };
        Ok(Opened { label: info.label, whole_messages })
    }

    /// How many requests can be worked on at once.
    pub(super) fn session_count(&self) -> usize {
        match self {
            Engine::Pkcs11(slot) => slot.session_count_max(),
            Engine::BuiltIn(_) => available_parallelism().map_or(1, usize::from),
        }
    }

    /// Does anything but signing.
    pub(super) fn answer(&self, request: &Request) -> Answer {
        let slot = self.slot();
        let result = match request {
            Request::Info => slot.info().map(Answer::Info),
            Request::Generate(request) => slot.generate(request).map(Answer::PublicKey),
            Request::List => slot.list().map(Answer::Keys),
            Request::PublicKey { key, algorithm, proof } => {
                self.public_key(key, *algorithm, *proof).map(Answer::PublicKey)
            }
            Request::Delete { key } => slot.delete(key).map(|()| Answer::Done),
            Request::PutCanary { id } => slot.put_canary(id).map(|()| Answer::Done),
            Request::ShowsCanary { id } => slot.shows_canary(id).map(Answer::Shown),
            Request::ChooseMechanism { key, algorithm } => {
                slot.choose_mechanism(key, *algorithm).map(Answer::Mechanism)
            }
            Request::Sign { key, algorithm, inputs } => {
                self.sign(key, *algorithm, inputs, 0..inputs.len()).map(Answer::Signatures)
            }
        };
        result.unwrap_or_else(Answer::Failed)
    }

    fn public_key(
        &self,
        key: &KeyId,
        algorithm: Algorithm,
        proof: Proof,
    ) -> Result<PublicKey, SlotError> {
        match (self, proof) {
            (Engine::Pkcs11(slot), Proof::Follows) => slot.public_key_unproven(key, algorithm),
            _ => self.slot().public_key(key, algorithm),
        }
    }

    /// Signs some of the inputs.
    pub(super) fn sign(
        &self,
        key: &KeyId,
        algorithm: Algorithm,
        inputs: &Packed,
        range: Range<usize>,
    ) -> Result<Packed, SlotError> {
        match self {
            Engine::Pkcs11(slot) => slot.sign_unverified(key, algorithm, inputs, range),
            Engine::BuiltIn(token) => token.sign_unverified(key, algorithm, inputs, range),
        }
    }

    /// Ends the sessions and the module; a built-in token needs nothing.
    pub(super) fn close(&self) {
        if let Engine::Pkcs11(slot) = self {
            slot.close();
        }
    }

    fn slot(&self) -> &dyn Slot {
        match self {
            Engine::Pkcs11(slot) => &**slot,
            Engine::BuiltIn(token) => &**token,
        }
    }
}

/// The PIN, copied out of the frame into memory that is locked, or an error: a host that cannot
/// keep it out of swap does not take it.
fn locked_pin(request: &OpenRequest<'_>) -> Result<Option<Arc<Pin>>, SlotError> {
    let SecretIn::Pin(text) = request.secret else { return Ok(None) };
    let (pin, locked) = Pin::lock(SecretString::from(text));
    match locked {
        Ok(()) => Ok(Some(Arc::new(pin))),
        Err(error) => {
            let token = match request.token {
                TokenIn::Pkcs11 { label, .. } => label,
                TokenIn::BuiltIn { folder, .. } => folder,
            };
            let place =
                Place { repository: request.repository.to_owned(), token: token.to_owned() };
            let operation = "lock the PIN in memory";
            Err(SlotError::HostRefused { place, operation, cause: Cause::of(error) })
        }
    }
}

fn open_builtin(
    request: &OpenRequest<'_>,
    folder: &Path,
    create: Option<&str>,
) -> Result<Engine, SlotError> {
    let unlock = match request.secret {
        SecretIn::KeyFile(path) => Unlock::KeyFile(PathBuf::from(path)),
        SecretIn::Pin(pin) => Unlock::Pin(SecretString::from(pin)),
        SecretIn::None => Unlock::Pin(SecretString::from("")),
    };
    let repository = request.repository;
    let Some(label) = create.filter(|_| !folder.join("token").exists()) else {
        let token = BuiltinToken::open(repository, folder, &unlock)?;
        return Ok(Engine::BuiltIn(Box::new(token)));
    };
    if let Unlock::KeyFile(path) = &unlock
        && !path.exists()
        && !folder.exists()
    {
        create_key_file(repository, path)?;
    }
    let token = BuiltinToken::create(repository, folder, label, &unlock)?;
    Ok(Engine::BuiltIn(Box::new(token)))
}
