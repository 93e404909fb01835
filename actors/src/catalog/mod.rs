//! Catalog zones (RFC 9432): zones come and go with the catalogs that are consumed, and catalogs
//! are made of the zones that are here.
//! In: `<CatalogList>` of conf.xml, transfers, NOTIFYs, operators' orders, changes of the list of
//! zones. Out: zones added and removed by the console's door (`console::catalog_members`); catalog
//! zones for the transfer server; [`board`] for commands.
//!
//! Files: [`settings`] what is configured, [`following`] one consumed catalog zone kept fresh,
//! [`producing`] one produced, [`kept`] what is on the disk, [`board`] where others meet the actor.
//! What a catalog means is `dnssec::transfer::catalog`'s to say.
//!
//! Nothing but zonelist.xml says which zones a catalog has brought: after a restart the catalogs
//! are fetched again and held against it, so whatever was left half done is done then. A catalog
//! that is broken, expired, unreachable or held changes nothing (§5.1).
//! Lowest tier, as the console. Limits: [`NEWS_MAX`], [`NUDGES_MAX`]; members as configured.

pub mod board;
mod following;
pub(crate) mod kept;
mod producing;
pub mod settings;

use crate::console::catalog_members::{InForce, Outcome, bring, finish_removals};
use crate::console::site::Site;
use crate::runtime::{Actor, ActorFutureExt, AsyncContext, Child, Context, Supervised, WrapFuture};
use crate::settings::zone_text;
use board::Order;
use dnssec::transfer::catalog::{Catalog, read};
use dnssec::{Name, Serial, Timestamp};
use following::{Follower, News, NewsKind, Nudge};
use producing::Producer;
use settings::{CatalogProblem, ConsumerSettings};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// News that may wait: whoever has more waits himself.
const NEWS_MAX: usize = 16;
/// Nudges that wait for one catalog; one says as much as several.
const NUDGES_MAX: usize = 16;
/// When zones that wait for something are looked at again.
const AGAIN: Duration = Duration::from_secs(60);

/// The actor.
pub struct CatalogActor {
    site: Arc<Site>,
}

/// What operators see of the actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatalogObserved {
    /// Catalogs that are consumed.
    pub consumers: usize,
    /// Catalogs that are produced.
    pub producers: usize,
}

impl CatalogActor {
    /// An actor that goes by what the site knows.
    pub fn new(site: Arc<Site>) -> CatalogActor {
        CatalogActor { site }
    }
}

impl Actor for CatalogActor {
    type Context = Context<CatalogActor>;

    fn started(&mut self, ctx: &mut Context<CatalogActor>) {
        let work = Work::new(self.site.clone()).run();
        ctx.spawn(work.into_actor(self).map(|(), _, _| ()));
    }
}

impl Supervised for CatalogActor {
    fn restarting(&mut self, _: &mut Context<CatalogActor>) {}
}

impl Child for CatalogActor {
    type Observed = CatalogObserved;

    fn observe(&self) -> CatalogObserved {
        let catalogue = self.site.catalogue();
        let catalogs = &catalogue.catalogs;
        CatalogObserved { consumers: catalogs.consumers.len(), producers: catalogs.producers.len() }
    }
}

/// A consumed catalog.
struct Consumer {
    settings: Arc<ConsumerSettings>,
    nudges: mpsc::Sender<Nudge>,
    task: AbortHandle,
    /// What it says, if it can be understood.
    catalog: Option<Catalog>,
    serial: Serial,
    expires_at: Option<Timestamp>,
    accepted: Option<Serial>,
    /// What was last said of it in the log.
    said: Said,
}

#[derive(Default, PartialEq, Eq)]
struct Said {
    fault: Option<String>,
    held: Option<String>,
    zones: BTreeMap<Name, String>,
}

