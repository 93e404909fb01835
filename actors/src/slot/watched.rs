//! An open slot with somebody who watches: when it last made a signature that verified, and what is
//! to be said of a key that it does not show (rules HSM-3, HSM-6).
//! In: requests to the slot. Out: its answers; "not found" becomes "missing, and this proves it" or
//! "unknown, since ...". Never: a second look before [`LOOKS_APART`] has passed.
//! Limit: [`UNSEEN_MAX`] keys are kept in mind.

use super::identity::TokenBook;
use crate::runtime::Clock;
use dnssec::key::{KeyId, PublicKey};
use dnssec::{Algorithm, Timestamp};
use hsm::absence::{Look, TokenIdentity, Verdict, judge};
use hsm::error::Cause;
use hsm::group::MemberStatus;
use hsm::{
    Disposition, GenerateRequest, KeyEntry, MechanismChoice, Packed, Place, SignBatch, Slot,
    SlotError, TokenInfo,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time between two looks at a token that prove that a key is missing. A zone whose run failed
/// tries again after a minute.
pub(super) const LOOKS_APART: Duration = Duration::from_secs(30);
/// Keys that were not found and may be called missing.
const UNSEEN_MAX: usize = 1000;
/// What is signed to see whether a token signs. It can pass for no RRSIG's data: the third byte
/// would be the algorithm there (RFC 4034 §3.1), and no key has algorithm 99.
const PROBE_TEXT: &[u8] = b"anchorite: this signature proves that the token signs";

/// The slot of an opening.
pub(super) struct WatchedSlot {
    inner: Arc<dyn Slot>,
    /// Who the token is; `None` when nothing can be proven of it.
    identity: Option<TokenIdentity>,
    clock: Clock,
    seen: Mutex<Seen>,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    signed: Option<Good>,
    /// A key that signs: the last one that did, or a recorded one.
    key: Option<(KeyId, Algorithm)>,
    /// Keys that were not found, with the first look that counts and the uptime then.
    unseen: BTreeMap<KeyId, (Duration, Look)>,
    work: Work,
}

/// What the token is and was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Requests under way, by number: the uptime when each began, and how many signatures it
    /// wants.
    pub under_way: BTreeMap<u64, (Duration, usize)>,
    /// How long the last one took that was answered.
    pub took: Option<Duration>,
    /// Signatures made.
    pub made: u64,
    /// Requests that failed.
    pub failed: u64,
    next: u64,
}

/// A request under way; it ends with this, a panic included.
struct UnderWay<'s> {
    slot: &'s WatchedSlot,
    number: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.slot.seen().work.under_way.remove(&self.number);
    }
}

/// When the token did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Good {
    /// By the clock's uptime.
    pub(super) uptime: Duration,
    /// By the wall clock.
    pub(super) at: Timestamp,
}

impl WatchedSlot {
    /// Watches a slot that was just opened.
    pub(super) fn new(
        repository: &str,
        inner: Arc<dyn Slot>,
        book: &TokenBook,
        clock: &Clock,
    ) -> WatchedSlot {
        // A key that cannot be read is one that is not probed with; signing goes on without.
        let key = book.keys(repository).ok().and_then(|keys| keys.into_iter().next());
        let key = key.map(|key| (key.id, key.algorithm));
        WatchedSlot {
            inner,
            identity: book.identity(repository),
            clock: clock.clone(),
            seen: Mutex::new(Seen { key, ..Seen::default() }),
        }
    }

    /// When it last signed.
    pub(super) fn last_good(&self) -> Option<Good> {
        self.seen().signed
    }

    /// What it is and was asked.
    pub(super) fn work(&self) -> Work {
        self.seen().work.clone()
    }

    /// Has the token do something that wants so many signatures, or none.
    fn at_work<T>(
        &self,
        signatures: usize,
        request: impl FnOnce(&dyn Slot) -> Result<T, SlotError>,
    ) -> Result<T, SlotError> {
        let began = self.clock.uptime();
        let number = {
            let work = &mut self.seen().work;
            work.next += 1;
            work.under_way.insert(work.next, (began, signatures));
            work.next
        };
        let under_way = UnderWay { slot: self, number };
        let result = request(self.inner.as_ref());
        drop(under_way);
        let took = self.clock.uptime().saturating_sub(began);
        let work = &mut self.seen().work;
        match &result {
            Ok(_) => {
                work.took = Some(took);
                work.made += signatures as u64;
            }
            // What it was right to refuse, such as a key that is not there, is no failure.
            Err(error) if error.disposition() == Disposition::Refuse => {}
            Err(_) => work.failed += 1,
        }
        result
    }

