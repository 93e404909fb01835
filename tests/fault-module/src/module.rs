//! The real module behind this one, the script that is in force, and the way of every call: what
//! the script wants before it, the call itself, what the script wants after it.
//! In: calls of the table. Out: what the caller is told. A script that cannot be read ends the
//! process with the reason on standard error: a test that goes on with no faults proves nothing.

use crate::SCRIPT_VARIABLE;
use crate::names;
use crate::script::{Action, Moment, Script, ScriptError};
use crate::sessions::Sessions;
use cryptoki_sys::{
    CK_FUNCTION_LIST, CK_RV, CKR_DEVICE_REMOVED, CKR_OK, CKR_SESSION_COUNT, CKR_TOKEN_NOT_PRESENT,
};
use nix::sys::signal::{SigHandler, Signal};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Why the module cannot work at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("the environment variable {SCRIPT_VARIABLE} names no script")]
    NoScript,
    #[error("{path}: {cause}")]
    Unreadable { path: PathBuf, cause: std::io::Error },
    #[error("{path}: {cause}")]
    Script { path: PathBuf, cause: ScriptError },
    #[error("{path} is no PKCS#11 module")]
    NoModule { path: PathBuf },
}

/// The real module, and what stands between it and the caller.
pub(crate) struct Module {
    pub(crate) real: CK_FUNCTION_LIST,
    /// Keeps the functions of `real` in memory.
    _library: cryptoki_sys::Pkcs11,
    path: PathBuf,
    live: RwLock<Arc<Live>>,
    /// Calls hold it for reading while the real module works, so that sessions are not closed
    /// under a call that uses them.
    gate: RwLock<()>,
    pub(crate) sessions: Sessions,
}

/// A script in force, with what it has counted so far.
pub(crate) struct Live {
    pub(crate) script: Script,
    stamp: Stamp,
    log: Option<File>,
    /// Calls that each rule has seen.
    counts: Vec<AtomicU64>,
    unplugged: AtomicBool,
}

/// Tells one writing of the script from another.
type Stamp = Option<(u64, i64, i64, u64)>;

/// One call under way.
pub(crate) struct Call<'a> {
    pub(crate) module: &'static Module,
    pub(crate) live: &'a Live,
    /// What the script wants of this call.
    pub(crate) actions: Vec<&'a Action>,
}

static MODULE: OnceLock<Result<Module, LoadError>> = OnceLock::new();

/// Reads the script and loads the real module, once.
pub(crate) fn load() -> Result<&'static Module, &'static LoadError> {
    MODULE.get_or_init(Module::load).as_ref()
}

/// One call of `function`: `forward` hands it to the real module.
pub(crate) fn pass(function: &'static str, forward: impl FnOnce(&Call) -> CK_RV) -> CK_RV {
    pass_and_end(function, forward, |_| {})
}

/// The same; `end` runs last, whether the real module has heard of the call or not.
pub(crate) fn pass_and_end(
    function: &'static str,
    forward: impl FnOnce(&Call) -> CK_RV,
    end: impl FnOnce(&Call),
) -> CK_RV {
    // Callers have the table from C_GetFunctionList, which gives it out only after this worked.
    let module = load().expect("the module was loaded before its table was given out");
    let live = module.live();
    let call = Call { module, live: &live, actions: live.due(function) };
    let value = call.carry_out(function, forward);
    end(&call);
    live.note(function, names::of_return_value(value));
    value
}

