//! What this process knows of PINs that did not open their tokens. A host forgets when it ends, so
//! the parent remembers: a PIN that was refused is never offered again, whichever host or slot
//! object would (a token locks itself after a few wrong tries).

use crate::pin::Pin;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token as far as PINs are concerned: module or folder, and label.
pub(super) type TokenName = (String, String);

#[derive(Default)]
struct History {
    refused: Option<Arc<Pin>>,
    /// A host ended while it was opening the token.
    is_in_doubt: bool,
}

static HISTORY: Mutex<BTreeMap<TokenName, History>> = Mutex::new(BTreeMap::new());

/// Whether the token has refused this PIN.
pub(super) fn is_refused(token: &TokenName, pin: &Pin) -> bool {
    let history = lock();
    let refused = history.get(token).and_then(|history| history.refused.as_ref());
    refused.is_some_and(|refused| refused.is_same(pin))
}

/// Notes that the PIN is about to be offered; says whether that was in doubt already.
pub(super) fn begin(token: &TokenName) -> bool {
    let mut history = lock();
    let entry = history.entry(token.clone()).or_default();
    std::mem::replace(&mut entry.is_in_doubt, true)
}

/// Notes what came of it: an answer, and the PIN when it was refused.
pub(super) fn end(token: &TokenName, refused: Option<&Arc<Pin>>) {
    let mut history = lock();
    let entry = history.entry(token.clone()).or_default();
    entry.is_in_doubt = false;
    entry.refused = refused.cloned();
}

/// Forgets every PIN that was refused: an operator says that the tokens will take theirs now.
pub fn forget_refused_pins() {
    lock().clear();
}

fn lock() -> MutexGuard<'static, BTreeMap<TokenName, History>> {
    HISTORY.lock().unwrap_or_else(PoisonError::into_inner)
}
