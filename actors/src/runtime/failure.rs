//! Why an actor failed, and how a panic becomes data.
//! In: panics inside [`caught`]. Out: [`Failure`] with text and place in the source.
//! Never: a panic that passes [`caught`]. Limit: `panic = "unwind"` must stay in every profile.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::{Arc, Once};
use std::time::Duration;

/// A panic as data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panic at {place}: {text}")]
pub struct Panicked {
    /// The panic's message.
    pub text: Arc<str>,
    /// `file:line:column`, or `unknown place` for a panic that bypassed the hook.
    pub place: Arc<str>,
}

/// Why a child failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Its code panicked: a bug.
    #[error(transparent)]
    Panic(#[from] Panicked),
    /// A permanent child ended by itself.
    #[error("ended although it is permanent")]
    Ended,
    /// It was still busy at its stop deadline and was terminated.
    #[error("not stopped within {deadline:?}")]
    StopDeadline {
        /// The deadline of its specification.
        deadline: Duration,
    },
    /// It failed more often than its restart limits allow.
    #[error("{child} failed {failures} times within {period:?}, last: {last}")]
    LimitExceeded {
        /// Path of the child.
        child: Arc<str>,
        /// Failures inside the period, the last one included.
        failures: u32,
        /// The period of its restart limits.
        period: Duration,
        /// The failure that was one too many.
        last: Box<Failure>,
    },
    /// The thread that ran it has ended.
    #[error("{child} lost its arbiter")]
    ArbiterGone {
        /// Path of the child.
        child: Arc<str>,
    },
}

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
    static PLACE: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Makes panics inside supervised code silent and remembers where they happened; all other
/// panics go to the hook that was there before. Called by every supervisor and pool; idempotent.
pub(super) fn install_panic_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| remember_or(info, &before)));
    });
}

fn remember_or(info: &PanicHookInfo<'_>, before: &dyn Fn(&PanicHookInfo<'_>)) {
    if INSIDE.get() == 0 {
        return before(info);
    }
    let place = info.location().map(|at| Arc::from(at.to_string()));
    PLACE.with(|cell| *cell.borrow_mut() = place);
}

/// Runs `code`; a panic in it becomes an error.
pub(super) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, Panicked> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            INSIDE.set(INSIDE.get() - 1);
        }
    }
    INSIDE.set(INSIDE.get() + 1);
    let _leave = Leave;
    // The caller throws the torn state away or resets it (see `guard.rs`), so nobody sees it.
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let place = PLACE.with(|cell| cell.borrow_mut().take());
        let panicked = Panicked {
            text: text_of(payload.as_ref()).into(),
            place: place.unwrap_or_else(|| "unknown place".into()),
        };
        // A payload may panic when dropped; that second panic carries nothing we need.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(payload)));
        panicked
    })
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
