//! One catalog zone, fetched and kept fresh: what a zone that comes by transfer does, without
//! signing. RFC 9432 §5.1: it is a regular zone.
//! In: nudges. Out: [`News`]. When to ask whom for what is `dnssec::transfer::schedule`'s to say.
//! It is in memory only: after a restart it is fetched again, and what it brought is in
//! zonelist.xml. Limits: one ask at a time; records as the members of the catalog need.

use crate::io::transfer_client::received::{ReceivedError, ReceivedFile, messages};
use crate::io::transfer_client::{Means, Transfer, TransferError, TransferOrder, Waits, transfer};
use crate::io::zone_files;
use crate::runtime::{JobError, SubmitError};
use crate::zone::pipeline::Services;
use crate::zone::{random_per_mille, received_path};
use dnssec::transfer::peers::Inbound;
use dnssec::transfer::reception::{Fault, RecordError, each_record};
use dnssec::transfer::schedule::{Ask, End, Event, How, Jitter, Schedule, Timers};
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{Limits, LoadError, Loader, Place};
use dnssec::zone::patch::{PatchError, apply, without_dnssec};
use dnssec::{Name, Serial, Timestamp};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Records for each member that is allowed: itself, groups, `coo`, and as many that are not ours.
const RECORDS_PER_MEMBER: u64 = 40;
/// Records beside those of members.
const RECORDS_BESIDE: u64 = 1000;
/// A transfer has no lines.
const NO_PLACE: Place = Place { source: 0, line: 0 };

/// What makes it ask before its time.
pub(super) enum Nudge {
    /// A NOTIFY.
    Notified { from: IpAddr, serial: Option<Serial> },
    /// An operator.
    Retransfer,
}

/// What came of an ask.
pub(super) struct News {
    pub(super) catalog: Name,
    pub(super) kind: NewsKind,
    /// When a master confirmed what we have.
    pub(super) confirmed_at: Option<Timestamp>,
    /// From then on it is too old to go by.
    pub(super) expires_at: Option<Timestamp>,
}

pub(super) enum NewsKind {
    /// Another version.
    Version(Arc<ZoneVersion>),
    /// It is the newest.
    Confirmed,
    /// A master does not give it.
    Refused(String),
}

