//! The sessions of one token: login once, one session per caller at a time, bounded.
//! PKCS#11 v3.1 §5.6; rules HSM-2, HSM-6 and the PIN budget of one try.
//!
//! An anchor session stays open, since the login ends with the last session. Everything that
//! depends on the login (sessions, object handles) belongs to a *generation*; when a session is
//! lost, the generation ends and the next begins with a new search for the token and a new login.
//! A slot that has its process to itself may also finalise and initialise the module: then every
//! call has ended and every session is closed before.

use super::fault::{self, to_slot_error};
use super::mechanisms::Mechanisms;
use super::module::{self, Module};
use super::raw::Token;
use super::{Options, Pkcs11Settings};
use crate::error::{Cause, PinTries, Place, SlotError};
use crate::pin::Pin;
use crate::slot::MechanismChoice;
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::Slot;
use cryptoki_sys::{
    CKF_LOGIN_REQUIRED, CKF_PROTECTED_AUTHENTICATION_PATH, CKF_USER_PIN_COUNT_LOW,
    CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED,
};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
};
use std::time::Duration;

/// How long a caller waits for a free session.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The pool.
pub(super) struct Sessions {
    pub(super) place: Place,
    pub(super) module: Arc<Module>,
    pin: Option<Arc<Pin>>,
    /// Serial number that the token has to have.
    serial: Option<String>,
    /// Mechanisms that were found out before.
    chosen: Vec<MechanismChoice>,
    options: Options,
    state: Mutex<State>,
    freed: Condvar,
    /// Read while the module is called, written while it is finalised and initialised.
    calls: RwLock<()>,
    /// Nothing has succeeded since the module was initialised anew.
    is_unproven: AtomicBool,
}

struct State {
    generation: u64,
    /// How often the module has been initialised anew.
    module_generation: u64,
    slot: Slot,
    login_required: bool,
    mechanisms: Arc<Mechanisms>,
    /// Whether the login stands; after one that failed the next caller tries to connect again.
    is_connected: bool,
    /// Keeps the login. `None` where it is lent, since the token has no other session.
    anchor: Option<Session>,
    idle: Vec<Session>,
    /// Sessions of this generation that are open, besides the anchor.
    open: usize,
    /// Most sessions besides the anchor: the setting, or less when the token has shown it.
    limit: usize,
}

/// A session for one caller; goes back to the pool when dropped.
pub(super) struct Lease<'a> {
    session: Option<Session>,
    pub(super) generation: u64,
    pool: &'a Sessions,
    _call: RwLockReadGuard<'a, ()>,
}

impl Sessions {
    /// Loads the module, finds the token and logs in.
    pub(super) fn connect(
        settings: &Pkcs11Settings,
        options: Options,
        pin: Option<Arc<Pin>>,
    ) -> Result<Sessions, SlotError> {
        let place =
            Place { repository: settings.repository.clone(), token: settings.token_label.clone() };
        let module = module::load(&place, &settings.module, settings.module_parameters.as_deref())?;
        let (slot, token) = module.find_token(&place, settings.known.serial.as_deref())?;
        let state = State {
            generation: 0,
            module_generation: 0,
            slot,
            login_required: token.has(CKF_LOGIN_REQUIRED),
            mechanisms: Arc::new(Mechanisms::read(
                &module.context,
                slot,
                &settings.known.mechanisms,
            )),
            is_connected: false,
            anchor: None,
            idle: Vec::new(),
            open: 0,
            limit: session_limit(settings.sessions_max, &token),
        };
        let pool = Sessions {
            place,
            module,
            pin,
            serial: settings.known.serial.clone(),
            chosen: settings.known.mechanisms.clone(),
            options,
            state: Mutex::new(state),
            freed: Condvar::new(),
            calls: RwLock::new(()),
            is_unproven: AtomicBool::new(false),
        };
        pool.begin_generation(&mut pool.lock())?;
        Ok(pool)
    }

    /// What the token can sign with.
    pub(super) fn mechanisms(&self) -> Arc<Mechanisms> {
        self.lock().mechanisms.clone()
    }

    /// Whether the module may be initialised anew.
    pub(super) fn owns_process(&self) -> bool {
        self.options.owns_process
    }

    /// What is known beyond the settings.
    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// How often the module has been initialised anew.
    pub(super) fn module_generation(&self) -> u64 {
        self.lock().module_generation
    }

    /// Says that something succeeded.
    pub(super) fn prove(&self) {
        if self.is_unproven.load(Ordering::Relaxed) {
            self.is_unproven.store(false, Ordering::Relaxed);
        }
    }

