//! What a zone gives for a test of the auditor: the version that stands, and what the auditor held
//! it against. In: the actor's state. Out: [`Specimen`].

use super::ZoneActor;
use super::plan::{apex_plan, audit_expectations};
use crate::audit::Specimen;
use ::audit::Expectations;
use dnssec::signing::SigningTimes;

impl ZoneActor {
    /// `None`: no version was made yet, or it is not read back, or its keys are not known. As long
    /// as no run succeeded since the start, the version is taken to have the keys that are now.
    pub(super) fn specimen(&self) -> Option<Specimen> {
        let stored = self.stored.clone()?;
        let now = || Some((self.settings.clone(), self.keys.clone()?));
        let (settings, keys) = self.made_with.clone().or_else(now)?;
        let plan = apex_plan(&settings, &keys, stored.version.serial());
        let times = SigningTimes {
            now: self.services.clock.now(),
            policy: settings.policy.signatures.clone(),
            seed: 0,
        };
        let expectations = Expectations {
            // What is due for renewal is the next run's.
            refresh_seconds: 0,
            ..audit_expectations((&settings, &keys), &plan, &stored.unsigned, &times, None)
        };
        Some(Specimen { stored, expectations, approved: self.approved.clone() })
    }
}