    /// Has the token make a signature, which is verified; one without keys says who it is.
    pub(super) fn probe(&self) -> Result<(), SlotError> {
        let key = self.seen().key.clone();
        let Some((key, algorithm)) = key else {
            self.info()?;
            self.note_good(None);
            return Ok(());
        };
        let messages = std::iter::once(PROBE_TEXT).collect();
        let result = self.sign(&SignBatch { key, algorithm, messages });
        if let Err(SlotError::NotFound { .. } | SlotError::KeyUnknown { .. }) = &result {
            // It may have been removed since; the next one is asked about then.
            self.seen().key = None;
        }
        result.map(|_| ())
    }

    fn note_good(&self, key: Option<(&KeyId, Algorithm)>) {
        let good = Good { uptime: self.clock.uptime(), at: self.clock.now() };
        let mut seen = self.seen();
        seen.signed = Some(good);
        if let Some((key, algorithm)) = key
            && seen.key.as_ref().is_none_or(|(known, of)| known != key || *of != algorithm)
        {
            seen.key = Some((key.clone(), algorithm));
        }
    }

    /// What is to be said of a key that was not found.
    fn not_found(&self, place: Place, key: KeyId) -> SlotError {
        match self.look_for(&key) {
            Ok(evidence) => SlotError::KeyMissing { place, key, evidence },
            Err(doubt) => SlotError::KeyUnknown { place, key, doubt },
        }
    }

    /// Looks at the token. Evidence that the key is missing, or why there is none.
    fn look_for(&self, key: &KeyId) -> Result<Cause, Cause> {
        let Some(identity) = &self.identity else {
            return Err(Cause::of("the token holds no object that would prove it"));
        };
        let look = Look::at(self.inner.as_ref(), &identity.canary)
            .map_err(|error| Cause::of(format_args!("it cannot be looked at: {error}")))?;
        let now = self.clock.uptime();
        let mut seen = self.seen();
        let Some((then, first)) = seen.unseen.get(key) else {
            if seen.unseen.len() < UNSEEN_MAX {
                seen.unseen.insert(key.clone(), (now, look));
            }
            return Err(once());
        };
        let apart = now.saturating_sub(*then);
        if apart < LOOKS_APART {
            return Err(once());
        }
        match judge(key, identity, [first, &look]) {
            Verdict::Missing => Ok(Cause::of(format_args!(
                "the token with serial number {} shows the object that was made in it to tell that \
                 it shows what it holds, and the same {} keys in two looks {} seconds apart, and \
                 not this one",
                identity.serial,
                look.key_count(),
                apart.as_secs()
            ))),
            Verdict::Present => {
                seen.unseen.remove(key);
                Err(Cause::of("it was shown meanwhile"))
            }
            Verdict::Unknown(doubt) => {
                seen.unseen.insert(key.clone(), (now, look));
                Err(Cause::of(doubt))
            }
        }
    }

    // A poisoned lock only means that a thread panicked between two whole changes.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn once() -> Cause {
    Cause::of(format_args!(
        "one look proves nothing, the next one counts after {} seconds",
        LOOKS_APART.as_secs()
    ))
}

impl Slot for WatchedSlot {
    fn info(&self) -> Result<TokenInfo, SlotError> {
        self.at_work(0, |slot| slot.info())
    }

    fn generate(&self, request: &GenerateRequest) -> Result<PublicKey, SlotError> {
        self.inner.generate(request)
    }

    fn list(&self) -> Result<Vec<KeyEntry>, SlotError> {
        self.at_work(0, |slot| slot.list())
    }

    fn public_key(&self, id: &KeyId, algorithm: Algorithm) -> Result<PublicKey, SlotError> {
        self.at_work(0, |slot| slot.public_key(id, algorithm))
    }

    fn sign(&self, batch: &SignBatch) -> Result<Packed, SlotError> {
        match self.at_work(batch.messages.len(), |slot| slot.sign(batch)) {
            Ok(signatures) => {
                self.note_good(Some((&batch.key, batch.algorithm)));
                Ok(signatures)
            }
            Err(SlotError::NotFound { place, key }) => Err(self.not_found(place, key)),
            Err(error) => Err(error),
        }
    }

    fn delete(&self, id: &KeyId) -> Result<(), SlotError> {
        self.inner.delete(id)
    }

    fn members(&self) -> Vec<MemberStatus> {
        self.inner.members()
    }

    fn mended(&self) {
        self.inner.mended();
    }

    fn put_canary(&self, id: &KeyId) -> Result<(), SlotError> {
        self.inner.put_canary(id)
    }

    fn shows_canary(&self, id: &KeyId) -> Result<bool, SlotError> {
        self.inner.shows_canary(id)
    }

    fn choose_mechanism(
        &self,
        key: &KeyId,
        algorithm: Algorithm,
    ) -> Result<Option<MechanismChoice>, SlotError> {
        self.inner.choose_mechanism(key, algorithm)
    }
}

#[cfg(test)]
mod tests;