    /// Ends the module and begins it anew, unless another caller has done so since
    /// `module_generation` was asked for.
    /// `Ok(false)` when that is not allowed: other slots may live in this process, or it has not
    /// helped the last time, which is no reason while the token is away.
    pub(super) fn reinitialise(
        &self,
        module_generation: u64,
        is_away: bool,
    ) -> Result<bool, SlotError> {
        if !self.options.owns_process {
            return Ok(false);
        }
        let _no_calls = self.write_calls();
        let mut state = self.lock();
        if state.module_generation != module_generation {
            return Ok(true);
        }
        if self.is_unproven.swap(true, Ordering::Relaxed) && !is_away {
            return Ok(false);
        }
        state.module_generation += 1;
        // All leases have ended, so these are all sessions there are.
        state.idle.clear();
        state.anchor = None;
        state.is_connected = false;
        self.module.reinitialise().map_err(|error| SlotError::ModuleFault {
            place: self.place.clone(),
            operation: "C_Initialize",
            cause: Cause::of(error),
        })?;
        self.begin_generation(&mut state)?;
        Ok(true)
    }

    /// Closes everything, for good: the process is about to end.
    pub(super) fn close(&self) {
        let _no_calls = self.write_calls();
        let mut state = self.lock();
        state.idle.clear();
        state.anchor = None;
        self.module.finalise();
    }

    /// The token's slot and the most sessions that are used.
    pub(super) fn slot_and_limit(&self) -> (Slot, usize) {
        let state = self.lock();
        (state.slot, state.limit)
    }

