//! The supervision tree as data (STYLE H5): what a supervisor has to know about each child.
//! In: constants from the tree. Out: the same, for guard and supervisor. Never: behaviour.

use std::borrow::Cow;
use std::time::Duration;

/// What to do with the other children when one fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Restart the failed child only.
    OneForOne,
    /// Children depend on those before them: the ones after the failed child are held, and start
    /// again in order once it is ready.
    RestForOne,
}

/// In which order a supervisor starts its children.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartOrder {
    /// A child starts when every child before it has loaded its state.
    OneAfterAnother,
    /// Children load at the same time: for many independent ones, such as zones, where a bad one
    /// must not keep the others from starting. Not with [`Strategy::RestForOne`].
    AllAtOnce,
}

/// When a child that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Always: to end is a failure.
    Permanent,
    /// After a panic only; it may end by itself.
    Transient,
    /// Never.
    Temporary,
}

/// What happens when a child exceeds its restart limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLimit {
    /// The supervisor stops its other children in reverse order and fails itself.
    Escalate,
    /// The child stays stopped and in the health table; its siblings do not notice.
    GiveUp,
}

/// How often a child may fail, and how long it pauses after each failure. The pause doubles with
/// each failure inside `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartLimits {
    /// Restarts allowed inside `period`; one failure more exceeds the limit.
    pub restarts_max: u32,
    /// The period in which failures are counted.
    pub period: Duration,
    /// Pause after the first failure.
    pub pause_first: Duration,
    /// No pause is longer.
    pub pause_max: Duration,
}

impl RestartLimits {
    /// Five restarts a minute, pauses from 100 ms to 30 s.
    pub const DEFAULT: RestartLimits = RestartLimits {
        restarts_max: 5,
        period: Duration::from_secs(60),
        pause_first: Duration::from_millis(100),
        pause_max: Duration::from_secs(30),
    };

    /// The first failure is one too many.
    pub const NEVER: RestartLimits = RestartLimits { restarts_max: 0, ..RestartLimits::DEFAULT };

    /// Pause after the `failures`-th failure inside the period; `failures` counts from 1.
    pub fn pause(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        self.pause_first.saturating_mul(1 << doublings).min(self.pause_max)
    }
}

/// One child, as its supervisor sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildSpec {
    /// Name below the supervisor, e.g. `sign` or `zone example.com`; its path is
    /// `<supervisor>/<name>`.
    pub name: Cow<'static, str>,
    /// When it is started again.
    pub lifetime: Lifetime,
    /// How often it may fail.
    pub limits: RestartLimits,
    /// What happens when it fails more often.
    pub on_limit: OnLimit,
    /// Messages its mailbox takes before a sender is refused; each sender may have one more.
    pub mailbox_bound: usize,
    /// Time it has to finish its work when told to stop.
    pub stop_deadline: Duration,
}

impl ChildSpec {
    /// A permanent child with the default limits, 64 messages and five seconds to stop.
    pub const fn new(name: &'static str) -> ChildSpec {
        ChildSpec {
            name: Cow::Borrowed(name),
            lifetime: Lifetime::Permanent,
            limits: RestartLimits::DEFAULT,
            on_limit: OnLimit::Escalate,
            mailbox_bound: 64,
            stop_deadline: Duration::from_secs(5),
        }
    }

    /// The same child under another name: for children that are added at run time.
    pub fn named(&self, name: impl Into<Cow<'static, str>>) -> ChildSpec {
        ChildSpec { name: name.into(), ..self.clone() }
    }
}

/// One supervisor. It has no stop deadline of its own: its children's add up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorSpec {
    /// Name below its parent; the root's is the first part of every path.
    pub name: Cow<'static, str>,
    /// What to do with the other children when one fails.
    pub strategy: Strategy,
    /// In which order children start.
    pub start_order: StartOrder,
    /// How often it may fail itself, by a child's escalation. The root never restarts.
    pub limits: RestartLimits,
}

impl SupervisorSpec {
    /// Children start one after another; default limits.
    pub const fn new(name: &'static str, strategy: Strategy) -> SupervisorSpec {
        SupervisorSpec {
            name: Cow::Borrowed(name),
            strategy,
            start_order: StartOrder::OneAfterAnother,
            limits: RestartLimits::DEFAULT,
        }
    }
}
