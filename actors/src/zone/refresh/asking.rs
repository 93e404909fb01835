//! One ask of one master: the transfer, what it brings, and what is said of it.
//! In: what to ask. Out: an end for the schedule; a received zone; OpenDNSSEC's log lines.

use super::{ReceivedZone, ZoneActor};
use crate::io::transfer_client::{Means, Transfer, TransferError, TransferOrder, Waits, transfer};
use crate::runtime::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use crate::zone::pipeline::Services;
use dnssec::transfer::reception::Fault;
use dnssec::transfer::schedule::{Ask, End, Event, How, Timers};
use dnssec::zone::ZoneVersion;
use dnssec::zone::diff::Difference;
use dnssec::zone::load::{DnssecRecords, LimitUnit};
use dnssec::zone::patch::{PatchError, Rrsigs, adds_at_apex, apply, apply_with, without_dnssec};
use dnssec::{RrType, Serial};
use std::net::SocketAddr;
use std::sync::Arc;
use storage::state::{Refusal, Transferred};

/// What an ask has brought.
enum Brought {
    /// Nothing that we do not have.
    Nothing(Transfer),
    /// A new zone.
    Zone { zone: ReceivedZone, serial: Serial, timers: Option<Timers> },
}

/// Why it brought nothing.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The changes are not to what we have.
    #[error("changes that do not fit: {0}")]
    Misfit(#[from] PatchError),
    #[error("the zone would be larger than its limit of {limit} {unit}")]
    TooLarge { limit: u64, unit: LimitUnit },
    /// A digest of the whole zone can only be verified over all that the master has.
    #[error("changes to a zone with a ZONEMD, which is verified over the whole zone")]
    Digest,
    #[error("the changes could not be applied: {0}")]
    Busy(String),
}

impl AskError {
    fn end(&self, how: How) -> End {
        match self {
            AskError::Transfer(error) => error.end(how),
            AskError::Misfit(_) | AskError::Digest => End::IxfrRefused,
            AskError::TooLarge { .. } => End::Violated,
            AskError::Busy(_) => End::Failed,
        }
    }
}

/// Changes are asked for since the version that they are to be applied to. That is an older one
/// than what was received last where nothing but the serial changed, since no version is made then.
fn fitting(how: How, serial: Option<Serial>) -> How {
    match (how, serial) {
        (How::Ixfr { .. }, Some(from)) => How::Ixfr { from },
        // What we have was held before there was any version: changes to it cannot be applied.
        (How::Ixfr { from }, None) => How::Axfr { have: Some(from) },
        (how, _) => how,
    }
}

impl ZoneActor {
    /// Asks a master, and hands what comes to the schedule.
    pub(super) fn ask_master(&mut self, ask: Ask, ctx: &mut Context<ZoneActor>) {
        let path = self.received_path();
        let Some(refreshing) = &mut self.refreshing else { return };
        let master = refreshing.inbound.masters[ask.master].clone();
        let changed = match refreshing.pending.as_ref().map(|pending| &pending.zone) {
            Some(ReceivedZone::Changed(version)) => Some(version.clone()),
            _ => self.unsigned.clone(),
        };
        let order = TransferOrder {
            zone: self.settings.name.clone(),
            master,
            how: fitting(ask.how, changed.as_ref().and_then(|version| version.serial())),
            limits: self.settings.limits,
            path,
            waits: Waits::default(),
        };
        let (services, name) = (self.services.clone(), self.name.clone());
        let verifies_digest = self.settings.policy.input.verifies_digest;
        let dnssec = match self.settings.policy.passthrough {
            true => DnssecRecords::Kept,
            false => DnssecRecords::Dropped,
        };
        let taking = Taking { dnssec, verifies_digest };
        let (address, how) = (order.master.address, order.how);
        let asked = async move {
            let _slot = services.transfer_slots.take(address.ip()).await;
            bring(&services, &order, changed, taking, &name).await
        };
        let handle = ctx.spawn(asked.into_actor(self).map(move |brought, actor, ctx| {
            actor.refreshing.iter_mut().for_each(|refreshing| refreshing.asking = None);
            let end = actor.ask_ended(how, address, brought, ctx);
            actor.advance_refresh(Event::Ended(end), ctx);
        }));
        self.refreshing.iter_mut().for_each(|refreshing| refreshing.asking = Some(handle));
    }

    fn ask_ended(
        &mut self,
        how: How,
        address: SocketAddr,
        brought: Result<Brought, AskError>,
        ctx: &mut Context<ZoneActor>,
    ) -> End {
        let (zone, ip) = (self.name.clone(), address.ip());
        let have = self.refreshing.as_ref().and_then(|refreshing| refreshing.schedule.have());
        let have = have.unwrap_or_default();
        match brought {
            Ok(Brought::Nothing(Transfer::Older { serial })) => {
                tracing::info!(target: "xfrd", %zone,
                    "zone {zone} ignoring old serial {serial} from {ip} (have {have})");
                self.forgive(address);
                End::Older
            }
            Ok(Brought::Nothing(_)) => {
                tracing::info!(target: "xfrd", %zone,
                    "zone {zone} got update indicating current serial {have} from {ip}");
                tracing::debug!(target: "xfrd", %zone, "zone {zone} is already up to date");
                // What it has is what we have: it took back what could not be read.
                self.set(|status| status.input_failure = None);
                self.forgive(address);
                End::UpToDate
            }
            Ok(Brought::Zone { zone: received, serial, timers }) => {
                tracing::info!(target: "xfrd", %zone,
                    "zone {zone} transfer done [serial on disk {serial}, from {ip}]");
                self.forgive(address);
                let at = self.services.clock.now();
                if let Some(refreshing) = &mut self.refreshing {
                    let transfer = Transferred { at, from: address, serial };
                    refreshing.remembered.transfer = Some(transfer);
                }
                self.take_received(received, ctx);
                End::Received { serial, timers }
            }
            Err(error) => {
                let end = error.end(how);
                self.note_refusal(address, &error);
                end
            }
        }
    }

