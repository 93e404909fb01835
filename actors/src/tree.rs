//! The tree as data (STYLE H5): every actor once, with parent, strategy, limits, mailbox bound
//! and stop deadline.
//!
//! ```text
//! root (one for one)
//! ├─ base (rest for one): storage
//! ├─ slots (one for one, all at once): slot <repository> ...
//! ├─ stages (one for one, all at once): fetch, sort, denial, sign, audit, publish
//! ├─ parent
//! ├─ enforcer
//! ├─ auditor
//! ├─ zones (one for one, all at once): zone <name> ...
//! ├─ transfers
//! ├─ health
//! ├─ console
//! └─ catalogs
//! ```
//!
//! Elder siblings are started before younger ones and stopped after them. Restart limits: five a
//! minute for each actor, six an hour for each supervisor; one zone or slot that goes on failing
//! is given up without touching the others.

use crate::runtime::{ChildSpec, OnLimit, RestartLimits, StartOrder, Strategy, SupervisorSpec};
use std::time::Duration;

/// Supervisors may restart this often before their failure goes further up.
const SUPERVISOR_LIMITS: RestartLimits =
    RestartLimits { restarts_max: 6, period: Duration::from_secs(3600), ..RestartLimits::DEFAULT };

fn supervisor(name: &'static str, strategy: Strategy, start_order: StartOrder) -> SupervisorSpec {
    SupervisorSpec { start_order, limits: SUPERVISOR_LIMITS, ..SupervisorSpec::new(name, strategy) }
}

/// The root.
pub fn root() -> SupervisorSpec {
    supervisor("root", Strategy::OneForOne, StartOrder::OneAfterAnother)
}

/// What everything else stands on.
pub fn base() -> SupervisorSpec {
    supervisor("base", Strategy::RestForOne, StartOrder::OneAfterAnother)
}

/// The slots.
pub fn slots() -> SupervisorSpec {
    supervisor("slots", Strategy::OneForOne, StartOrder::AllAtOnce)
}

/// The stages.
pub fn stages() -> SupervisorSpec {
    supervisor("stages", Strategy::OneForOne, StartOrder::AllAtOnce)
}

/// The zones.
pub fn zones() -> SupervisorSpec {
    supervisor("zones", Strategy::OneForOne, StartOrder::AllAtOnce)
}

/// The storage actor: every zone may have a few requests waiting.
pub fn storage() -> ChildSpec {
    ChildSpec { mailbox_bound: 65_536, ..ChildSpec::new("storage") }
}

/// The slot actor of a repository.
pub fn slot(repository: &str) -> ChildSpec {
    let spec = ChildSpec::new("slot").named(format!("slot {repository}"));
    ChildSpec { mailbox_bound: 65_536, on_limit: OnLimit::GiveUp, ..spec }
}

/// The actor of a stage: every zone may have a ticket waiting.
pub fn stage(name: &'static str) -> ChildSpec {
    ChildSpec { mailbox_bound: 65_536, ..ChildSpec::new(name) }
}

/// The enforcer.
pub fn enforcer() -> ChildSpec {
    ChildSpec { mailbox_bound: 65_536, ..ChildSpec::new("enforcer") }
}

/// Who asks parents what DS they show: when it goes on failing, steps of a DS wait, and all else
/// goes on.
pub fn parent() -> ChildSpec {
    ChildSpec { mailbox_bound: 65_536, on_limit: OnLimit::GiveUp, ..ChildSpec::new("parent") }
}

/// The watcher of the auditor: when it goes on failing, versions are judged without its tests, and
/// the health table shows it.
pub fn auditor() -> ChildSpec {
    ChildSpec { on_limit: OnLimit::GiveUp, ..ChildSpec::new("auditor") }
}

/// The transfer server: when it goes on failing, zones are signed without being served, and the
/// health table shows it.
pub fn transfers() -> ChildSpec {
    ChildSpec { on_limit: OnLimit::GiveUp, ..ChildSpec::new("transfers") }
}

/// The watcher of everybody's health: when it goes on failing, verdicts are critical by age, and
/// all else goes on.
pub fn health() -> ChildSpec {
    ChildSpec { on_limit: OnLimit::GiveUp, ..ChildSpec::new("health") }
}

/// The console: when it goes on failing, signing goes on without it.
pub fn console() -> ChildSpec {
    ChildSpec { on_limit: OnLimit::GiveUp, ..ChildSpec::new("console") }
}

/// Who goes by catalog zones: when it goes on failing, zones neither come nor go with them, and the
/// health table shows it.
pub fn catalogs() -> ChildSpec {
    ChildSpec { on_limit: OnLimit::GiveUp, ..ChildSpec::new("catalogs") }
}

/// The actor of a zone.
pub fn zone(name: &str) -> ChildSpec {
    let spec = ChildSpec::new("zone").named(format!("zone {name}"));
    ChildSpec { on_limit: OnLimit::GiveUp, ..spec }
}
