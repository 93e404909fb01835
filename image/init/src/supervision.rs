//! When a service that ended is started again, and in which order services are stopped. Pure: in:
//! how long it ran, what there is; out: a pause, an order.

use std::time::Duration;

/// A service that ran this long was healthy: its next failure is a first one.
pub(crate) const HEALTHY: Duration = Duration::from_secs(30);
/// Pause after the first failure.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_millis(100);

/// Failures in a row, and what they make of the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackOff {
    failures: u32,
    pause_max: Duration,
}

impl BackOff {
    /// Nothing has failed yet. The pause grows up to `pause_max`.
    pub(crate) fn new(pause_max: Duration) -> BackOff {
        BackOff { failures: 0, pause_max }
    }

    /// A service ended after it had run for `ran`: the pause before its next start. It doubles with
    /// each failure in a row.
    pub(crate) fn ended_after(&mut self, ran: Duration) -> Duration {
        if ran >= HEALTHY {
            self.failures = 0;
        }
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        PAUSE_FIRST.saturating_mul(factor).min(self.pause_max)
    }
}

/// What a service is, in the order of stopping: first nobody gives commands any more, then the
/// signer ends in order, then its network goes, and last who writes down what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Console,
    Remote,
    Signer,
    Network,
    Logger,
}

impl Role {
    /// All, in the order of stopping.
    pub(crate) const ALL: [Role; 5] =
        [Role::Console, Role::Remote, Role::Signer, Role::Network, Role::Logger];

    /// How long a service may take to end by itself; then it is killed.
    pub(crate) fn stop_limit(self) -> Duration {
        match self {
            Role::Console | Role::Remote => Duration::from_millis(500),
            // It finishes what it is saving; a kill would lose nothing either, but costs time at
            // the next start.
            Role::Signer => Duration::from_secs(20),
            Role::Network => Duration::from_secs(2),
            Role::Logger => Duration::from_secs(3),
        }
    }

    /// Longest pause before a start. At a console somebody waits.
    pub(crate) fn pause_max(self) -> Duration {
        match self {
            Role::Console => Duration::from_secs(1),
            // An administrator may be waiting at the other end, too.
            Role::Remote => Duration::from_secs(5),
            Role::Signer | Role::Network | Role::Logger => Duration::from_secs(30),
        }
    }

    /// Whether a service of this role runs in that state of the box.
    pub(crate) fn is_wanted(self, state: Stage) -> bool {
        match self {
            Role::Console => true,
            Role::Logger => state != Stage::NoData,
            Role::Remote | Role::Signer | Role::Network => state == Stage::Ready,
        }
    }
}

/// How far the box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// There is no data partition that can be used.
    NoData,
    /// Nobody has set the box up.
    New,
    /// It works.
    Ready,
}

/// The order in which services are stopped: those of one group together. Gives their places in
/// `roles`; empty groups are left out.
pub(crate) fn stop_order(roles: &[Role]) -> Vec<(Role, Vec<usize>)> {
    let places = |role| (0..roles.len()).filter(|place| roles[*place] == role).collect();
    let groups = Role::ALL.into_iter().map(|role| (role, places(role)));
    groups.filter(|(_, places): &(Role, Vec<usize>)| !places.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_start_anew_after_health() {
        let mut back_off = BackOff::new(Duration::from_secs(1));
        let mut pauses = Vec::new();
        for _ in 0..6 {
            pauses.push(back_off.ended_after(Duration::from_secs(29)).as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
        assert_eq!(back_off.ended_after(HEALTHY), PAUSE_FIRST);
    }

    #[test]
    fn a_life_of_failures_does_not_overflow() {
        let mut back_off = BackOff::new(Duration::from_secs(30));
        for _ in 0..1_000 {
            back_off.ended_after(Duration::ZERO);
        }
        assert_eq!(back_off.ended_after(Duration::ZERO), Duration::from_secs(30));
    }

    #[test]
    fn consoles_stop_first_and_the_logger_last() {
        use Role::{Console, Logger, Network, Signer};
        let roles = [Logger, Network, Console, Signer, Console];
        let expected =
            vec![(Console, vec![2, 4]), (Signer, vec![3]), (Network, vec![1]), (Logger, vec![0])];
        assert_eq!(stop_order(&roles), expected);
        assert_eq!(stop_order(&[Signer]), [(Signer, vec![0])]);
    }

    #[test]
    fn what_runs_when() {
        let running = |stage| Role::ALL.map(|role| u8::from(role.is_wanted(stage)));
        // Console, remote, signer, network, logger.
        assert_eq!(running(Stage::NoData), [1, 0, 0, 0, 0]);
        assert_eq!(running(Stage::New), [1, 0, 0, 0, 1]);
        assert_eq!(running(Stage::Ready), [1, 1, 1, 1, 1]);
    }
}