    /// A master answers as it should.
    fn forgive(&mut self, master: SocketAddr) {
        if let Some(refreshing) = &mut self.refreshing {
            refreshing.remembered.refusals.retain(|refusal| refusal.master != master);
            refreshing.answered.insert(master, self.services.clock.now());
        }
    }

    /// Says what is wrong with a master when it is news, and remembers it.
    fn note_refusal(&mut self, master: SocketAddr, error: &AskError) {
        let (zone, ip) = (self.name.clone(), master.ip());
        let reason: String = error.to_string().chars().take(super::REFUSAL_TEXT_MAX).collect();
        let since = self.services.clock.now();
        let Some(refreshing) = &mut self.refreshing else { return };
        let refusals = &mut refreshing.remembered.refusals;
        let known = refusals.iter_mut().find(|refusal| refusal.master == master);
        match known {
            // As long as it lasts, in whatever words.
            Some(known) if known.reason == reason => {
                tracing::debug!(target: "xfrd", %zone, "zone {zone}, master {master}: {reason}");
                return;
            }
            Some(known) => known.reason.clone_from(&reason),
            None => refusals.push(Refusal { master, reason: reason.clone(), since }),
        }
        match error {
            AskError::Transfer(TransferError::Fault(Fault::Refused { rcode })) => {
                tracing::error!(target: "xfrd", %zone,
                    "bad packet: zone {zone} received error code {rcode} from {ip}");
            }
            AskError::Transfer(TransferError::Tsig(_)) => tracing::error!(target: "xfrd", %zone,
                "bad packet: zone {zone} received bad tsig from {ip} ({reason})"),
            AskError::Transfer(TransferError::Fault(_)) | AskError::Misfit(_) => {
                tracing::error!(target: "xfrd", %zone,
                    "bad packet: zone {zone} received bad xfr packet from {ip} ({reason})");
            }
            AskError::Digest => tracing::info!(target: "xfrd", %zone,
                "zone {zone} received {reason}, from {ip}"),
            _ => tracing::error!(target: "xfrd", %zone,
                "unable to transfer zone {zone} from {ip}: {reason}"),
        }
    }
}

/// Asks, and applies what changes come.
async fn bring(
    services: &Services,
    order: &TransferOrder,
    version: Option<Arc<ZoneVersion>>,
    taking: Taking,
    name: &str,
) -> Result<Brought, AskError> {
    let means = Means { clock: services.clock.clone(), pool: services.pool.clone() };
    let say = |line: String| tracing::info!(target: "xfrd", zone = %name, "zone {name} {line}");
    match transfer(order, &means, &say).await? {
        Transfer::Steps { steps, to, .. } => {
            // Changes are only asked for to something.
            let Some(version) = version else { return Err(TransferError::Incomplete.into()) };
            let limits = order.limits;
            let job = move || {
                let changed = changed(&version, &steps, taking)?;
                let record_count = changed.record_count() as u64;
                if record_count > limits.record_count_max {
                    let (limit, unit) = (limits.record_count_max, LimitUnit::Records);
                    return Err(AskError::TooLarge { limit, unit });
                }
                Ok(changed)
            };
            let answer = services.pool.run(job).map_err(|error| AskError::Busy(error.to_string()));
            let changed = answer?.await.map_err(|error| AskError::Busy(error.to_string()))??;
            let timers = changed.soa_rdata().and_then(Timers::of_soa);
            Ok(Brought::Zone { zone: ReceivedZone::Changed(Arc::new(changed)), serial: to, timers })
        }
        Transfer::Whole { serial, soa, .. } => {
            let zone = ReceivedZone::Whole(order.path.clone());
            Ok(Brought::Zone { zone, serial, timers: Timers::of_soa(&soa) })
        }
        nothing => Ok(Brought::Nothing(nothing)),
    }
}

/// What is taken of changes.
#[derive(Clone, Copy)]
struct Taking {
    dnssec: DnssecRecords,
    verifies_digest: bool,
}

/// The version after all steps. What a signer before us made is left out, as it is of a whole zone,
/// or stays, where the zone is passed through; then its digest is the auditor's matter.
fn changed(
    version: &ZoneVersion,
    steps: &[Difference],
    taking: Taking,
) -> Result<ZoneVersion, AskError> {
    let mut version = version.clone();
    for step in steps {
        if taking.dnssec == DnssecRecords::Kept {
            version = apply_with(&version, step, Rrsigs::Records)?;
            continue;
        }
        if taking.verifies_digest && adds_at_apex(&version.apex, step, RrType::ZONEMD)? {
            return Err(AskError::Digest);
        }
        version = apply(&version, &without_dnssec(&version.apex, step)?)?;
    }
    Ok(version)
}