impl Module {
    fn load() -> Result<Module, LoadError> {
        let path = std::env::var_os(SCRIPT_VARIABLE).map(PathBuf::from);
        let path = path.ok_or(LoadError::NoScript)?;
        let live = Live::read(&path)?;
        let real = &live.script.module;
        let no_module = || LoadError::NoModule { path: real.clone() };
        // SAFETY: the file is a PKCS#11 module by the word of the test's author; loading it runs
        // its start-up code, as loading any module does.
        let library = unsafe { cryptoki_sys::Pkcs11::new(real) }.map_err(|_| no_module())?;
        let get_list = library.C_GetFunctionList.as_ref().map_err(|_| no_module())?;
        let mut list = std::ptr::null_mut();
        // SAFETY: the pointer may be written through.
        let value = unsafe { get_list(&mut list) };
        if value != CKR_OK || list.is_null() {
            return Err(no_module());
        }
        // SAFETY: C_GetFunctionList said that it gives a function list, and it is not null.
        let real = unsafe { *list };
        Ok(Module {
            real,
            _library: library,
            path,
            live: RwLock::new(Arc::new(live)),
            gate: RwLock::default(),
            sessions: Sessions::default(),
        })
    }

    /// The script in force, read anew when its file was written.
    fn live(&self) -> Arc<Live> {
        let live = Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner));
        if live.stamp == stamp(&self.path) {
            return live;
        }
        let mut place = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if place.stamp != stamp(&self.path) {
            match Live::read(&self.path) {
                Ok(new) => *place = Arc::new(new),
                Err(error) => {
                    eprintln!("fault module: {error}");
                    std::process::abort();
                }
            }
        }
        Arc::clone(&place)
    }

    /// Closes every session that was opened through this module, as a lost connection does.
    fn lose_sessions(&self) {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        for slot in self.sessions.slots().into_keys() {
            if let Some(close) = self.real.C_CloseAllSessions {
                // SAFETY: the function takes a plain number.
                unsafe { close(slot) };
            }
            self.sessions.closed_all(slot);
        }
    }

    fn lose_login(&self) {
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        for session in self.sessions.slots().into_values() {
            if let Some(logout) = self.real.C_Logout {
                // SAFETY: the function takes a plain number.
                unsafe { logout(session) };
            }
        }
    }
}

impl Live {
    fn read(path: &Path) -> Result<Live, LoadError> {
        let unreadable = |cause| LoadError::Unreadable { path: path.to_owned(), cause };
        let stamp = stamp(path);
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let script = Script::parse(&text)
            .map_err(|cause| LoadError::Script { path: path.to_owned(), cause })?;
        let append = |path| File::options().create(true).append(true).open(path);
        let log = script.log.as_ref().map(append).transpose().map_err(unreadable)?;
        let counts = script.rules.iter().map(|_| AtomicU64::new(0)).collect();
        Ok(Live { script, stamp, log, counts, unplugged: AtomicBool::new(false) })
    }

    /// Counts the call in every rule that is about it, and says what they want of it.
    fn due(&self, function: &'static str) -> Vec<&Action> {
        let mut due = Vec::new();
        for (index, (rule, count)) in self.script.rules.iter().zip(&self.counts).enumerate() {
            if rule.function.is_some_and(|name| name != function) {
                continue;
            }
            let count = count.fetch_add(1, Ordering::Relaxed) + 1;
            if rule.when.is_now(count, self.script.seed, index) {
                due.push(&rule.action);
            }
        }
        due
    }

    /// One line of the log. One write each, so that lines of several threads stay whole.
    fn note(&self, function: &str, what: &str) {
        if let Some(mut log) = self.log.as_ref()
            && let Err(error) = log.write_all(format!("{function} {what}\n").as_bytes())
        {
            eprintln!("fault module: log: {error}");
            std::process::abort();
        }
    }
}

