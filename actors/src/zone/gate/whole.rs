//! Full audits of what is published, which confirm what the auditor's incremental state says: once
//! a day, at the zone's own time of day; of the next version when the keys change; on demand.
//! In: the time, keys, commands. Out: verdicts; an alarm when the published version fails.

use super::{LastVerdict, Outcome};
use crate::enforcer::ZoneKeys;
use crate::runtime::{ActorFutureExt, AsyncContext, Context, Reply, WrapFuture};
use crate::zone::ZoneActor;
use crate::zone::pipeline::{RunError, RunOrder, Services};
use crate::zone::plan::apex_plan;
use ::audit::Expectations;
use dnssec::policy::AuditMode;
use dnssec::{Seconds, Timestamp};

/// All of a published version is judged so often, in seconds.
const WHOLE_INTERVAL: Seconds = Seconds(86_400);

impl ZoneActor {
    /// Whether the next version must be judged as a whole: its keys, what they do, or what the
    /// parent has of them are not those that the last version was made with.
    pub(in crate::zone) fn is_whole_wanted(&self, keys: &ZoneKeys) -> bool {
        self.made_with.as_ref().is_some_and(|(_, last)| {
            (&last.keys, &last.salt, &last.delegation) != (&keys.keys, &keys.salt, &keys.delegation)
        })
    }

    /// Has the published version judged, when a day has passed since that was last done. A zone
    /// that was just started waits for its own time of day, so that not all are judged at once.
    pub(in crate::zone) fn judge_whole_if_due(&mut self, ctx: &mut Context<ZoneActor>) {
        let now = self.services.clock.now();
        let judged = self.status.borrow().gate.whole_at;
        let due = match (judged, self.whole_due) {
            (Some(at), _) => at.plus(WHOLE_INTERVAL),
            (None, Some(due)) => due,
            (None, None) => now.plus(Seconds(spread(self.settings.name.as_wire()))),
        };
        self.whole_due = Some(due);
        let is_full = self.settings.policy.audit == AuditMode::Full;
        if is_full && now >= due {
            self.judge_whole(None, ctx);
        }
    }

    /// Has all of the published version judged.
    pub(in crate::zone) fn judge_whole(
        &mut self,
        reply: Option<Reply<Result<LastVerdict, String>>>,
        ctx: &mut Context<ZoneActor>,
    ) {
        let (Some(state), Some((settings, keys)), false) =
            (&self.state, &self.made_with, self.running)
        else {
            if let Some(reply) = reply {
                reply.send(Err("no version is published yet, or a new one is being made".into()));
            }
            return;
        };
        // Not sooner again than in a day, whatever comes of it.
        self.whole_due = Some(self.services.clock.now().plus(WHOLE_INTERVAL));
        let order = RunOrder { settings: settings.clone(), ..self.order(state, keys) };
        let services = self.services.clone();
        let judge = async move { services.judge_published(&order).await };
        ctx.spawn(judge.into_actor(self).map(move |verdict, actor, _| {
            actor.judged_whole(&verdict);
            if let Some(reply) = reply {
                reply.send(verdict.map_err(|error| error.to_string()));
            }
        }));
    }

    fn judged_whole(&mut self, verdict: &Result<LastVerdict, RunError>) {
        let name = &self.name;
        match verdict {
            Ok(verdict) if verdict.outcome == Outcome::Approved => {
                self.set(|status| status.gate.take(verdict.clone()));
                tracing::info!(target: "audit", zone = %name,
                    "all of zone {name} was audited again, and is approved");
            }
            Ok(verdict) => {
                // What the incremental audit went by is not to be trusted any more.
                self.approved = None;
                self.set(|status| status.gate.take(verdict.clone()));
                let found: String =
                    verdict.findings.iter().take(5).map(|one| format!("\n  {one}")).collect();
                tracing::error!(target: "audit", zone = %name,
                    "ALARM: the version of zone {name} that is PUBLISHED does not pass a full \
                     audit: {} findings; publish a good one: correct what is named, then \
                     \"ods-signer clear {name}\"{found}", verdict.finding_count);
            }
            Err(error) => tracing::error!(target: "audit", zone = %name, %error,
                "ALARM: the full audit of zone {name} gave no verdict: {error}"),
        }
    }
}

impl Services {
    /// The verdict on all of the version that is published, made by this policy with these keys.
    async fn judge_published(&self, order: &RunOrder) -> Result<LastVerdict, RunError> {
        let stored = order.stored.clone().ok_or(RunError::NoInput)?;
        let plan = apex_plan(&order.settings, &order.keys, stored.version.serial());
        let times = self.times(order);
        let expectations = Expectations {
            // What is due for renewal is the next run's.
            refresh_seconds: 0,
            sampling: None,
            ..self.expectations(order, &plan, &stored.unsigned, &times, None)
        };
        let serial = stored.version.serial();
        let waived = self.waivers(order).await.into_iter().map(|(id, _)| id).collect();
        match self.audit(order, &stored, expectations, None, waived).await {
            Ok(audited) => {
                self.note_approval(&audited).await?;
                Ok(LastVerdict::approving(self.clock.now(), &audited))
            }
            Err(error) => match self.refused(order, &stored, error) {
                RunError::Refused(refused) if !refused.refusal.verdict.findings.is_empty() => {
                    Ok(LastVerdict { serial, ..refused.refusal.verdict })
                }
                error => Err(error),
            },
        }
    }
}

/// A zone's own time of day, in seconds: FNV-1a of its name, which spreads well enough.
fn spread(name: &[u8]) -> u64 {
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
        (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 16) % WHOLE_INTERVAL.0
}

/// The same for tests and for people who ask when.
impl super::GateStatus {
    /// When all of the version is due to be judged again; `None`: it never was since the start.
    pub fn whole_due(&self) -> Option<Timestamp> {
        self.whole_at.map(|at| at.plus(WHOLE_INTERVAL))
    }
}