/// Why an ask brought nothing.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error("changes that do not fit: {0}")]
    Misfit(#[from] PatchError),
    #[error(transparent)]
    Received(#[from] ReceivedError),
    #[error(transparent)]
    Message(#[from] Box<Fault>),
    #[error("what was transferred is no zone: {0}")]
    Zone(#[from] Box<LoadError>),
    #[error("{0} is not in the catalog zone")]
    OutOfZone(Box<Name>),
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
}

impl AskError {
    fn end(&self, how: How) -> End {
        match self {
            AskError::Transfer(error) => error.end(how),
            AskError::Misfit(_) => End::IxfrRefused,
            AskError::Busy(_) | AskError::Crashed(_) | AskError::Received(_) => End::Failed,
            AskError::Message(_) | AskError::Zone(_) | AskError::OutOfZone(_) => End::Violated,
        }
    }
}

/// A catalog that is followed.
pub(super) struct Follower {
    pub(super) catalog: Name,
    pub(super) inbound: Arc<Inbound>,
    pub(super) members_max: u64,
    pub(super) services: Arc<Services>,
}

impl Follower {
    /// Asks and asks, until nobody listens.
    pub(super) async fn follow(self, mut nudges: mpsc::Receiver<Nudge>, news: mpsc::Sender<News>) {
        let clock = self.services.clock.clone();
        let mut schedule = Schedule::new(self.inbound.masters.len(), clock.now());
        let mut version: Option<Arc<ZoneVersion>> = None;
        let mut event = Event::Due;
        loop {
            let step = schedule.advance(event, clock.now(), Jitter(random_per_mille()));
            event = match (step.ask, step.look_again) {
                (Some(ask), _) => {
                    let (end, kind) = self.ask(ask, &mut version).await;
                    // The schedule counts from the end of the ask.
                    let confirmed = matches!(end, End::Received { .. } | End::UpToDate);
                    let confirmed_at =
                        if confirmed { Some(clock.now()) } else { schedule.refreshed_at() };
                    let timers = version.as_ref().and_then(|it| it.soa_rdata());
                    let timers = timers.and_then(Timers::of_soa).unwrap_or_default();
                    let expires_at = confirmed_at.map(|at| at.plus(timers.expire));
                    let catalog = self.catalog.clone();
                    if news.send(News { catalog, kind, confirmed_at, expires_at }).await.is_err() {
                        return;
                    }
                    Event::Ended(end)
                }
                (None, at) => {
                    let wait = async {
                        match at {
                            Some(at) => clock.sleep_until(at).await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        nudge = nudges.recv() => match nudge {
                            None => return,
                            Some(Nudge::Retransfer) => Event::Retransfer,
                            Some(Nudge::Notified { from, serial }) => {
                                Event::Notified { master: self.master(from), serial }
                            }
                        },
                        () = wait => Event::Due,
                    }
                }
            };
        }
    }

    fn master(&self, from: IpAddr) -> Option<usize> {
        let from = from.to_canonical();
        self.inbound.masters.iter().position(|it| it.address.ip().to_canonical() == from)
    }

    async fn ask(&self, ask: Ask, version: &mut Option<Arc<ZoneVersion>>) -> (End, NewsKind) {
        let master = self.inbound.masters[ask.master].clone();
        let address = master.address;
        let _slot = self.services.transfer_slots.take(address.ip()).await;
        let have = version.clone();
        match self.bring(ask, master, have).await {
            Ok(Brought::Nothing(end)) => (end, NewsKind::Confirmed),
            Ok(Brought::Version(new)) => {
                *version = Some(new.clone());
                let timers = new.soa_rdata().and_then(Timers::of_soa);
                let serial = new.serial().unwrap_or_default();
                (End::Received { serial, timers }, NewsKind::Version(new))
            }
            Err(error) => (error.end(ask.how), NewsKind::Refused(format!("{address} {error}"))),
        }
    }

    async fn bring(
        &self,
        ask: Ask,
        master: dnssec::transfer::peers::Remote,
        have: Option<Arc<ZoneVersion>>,
    ) -> Result<Brought, AskError> {
        let catalog = self.catalog.clone();
        let records = self.members_max.saturating_mul(RECORDS_PER_MEMBER) + RECORDS_BESIDE;
        let limits = Limits { record_count_max: records, ..Limits::default() };
        let path = received_path(&self.services.snapshot_folder, &catalog);
        let waits = Waits::default();
        let order = TransferOrder {
            zone: catalog.clone(),
            master,
            how: ask.how,
            limits,
            path: path.clone(),
            waits,
        };
        let services = &self.services;
        let means = Means { clock: services.clock.clone(), pool: services.pool.clone() };
        let say = |line: String| {
            tracing::info!(target: "xfrd", zone = %catalog, "zone {catalog} {line}");
        };
        match transfer(&order, &means, &say).await? {
            Transfer::UpToDate { .. } => Ok(Brought::Nothing(End::UpToDate)),
            Transfer::Older { .. } => Ok(Brought::Nothing(End::Older)),
            Transfer::Steps { steps, .. } => {
                // Changes are only asked for to something.
                let Some(have) = have else { return Err(TransferError::Incomplete.into()) };
                let job = move || {
                    let mut version = ZoneVersion::clone(&have);
                    for step in &steps {
                        version = apply(&version, &without_dnssec(&version.apex, step)?)?;
                    }
                    Ok::<ZoneVersion, AskError>(version)
                };
                Ok(Brought::Version(Arc::new(services.pool.run(job)?.await??)))
            }
            Transfer::Whole { .. } => {
                let name = catalog.clone();
                let job = move || {
                    let loaded = load(&name, &path, limits);
                    if let Err(error) = zone_files::remove(&path) {
                        tracing::warn!(target: "xfrd", zone = %name, %error,
                            "{} was not removed", path.display());
                    }
                    loaded
                };
                Ok(Brought::Version(Arc::new(services.pool.run(job)?.await??)))
            }
        }
    }
}

enum Brought {
    Nothing(End),
    Version(Arc<ZoneVersion>),
}

/// The version of a whole transfer in a file.
fn load(apex: &Name, path: &Path, limits: Limits) -> Result<ZoneVersion, AskError> {
    let mut file = ReceivedFile::open(path)?;
    let mut loader = Loader::new(apex, limits);
    while let Some(block) = file.next_block()? {
        for message in messages(&block) {
            let taken =
                each_record(message, |owner, rtype, ttl, rdata| match owner.is_at_or_below(apex) {
                    true => Ok(loader.add(owner, rtype, ttl, rdata, NO_PLACE).map_err(Box::new)?),
                    false => Err(AskError::OutOfZone(Box::new(owner.clone()))),
                });
            taken.map_err(|error| match error {
                RecordError::Message(fault) => AskError::Message(fault),
                RecordError::Taker(error) => error,
            })?;
        }
    }
    Ok(loader.finish().map_err(Box::new)?.version)
}