impl Call<'_> {
    /// Whether the script wants this of the call.
    pub(crate) fn has(&self, action: &Action) -> bool {
        self.actions.contains(&action)
    }

    fn carry_out(&self, function: &'static str, forward: impl FnOnce(&Call) -> CK_RV) -> CK_RV {
        for action in &self.actions {
            if let Some(value) = self.before(function, action) {
                return value;
            }
        }
        if self.live.unplugged.load(Ordering::Relaxed)
            && let Some(value) = answer_of_a_missing_token(function)
        {
            return value;
        }
        let gate = self.module.gate.read().unwrap_or_else(PoisonError::into_inner);
        let mut value = forward(self);
        drop(gate);
        for action in &self.actions {
            match action {
                Action::Then(told) => value = *told,
                Action::AbortAfter => {
                    self.live.note(function, "ends the process");
                    end_process(action);
                }
                Action::Unplug(Moment::During) => {
                    self.unplug();
                    value = answer_of_a_missing_token(function).unwrap_or(value);
                }
                Action::Unplug(Moment::After) => self.unplug(),
                _ => {}
            }
        }
        value
    }

    /// What is done before the call; a value when the call goes no further.
    fn before(&self, function: &'static str, action: &Action) -> Option<CK_RV> {
        match action {
            Action::Return(value) => return Some(*value),
            // The lie about a key pair needs two handles: `lies` tells it.
            Action::Claim if function != "C_GenerateKeyPair" => return Some(CKR_OK),
            Action::Sessions(0) if function == "C_OpenSession" => return Some(CKR_SESSION_COUNT),
            Action::Delay(time) => std::thread::sleep(*time),
            Action::Stall(most) => {
                self.live.note(function, "stalls");
                self.stall(*most);
            }
            Action::Abort | Action::Segfault | Action::Exit(_) => {
                self.live.note(function, "ends the process");
                end_process(action);
            }
            Action::Print(text) => {
                // Whether anybody reads it does not matter to a library that talks.
                writeln!(std::io::stdout(), "{text}").ok();
            }
            Action::Try(attempt) => self.live.note(function, &attempt.carry_out()),
            Action::IgnoreSigterm => {
                // SAFETY: ignoring a signal runs no code of ours in a handler.
                let ignored =
                    unsafe { nix::sys::signal::signal(Signal::SIGTERM, SigHandler::SigIgn) };
                ignored.expect("SIGTERM can be ignored");
            }
            Action::LoseSessions => self.module.lose_sessions(),
            Action::LoseLogin => self.module.lose_login(),
            Action::Unplug(Moment::Before) => self.unplug(),
            _ => {}
        }
        None
    }

    fn unplug(&self) {
        self.live.unplugged.store(true, Ordering::Relaxed);
        self.module.lose_sessions();
    }

    /// Waits until the script's file changes, or for this long.
    fn stall(&self, most: Option<Duration>) {
        let begin = Instant::now();
        while stamp(&self.module.path) == self.live.stamp {
            if most.is_some_and(|most| begin.elapsed() >= most) {
                return;
            }
            std::thread::sleep(STALL_STEP);
        }
    }
}

/// How often a call that stalls looks whether the script has changed.
const STALL_STEP: Duration = Duration::from_millis(1);

fn end_process(action: &Action) {
    match action {
        Action::Exit(status) => std::process::exit(*status),
        Action::Segfault => {
            let nowhere = std::ptr::without_provenance_mut::<u8>(8);
            // SAFETY: none, on purpose: the first page is never mapped, so the process ends here
            // by SIGSEGV as it does when a vendor's library has such a fault.
            unsafe { nowhere.write_volatile(0) };
        }
        _ => std::process::abort(),
    }
}

/// What functions say when the token was pulled out; `None` for those that do not need it.
fn answer_of_a_missing_token(function: &str) -> Option<CK_RV> {
    match function {
        "C_Initialize" | "C_Finalize" | "C_GetInfo" | "C_GetSlotList" | "C_GetSlotInfo"
        | "C_GetFunctionList" | "C_WaitForSlotEvent" => None,
        "C_GetTokenInfo" | "C_GetMechanismList" | "C_GetMechanismInfo" | "C_InitToken"
        | "C_OpenSession" | "C_CloseAllSessions" => Some(CKR_TOKEN_NOT_PRESENT),
        _ => Some(CKR_DEVICE_REMOVED),
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec(), file.size()))
}
