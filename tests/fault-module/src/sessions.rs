//! The sessions that went through this module: on which slot, how many, what they sign with.
//! Needed to count them, to lose them, and to sign with another key.

use cryptoki_sys::{CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_SLOT_ID};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a session signs with, from its last C_SignInit.
#[derive(Clone)]
pub(crate) struct Signing {
    pub(crate) key: CK_OBJECT_HANDLE,
    mechanism: cryptoki_sys::CK_MECHANISM_TYPE,
    /// The mechanism's parameter, as bytes.
    parameter: Vec<u8>,
}

impl Signing {
    /// # Safety
    ///
    /// The mechanism's parameter is null or has as many bytes as the mechanism says.
    pub(crate) unsafe fn of(mechanism: &CK_MECHANISM, key: CK_OBJECT_HANDLE) -> Signing {
        let parameter = match mechanism.pParameter.is_null() {
            true => Vec::new(),
            false => {
                let length = mechanism.ulParameterLen as usize;
                // SAFETY: the parameter has this many bytes, by the caller's word.
                let bytes = unsafe {
                    std::slice::from_raw_parts(mechanism.pParameter.cast::<u8>(), length)
                };
                bytes.to_vec()
            }
        };
        Signing { key, mechanism: mechanism.mechanism, parameter }
    }

    /// The mechanism again; good while `self` lives.
    pub(crate) fn mechanism(&mut self) -> CK_MECHANISM {
        let is_empty = self.parameter.is_empty();
        let parameter = self.parameter.as_mut_ptr().cast();
        CK_MECHANISM {
            mechanism: self.mechanism,
            pParameter: if is_empty { std::ptr::null_mut() } else { parameter },
            ulParameterLen: self.parameter.len() as _,
        }
    }
}

struct Session {
    slot: CK_SLOT_ID,
    signing: Option<Signing>,
}

#[derive(Default)]
struct Inner {
    open: BTreeMap<CK_SESSION_HANDLE, Session>,
    /// Sessions that are being opened.
    opening: u64,
}

/// The sessions. Its lock is held for moments, never while the real module works.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Inner>);

impl Sessions {
    /// Takes a place for a new session, if fewer than `most` are open.
    pub(crate) fn begin_opening(&self, most: u64) -> bool {
        let mut inner = self.lock();
        let is_free = inner.open.len() as u64 + inner.opening < most;
        inner.opening += u64::from(is_free);
        is_free
    }

    /// The place is a session's now, or free again.
    pub(crate) fn end_opening(&self, opened: Option<(CK_SESSION_HANDLE, CK_SLOT_ID)>) {
        let mut inner = self.lock();
        inner.opening -= 1;
        if let Some((handle, slot)) = opened {
            inner.open.insert(handle, Session { slot, signing: None });
        }
    }

    pub(crate) fn closed(&self, handle: CK_SESSION_HANDLE) {
        self.lock().open.remove(&handle);
    }

    pub(crate) fn closed_all(&self, slot: CK_SLOT_ID) {
        self.lock().open.retain(|_, session| session.slot != slot);
    }

    /// Every slot with an open session, with one of its sessions.
    pub(crate) fn slots(&self) -> BTreeMap<CK_SLOT_ID, CK_SESSION_HANDLE> {
        self.lock().open.iter().map(|(handle, session)| (session.slot, *handle)).collect()
    }

    pub(crate) fn signs_with(&self, handle: CK_SESSION_HANDLE, signing: Signing) {
        if let Some(session) = self.lock().open.get_mut(&handle) {
            session.signing = Some(signing);
        }
    }

    /// The slot of a session and what it signs with.
    pub(crate) fn signing(&self, handle: CK_SESSION_HANDLE) -> Option<(CK_SLOT_ID, Signing)> {
        let inner = self.lock();
        let session = inner.open.get(&handle)?;
        Some((session.slot, session.signing.clone()?))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while the lock is held; were it so, each field would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
