//! Loading PKCS#11 libraries. PKCS#11 v3.1 §5.4 (C_Initialize), §5.5 (slots and tokens).
//!
//! A library's state belongs to the process: loaded twice it refuses its second C_Initialize, and
//! login is per token and process. So this file keeps the one process-wide registry of this
//! crate, from path to library; several repositories may share an entry. A library is never
//! finalised or unloaded: some crash then, and the process that holds it ends instead.

use crate::error::{Cause, Place, SlotError};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::slot::{Slot, TokenInfo};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A library, loaded and initialised.
pub(super) struct Module {
    pub(super) context: Pkcs11,
    /// The PIN that a token refused, by its label: it is not offered again in this process.
    refused: Mutex<BTreeMap<String, SecretString>>,
}

/// The library at this path, loaded now or before.
pub(super) fn load(place: &Place, path: &Path) -> Result<Arc<Module>, SlotError> {
    let text = path.display().to_string();
    // The file is looked at first, so that "not there" and "not a library" are told apart.
    let real = std::fs::canonicalize(path).map_err(|error| SlotError::ModuleMissing {
        place: place.clone(),
        path: text.clone(),
        cause: Cause::of(error),
    })?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(module) = loaded.get(&real) {
        return Ok(Arc::clone(module));
    }
    let context = initialise(&real).map_err(|error| SlotError::ModuleUnusable {
        place: place.clone(),
        path: text,
        cause: Cause::of(error),
    })?;
    let module = Arc::new(Module { context, refused: Mutex::default() });
    loaded.insert(real, Arc::clone(&module));
    Ok(module)
}

fn initialise(path: &Path) -> Result<Pkcs11, Error> {
    let context = Pkcs11::new(path)?;
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(context),
        Err(error) => Err(error),
    }
}

impl Module {
    /// The slot of the one token with the label of `place`. Each slot is asked on its own: one
    /// that answers badly must not hide the others.
    pub(super) fn find_token(&self, place: &Place) -> Result<(Slot, TokenInfo), SlotError> {
        let slots = self.context.get_all_slots().map_err(|error| SlotError::ModuleFault {
            place: place.clone(),
            operation: "C_GetSlotList",
            cause: Cause::of(error),
        })?;
        let mut labels = Vec::new();
        let mut unreadable = 0;
        let mut found = Vec::new();
        for slot in slots {
            match self.context.get_token_info(slot) {
                Ok(token) if token.token_initialized() => {
                    labels.push(token.label().to_owned());
                    if token.label() == place.token {
                        found.push((slot, token));
                    }
                }
                Ok(_) | Err(Error::Pkcs11(RvError::TokenNotPresent, _)) => {}
                Err(_) => unreadable += 1,
            }
        }
        let place = place.clone();
        match found.len() {
            1 => found.pop().ok_or(SlotError::TokenMissing { place, labels, unreadable }),
            0 => Err(SlotError::TokenMissing { place, labels, unreadable }),
            count => Err(SlotError::TokenAmbiguous { place, count, labels }),
        }
    }

    /// Whether the token has already refused this PIN in this process.
    pub(super) fn has_refused(&self, token: &str, pin: &SecretString) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(token).is_some_and(|refused| {
            let [refused, pin] = [refused, pin].map(|pin| pin.expose_secret().as_bytes());
            verify_slices_are_equal(refused, pin).is_ok()
        })
    }

    /// Remembers that the token refused this PIN.
    pub(super) fn remember_refused(&self, token: &str, pin: &SecretString) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(token.to_owned(), pin.clone());
    }
}