    /// A session of the present generation; waits for one when all are taken.
    pub(super) fn lease(&self) -> Result<Lease<'_>, SlotError> {
        let call = self.read_calls();
        let mut state = self.lock();
        loop {
            if !state.is_connected {
                self.begin_generation(&mut state)?;
            }
            let generation = state.generation;
            if let Some(session) = state.idle.pop() {
                return Ok(self.lend(session, generation, call));
            }
            if state.open < state.limit {
                // Opened under the lock: it happens once per session, and some modules do not
                // bear it beside a login or another opening.
                match self.open_session(state.slot) {
                    Ok(session) => {
                        state.open += 1;
                        return Ok(self.lend(session, generation, call));
                    }
                    Err(error) if is_session_count(&error) && state.open > 0 => {
                        state.limit = state.open;
                    }
                    Err(error) if is_session_count(&error) && state.anchor.is_some() => {
                        let anchor = state.anchor.take();
                        state.idle.extend(anchor);
                        state.open += 1;
                        state.limit = 1;
                        continue;
                    }
                    Err(error) => {
                        return Err(to_slot_error(&self.place, "C_OpenSession", &error));
                    }
                }
            }
            let (next, wait) =
                self.freed.wait_timeout(state, WAIT_MAX).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if wait.timed_out() && state.idle.is_empty() && state.open >= state.limit {
                return Err(SlotError::SessionsBusy {
                    place: self.place.clone(),
                    waited: WAIT_MAX,
                });
            }
        }
    }

    /// Ends `generation`, unless another caller has done so already, and begins the next.
    pub(super) fn renew(&self, generation: u64) -> Result<(), SlotError> {
        let _call = self.read_calls();
        let mut state = self.lock();
        if state.generation != generation {
            return Ok(());
        }
        self.begin_generation(&mut state)
    }

    /// An error when the login is gone. Asked before every search: without the login a token hides
    /// its private keys, and "not found" would be a lie.
    pub(super) fn check_login(&self, session: &Session) -> Result<(), Error> {
        if !self.lock().login_required {
            return Ok(());
        }
        match session.get_session_info()?.session_state() {
            SessionState::RoUser | SessionState::RwUser => Ok(()),
            _ => Err(Error::Pkcs11(RvError::UserNotLoggedIn, Function::GetSessionInfo)),
        }
    }

    fn begin_generation(&self, state: &mut State) -> Result<(), SlotError> {
        state.generation += 1;
        state.open = 0;
        state.idle.clear();
        state.anchor = None;
        state.is_connected = false;
        let (slot, token) = self.module.find_token(&self.place, self.serial.as_deref())?;
        state.slot = slot;
        state.login_required = token.has(CKF_LOGIN_REQUIRED);
        state.mechanisms = Arc::new(Mechanisms::read(&self.module.context, slot, &self.chosen));
        let anchor = self
            .open_session(slot)
            .map_err(|error| to_slot_error(&self.place, "C_OpenSession", &error))?;
        self.login(&anchor, &token)?;
        state.anchor = Some(anchor);
        state.is_connected = true;
        self.freed.notify_all();
        Ok(())
    }

    fn open_session(&self, slot: Slot) -> Result<Session, Error> {
        match self.module.context.open_rw_session(slot) {
            Err(Error::Pkcs11(RvError::TokenWriteProtected, _)) => {
                self.module.context.open_ro_session(slot)
            }
            session => session,
        }
    }

    /// Logs in with the one PIN try that there is.
    fn login(&self, anchor: &Session, token: &Token) -> Result<(), SlotError> {
        let place = || self.place.clone();
        if !token.has(CKF_LOGIN_REQUIRED) {
            return Ok(());
        }
        let pin = self.pin.as_ref().filter(|pin| !pin.expose().is_empty());
        if token.has(CKF_USER_PIN_LOCKED) {
            return Err(SlotError::PinLocked { place: place() });
        }
        if token.has(CKF_USER_PIN_FINAL_TRY) {
            return Err(SlotError::PinFinalTry { place: place() });
        }
        match pin {
            None if !token.has(CKF_PROTECTED_AUTHENTICATION_PATH) => {
                return Err(SlotError::PinMissing { place: place() });
            }
            Some(pin)
                if self.module.has_refused(&self.place.token, pin)
                    || (self.options.pin_in_doubt && token.has(CKF_USER_PIN_COUNT_LOW)) =>
            {
                return Err(SlotError::PinRejected { place: place(), tries: pin_tries(token) });
            }
            _ => {}
        }
        match anchor.login(UserType::User, pin.map(|pin| pin.secret())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(error) => {
                let mut error = to_slot_error(&self.place, "C_Login", &error);
                if let (SlotError::PinRejected { tries, .. }, Some(pin)) = (&mut error, pin) {
                    self.module.remember_refused(&self.place.token, pin);
                    // Asked again: the flags count the try that was just made.
                    if let Ok((_, token)) =
                        self.module.find_token(&self.place, self.serial.as_deref())
                    {
                        *tries = pin_tries(&token);
                    }
                }
                Err(error)
            }
        }
    }

    fn lend<'a>(
        &'a self,
        session: Session,
        generation: u64,
        call: RwLockReadGuard<'a, ()>,
    ) -> Lease<'a> {
        Lease { session: Some(session), generation, pool: self, _call: call }
    }

    /// Held while the module is called outside a lease.
    pub(super) fn read_calls(&self) -> RwLockReadGuard<'_, ()> {
        self.calls.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_calls(&self) -> RwLockWriteGuard<'_, ()> {
        self.calls.write().unwrap_or_else(PoisonError::into_inner)
    }

    // A poisoned lock means that a thread panicked inside the module's wrapper. The state's
    // fields are each whole, and a wrong count only costs a session until the next generation.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    /// Closes the session instead of giving it back: it is in an unknown state.
    pub(super) fn discard(mut self) {
        self.session = None;
    }
}

impl Deref for Lease<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        // `discard` takes the lease with it, so a lease that can be used has its session.
        self.session.as_ref().expect("a lease has a session until it is dropped")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let session = self.session.take();
        let mut state = self.pool.lock();
        if state.generation != self.generation {
            return;
        }
        match session {
            Some(session) => state.idle.push(session),
            None => {
                state.open = state.open.saturating_sub(1);
                // With the anchor itself the login is gone.
                state.is_connected = state.anchor.is_some();
            }
        }
        drop(state);
        self.pool.freed.notify_one();
    }
}

/// The anchor takes one of the token's sessions. Where there is only one, it is lent.
fn session_limit(setting: usize, token: &Token) -> usize {
    let token_limit = token.sessions_max.map_or(usize::MAX, |count| count.saturating_sub(1));
    setting.min(token_limit).max(1)
}

/// What the token's flags say about further PIN tries (PKCS#11 v3.1 §3.2).
fn pin_tries(token: &Token) -> PinTries {
    match token {
        token if token.has(CKF_USER_PIN_LOCKED) => PinTries::None,
        token if token.has(CKF_USER_PIN_FINAL_TRY) => PinTries::One,
        token if token.has(CKF_USER_PIN_COUNT_LOW) => PinTries::Low,
        _ => PinTries::Unknown,
    }
}

fn is_session_count(error: &Error) -> bool {
    matches!(fault::return_value(error), Some(RvError::SessionCount))
}