/// The actor's work, from its start to its end.
struct Work {
    site: Arc<Site>,
    consumers: BTreeMap<Name, Consumer>,
    producers: BTreeMap<Name, Producer>,
    tasks: JoinSet<()>,
    news: (mpsc::Sender<News>, mpsc::Receiver<News>),
    /// Problems of the configuration that were said.
    problems: BTreeMap<Name, CatalogProblem>,
    waits: bool,
}

impl Work {
    fn new(site: Arc<Site>) -> Work {
        let news = mpsc::channel(NEWS_MAX);
        let (consumers, producers, problems) = Default::default();
        Work { site, consumers, producers, tasks: JoinSet::new(), news, problems, waits: false }
    }

    async fn run(mut self) {
        let mut changes = self.site.changes();
        if let Err(error) = finish_removals(&self.site).await {
            tracing::error!(target: "catalog", "removals that a restart cut off wait: {error}");
        }
        let (site, clock) = (self.site.clone(), self.site.staff.clock.clone());
        let mut is_due = true;
        loop {
            if is_due {
                changes.mark_unchanged();
                self.go_by_settings();
                self.bring_all().await;
                self.produce_all().await;
            }
            let again = async {
                match self.waits {
                    true => clock.sleep(AGAIN).await,
                    false => std::future::pending().await,
                }
            };
            is_due = tokio::select! {
                // The site lives as long as this does.
                _ = changes.changed() => true,
                Some(news) = self.news.1.recv() => self.take_news(news),
                order = site.staff.zones.catalogs().order() => self.take_order(order),
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended
                        && error.is_panic()
                    {
                        // A bug: the supervisor starts all of it anew, and counts.
                        std::panic::resume_unwind(error.into_panic());
                    }
                    false
                }
                () = again => true,
            };
        }
    }

    /// Begins what is new in the configuration, and ends what is gone from it.
    fn go_by_settings(&mut self) {
        let catalogue = self.site.catalogue();
        let (catalogs, zones) = (&catalogue.catalogs, &self.site.staff.zones);
        let (board, publications) = (zones.catalogs().clone(), zones.publications().clone());
        let mut problems = BTreeMap::new();
        let is_zone = |name: &Name| catalogue.zone(name).is_some();
        let is_same = |name: &Name, consumer: &Consumer| {
            !is_zone(name) && catalogs.consumers.contains(&consumer.settings)
        };
        let is_same_producer = |name: &Name, producer: &Producer| {
            !is_zone(name) && catalogs.producers.contains(&producer.settings)
        };
        let forget = |name: &Name| {
            // The name of a zone is that zone's.
            if !is_zone(name) {
                publications.withdraw(name);
            }
            board.forget(name);
        };
        self.consumers.retain(|name, consumer| {
            let stays = is_same(name, consumer);
            if !stays {
                consumer.task.abort();
                forget(name);
            }
            stays
        });
        self.producers.retain(|name, producer| {
            let stays = is_same_producer(name, producer);
            if !stays {
                forget(name);
            }
            stays
        });
        for settings in &catalogs.consumers {
            let name = &settings.entry.name;
            match &settings.inbound {
                _ if is_zone(name) => drop(problems.insert(name.clone(), CatalogProblem::IsZone)),
                Err(problem) => drop(problems.insert(name.clone(), problem.clone())),
                Ok(_) if self.consumers.contains_key(name) => {}
                Ok(inbound) => {
                    publications.set_adapters(name, Some(inbound.clone()), None);
                    let (nudges, receiver) = mpsc::channel(NUDGES_MAX);
                    let follower = Follower {
                        catalog: name.clone(),
                        inbound: inbound.clone(),
                        members_max: settings.entry.members_max,
                        services: zones.services().clone(),
                    };
                    let follow = follower.follow(receiver, self.news.0.clone());
                    let task = self.tasks.spawn_local(follow);
                    let consumer = Consumer::new(settings.clone(), nudges, task);
                    self.consumers.insert(name.clone(), consumer);
                    board.show(name, |view| *view = Default::default());
                }
            }
        }
        for settings in &catalogs.producers {
            let name = &settings.entry.name;
            match &settings.outbound {
                _ if is_zone(name) => drop(problems.insert(name.clone(), CatalogProblem::IsZone)),
                Err(problem) => drop(problems.insert(name.clone(), problem.clone())),
                Ok(_) if self.producers.contains_key(name) => {}
                Ok(outbound) => {
                    publications.set_adapters(name, None, Some(outbound.clone()));
                    self.producers.insert(name.clone(), Producer::new(settings.clone()));
                }
            }
        }
        self.say_problems(problems);
    }

    fn say_problems(&mut self, problems: BTreeMap<Name, CatalogProblem>) {
        let board = self.site.staff.zones.catalogs();
        for name in self.problems.keys().filter(|name| !problems.contains_key(name)) {
            board.forget(name);
        }
        for (name, problem) in &problems {
            if self.problems.get(name) != Some(problem) {
                tracing::error!(target: "catalog", "catalog {} is left out: {problem}",
                    zone_text(name));
            }
            board.show(name, |view| view.fault = Some(problem.to_string()));
        }
        self.problems = problems;
    }

    /// Whether zones may not be as the catalogs say now.
    fn take_news(&mut self, news: News) -> bool {
        let News { catalog: name, kind, confirmed_at, expires_at } = news;
        // One that is gone meanwhile may have sent some.
        let Some(consumer) = self.consumers.get_mut(&name) else { return false };
        let (board, now) = (self.site.staff.zones.catalogs(), self.site.staff.clock.now());
        let had_expired = consumer.expires_at.is_some_and(|at| at <= now);
        consumer.expires_at = expires_at;
        board.show(&name, |view| view.confirmed_at = confirmed_at);
        match kind {
            NewsKind::Confirmed => {
                board.show(&name, |view| view.refusal = None);
                had_expired
            }
            NewsKind::Refused(text) => {
                let text = format!("master {text}");
                let known = board.consumer(&name).and_then(|view| view.refusal);
                if known.as_ref() != Some(&text) {
                    tracing::error!(target: "catalog", "catalog {}: {text}", zone_text(&name));
                }
                board.show(&name, |view| view.refusal = Some(text));
                false
            }
            NewsKind::Version(version) => {
                consumer.serial = version.serial().unwrap_or_default();
                let (catalog, fault) = match read(&version) {
                    Ok(catalog) => (Some(catalog), None),
                    Err(fault) => (None, Some(fault.to_string())),
                };
                consumer.say_read(&name, catalog.as_ref(), fault.as_ref());
                board.show(&name, |view| {
                    view.serial = Some(consumer.serial);
                    view.refusal = None;
                    view.held = None;
                    if let Some(catalog) = &catalog {
                        view.groups = groups(catalog);
                    }
                    view.fault = fault;
                });
                consumer.catalog = catalog;
                true
            }
        }
    }

    /// Whether zones may not be as the catalogs say now.
    fn take_order(&mut self, order: Order) -> bool {
        let (name, nudge) = match order {
            Order::Notified { catalog, from, serial } => {
                (catalog, Nudge::Notified { from, serial })
            }
            Order::Retransfer { catalog } => (catalog, Nudge::Retransfer),
            Order::Accept { catalog, serial } => {
                if let Some(consumer) = self.consumers.get_mut(&catalog) {
                    consumer.accepted = Some(serial);
                }
                return true;
            }
        };
        if let Some(consumer) = self.consumers.get(&name) {
            // When it is full, it asks anyway.
            let _ = consumer.nudges.try_send(nudge);
        }
        false
    }

    /// Brings zones in line with every catalog in force.
    async fn bring_all(&mut self) {
        let now = self.site.staff.clock.now();
        let mut outcomes = Vec::new();
        {
            let in_force: BTreeMap<Name, &Catalog> = self
                .consumers
                .iter()
                .filter(|(_, consumer)| consumer.expires_at.is_some_and(|at| now < at))
                .filter_map(|(name, consumer)| Some((name.clone(), consumer.catalog.as_ref()?)))
                .collect();
            for (name, catalog) in &in_force {
                let consumer = &self.consumers[name];
                let own = InForce {
                    settings: &consumer.settings,
                    catalog,
                    serial: consumer.serial,
                    others: &in_force,
                    is_accepted: consumer.accepted == Some(consumer.serial),
                };
                outcomes.push((name.clone(), bring(&self.site, &own).await));
            }
        }
        self.waits = false;
        for (name, outcome) in outcomes {
            match outcome {
                Ok(outcome) => {
                    self.waits |= outcome.waits;
                    self.show(&name, outcome);
                }
                Err(error) => {
                    self.waits = true;
                    tracing::error!(target: "catalog",
                        "catalog {}: zones are not as it says: {error}", zone_text(&name));
                }
            }
        }
    }

    /// Says and shows what came of a catalog, as far as it is news.
    fn show(&mut self, name: &Name, outcome: Outcome) {
        let Some(consumer) = self.consumers.get_mut(name) else { return };
        let text = zone_text(name);
        let held = outcome.held.map(|excess| excess.to_string());
        if held.is_some() && held != consumer.said.held {
            tracing::error!(target: "catalog",
                "ALARM: catalog {text}: serial {} is held and changes nothing: {}; look at \
                 \"catalog show {text}\", and say \"catalog accept {text} {}\" if that is meant",
                consumer.serial, held.as_deref().unwrap_or_default(), consumer.serial);
        }
        let zones: BTreeMap<Name, String> = match held {
            // Nothing was looked at.
            Some(_) => std::mem::take(&mut consumer.said.zones),
            None => outcome.faults.into_iter().map(|(name, it)| (name, it.to_string())).collect(),
        };
        for (zone, fault) in &zones {
            if held.is_none() && consumer.said.zones.get(zone) != Some(fault) {
                let zone = zone_text(zone);
                tracing::error!(target: "catalog", zone = %zone,
                    "catalog {text}: zone {zone} {fault}");
            }
        }
        let board = self.site.staff.zones.catalogs();
        board.show(name, |view| (view.held, view.zone_faults) = (held.clone(), zones.clone()));
        (consumer.said.held, consumer.said.zones) = (held, zones);
    }

    async fn produce_all(&mut self) {
        for producer in self.producers.values_mut() {
            producer.produce(&self.site).await;
        }
    }
}

