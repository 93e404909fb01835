//! How full a repository is (rule HSM-11), and the words for it in the log.
//! In: `<Capacity>`, the keys that were counted. Out: log lines with OpenDNSSEC's words where it
//! has any. Never: the estimate itself, which is `dnssec::key_room`.

use crate::settings::{RepositorySettings, TokenSettings};
use dnssec::key_room::{Forecast, KeyDemand, forecast};

/// A repository that is full sooner than this many days from now is warned of.
const WARNED_BEFORE_DAYS: u64 = 90;
const DAY_SECONDS: u64 = 86_400;

/// How full a repository is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// `<Capacity>`: most keys.
    pub capacity: u64,
    /// Keys in the token, whoever made them.
    pub used: u64,
}

impl Room {
    /// What becomes of it.
    pub fn forecast(&self, demand: &KeyDemand) -> Forecast {
        forecast(self.capacity, self.used, demand)
    }

    /// Writes it into the log.
    pub(super) fn tell(&self, repository: &str, demand: &KeyDemand) {
        let Room { capacity, used } = self;
        match self.forecast(demand) {
            Forecast::Enough => tracing::info!(target: "hsm", %repository, used, capacity,
                "repository {repository}: {used} keys of {capacity} used; that is enough for the \
                 policies of this configuration"),
            Forecast::TooSmall { needed } => tracing::error!(target: "hsm", %repository, used,
                capacity, needed, "repository {repository}: {used} keys of {capacity} used; its \
                 zones need room for {needed} to be rolled: raise <Capacity> in conf.xml if the \
                 token has room, or use another repository for some policies"),
            Forecast::FullIn(time) => {
                let days = time.0 / DAY_SECONDS;
                if used >= capacity {
                    tracing::error!(target: "hsm", %repository, used, capacity,
                        "Repository {repository} is full, cannot create more keys: {used} keys of \
                         {capacity} used; remove keys that are out of use (<Purge> in kasp.xml \
                         does), or raise <Capacity> in conf.xml if the token has room");
                } else if days < WARNED_BEFORE_DAYS {
                    tracing::warn!(target: "hsm", %repository, used, capacity, days,
                        "Repository {repository} is nearly full: {used} keys of {capacity} used; \
                         with the policies of this configuration it is full in about {days} days: \
                         let dead keys be removed (<Purge> in kasp.xml), or raise <Capacity> in \
                         conf.xml if the token has room");
                } else {
                    tracing::info!(target: "hsm", %repository, used, capacity, days,
                        "repository {repository}: {used} keys of {capacity} used; with the \
                         policies of this configuration it is full in about {days} days");
                }
            }
        }
    }
}

/// `<Capacity>`. Members of a group hold the same keys, so the smallest one counts.
pub(super) fn capacity(settings: &RepositorySettings) -> Option<u64> {
    match &settings.token {
        TokenSettings::Pkcs11 { capacity, .. } => capacity.map(u64::from),
        TokenSettings::BuiltIn { .. } => None,
        TokenSettings::Group { members, .. } => members.iter().filter_map(capacity).min(),
    }
}
