//! Loading PKCS#11 libraries. PKCS#11 v3.1 §5.4 (C_Initialize), §5.5 (slots and tokens).
//!
//! A library's state belongs to the process: loaded twice it refuses its second C_Initialize, and
//! login is per token and process. So this file keeps the one process-wide registry of this
//! crate, from path to library; several repositories may share an entry. A library is never
//! unloaded: some crash then, and the process that holds it ends instead. It is finalised only
//! by a slot that has the process to itself (rule HSM-6).

use super::fault;
use super::raw::{Functions, Token};
use crate::error::{Cause, Place, SlotError};
use crate::pin::Pin;
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::slot::Slot;
use cryptoki_sys::CKF_TOKEN_INITIALIZED;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A library, loaded and initialised.
pub(super) struct Module {
    pub(super) context: Pkcs11,
    /// What does not go through cryptoki.
    pub(super) functions: Functions,
    /// What C_Initialize is given beyond the standard.
    parameters: Option<CString>,
    /// The PIN that a token refused, by its label: it is not offered again in this process.
    refused: Mutex<BTreeMap<String, Arc<Pin>>>,
}

/// The library at this path, loaded now or before.
pub(super) fn load(
    place: &Place,
    path: &Path,
    parameters: Option<&str>,
) -> Result<Arc<Module>, SlotError> {
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
    let unusable =
        |cause| SlotError::ModuleUnusable { place: place.clone(), path: text.clone(), cause };
    let context = Pkcs11::new(&real).map_err(|error| unusable(Cause::of(error)))?;
    let functions = Functions::of(&real)
        .ok_or_else(|| unusable(Cause::of("it has not the functions of PKCS#11 v2.40")))?;
    let parameters = parameters.map(CString::new).transpose();
    let parameters = parameters
        .map_err(|error| unusable(Cause::of(format_args!("<ModuleParameters>: {error}"))))?;
    let module = Module { context, functions, parameters, refused: Mutex::default() };
    module.begin().map_err(|error| match is_passing(&error) {
        true => SlotError::ModuleFault {
            place: place.clone(),
            operation: "C_Initialize",
            cause: Cause::of(error),
        },
        false => unusable(Cause::of(error)),
    })?;
    let module = Arc::new(module);
    loaded.insert(real, Arc::clone(&module));
    Ok(module)
}

/// Whether a module that does not begin may do so later: its device is away, or not well.
fn is_passing(error: &Error) -> bool {
    matches!(
        fault::return_value(error),
        Some(
            RvError::DeviceRemoved
                | RvError::DeviceError
                | RvError::TokenNotPresent
                | RvError::GeneralError
                | RvError::FunctionFailed
                | RvError::HostMemory
        )
    )
}

impl Module {
    /// C_Finalize and C_Initialize. The caller has seen to it that no call is under way and that
    /// no session is left: a handle of before may be another session's afterwards.
    pub(super) fn reinitialise(&self) -> Result<(), Error> {
        // Whatever it says: a module that has lost its state cannot end it either.
        let _ = self.context.clone().finalize();
        self.begin()
    }

    fn begin(&self) -> Result<(), Error> {
        match self.functions.initialise(self.parameters.as_deref()) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// C_Finalize, for good.
    pub(super) fn finalise(&self) {
        let _ = self.context.clone().finalize();
    }

    /// The slot of the one token with the label of `place`, and with this serial number where one
    /// is named. Each slot is asked on its own: one that answers badly must not hide the others.
    pub(super) fn find_token(
        &self,
        place: &Place,
        serial: Option<&str>,
    ) -> Result<(Slot, Token), SlotError> {
        let slots = self.context.get_all_slots().map_err(|error| SlotError::ModuleFault {
            place: place.clone(),
            operation: "C_GetSlotList",
            cause: Cause::of(error),
        })?;
        let mut labels = Vec::new();
        let mut unreadable = 0;
        let mut found = Vec::new();
        for slot in slots {
            match self.functions.token(slot) {
                Ok(token) if token.has(CKF_TOKEN_INITIALIZED) => {
                    labels.push(token.label.clone());
                    if token.label == place.token {
                        found.push((slot, token));
                    }
                }
                Ok(_) | Err(Error::Pkcs11(RvError::TokenNotPresent, _)) => {}
                Err(_) => unreadable += 1,
            }
        }
        let place = place.clone();
        let serials: Vec<_> = found.iter().map(|(_, token)| token.serial.clone()).collect();
        if let Some(expected) = serial {
            found.retain(|(_, token)| token.serial == expected);
            if found.is_empty() && !serials.is_empty() {
                let expected = expected.to_owned();
                return Err(SlotError::TokenReplaced { place, expected, found: serials });
            }
        }
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (None, _) => Err(SlotError::TokenMissing { place, labels, unreadable }),
            (Some(_), others) => {
                Err(SlotError::TokenAmbiguous { place, count: others + 1, serials })
            }
        }
    }

    /// Whether the token has already refused this PIN in this process.
    pub(super) fn has_refused(&self, token: &str, pin: &Pin) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(token).is_some_and(|refused| refused.is_same(pin))
    }

    /// Remembers that the token refused this PIN.
    pub(super) fn remember_refused(&self, token: &str, pin: &Arc<Pin>) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(token.to_owned(), Arc::clone(pin));
    }
}