impl Consumer {
    fn new(
        settings: Arc<ConsumerSettings>,
        nudges: mpsc::Sender<Nudge>,
        task: AbortHandle,
    ) -> Consumer {
        Consumer {
            settings,
            nudges,
            task,
            catalog: None,
            serial: Serial::default(),
            expires_at: None,
            accepted: None,
            said: Said::default(),
        }
    }

    fn say_read(&mut self, name: &Name, catalog: Option<&Catalog>, fault: Option<&String>) {
        let (text, serial) = (zone_text(name), self.serial);
        match (catalog, fault) {
            (Some(catalog), _) => tracing::info!(target: "catalog",
                "catalog {text} serial {serial} has {} members", catalog.members.len()),
            (None, Some(fault)) if self.said.fault.as_ref() != Some(fault) => {
                tracing::error!(target: "catalog",
                    "catalog {text} serial {serial} is broken and changes nothing: {fault}");
            }
            (None, _) => {}
        }
        self.said.fault = fault.cloned();
        self.said.held = None;
    }
}

/// The groups of each member, made printable.
fn groups(catalog: &Catalog) -> BTreeMap<Name, Vec<String>> {
    let texts = |groups: &Vec<Vec<u8>>| {
        groups.iter().map(|group| group.escape_ascii().to_string()).collect()
    };
    catalog.members.iter().map(|(zone, member)| (zone.clone(), texts(&member.groups))).collect()
}
