//! The transfer server: zones go out to secondaries, and masters say here that there is news.
//! In: ports, [`Publications`]. Out: answers, transfers, NOTIFYs, SOA queries to secondaries; what
//! operators see of it.
//! Sockets are served on a thread of their own: a transfer of a large zone holds up no zone's
//! signing, and the other way round; messages are packed on workers of their own, too. All of it
//! ends and begins with the actor; what is served stays.
//! Never: decisions about zones.

pub mod hearing;
pub mod outbound;
pub mod publications;
pub mod requests;
pub mod streaming;
pub mod tally;
mod telling;
pub mod updates;
mod watching;

#[cfg(test)]
mod tests;

pub use outbound::{NotifyStatus, OutboundStatus, SecondaryStatus};
pub use publications::{Publications, Published};
pub use tally::{AnsweredUpdate, UpdateTally};
pub use telling::TRIES_MAX;

use crate::io::dns_server::{Bound, Server, serve};
use crate::runtime::{
    Actor, ActorFutureExt, Arbiter, AsyncContext, Child, Clock, Context, Supervised, WorkerPool,
    WrapFuture,
};
use requests::Desk;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use streaming::Sender;
use telling::Teller;
use watching::Watcher;

/// What the server works with.
pub struct TransferParts {
    /// The ports; maybe none.
    pub bound: Vec<Bound>,
    /// What answers requests.
    pub desk: Desk,
    /// Packs messages.
    pub pool: WorkerPool,
    /// The time.
    pub clock: Clock,
}

/// The transfer server.
pub struct TransferActor {
    parts: Arc<TransferParts>,
    server: Arc<Server>,
    thread: Option<Arbiter>,
}

/// What operators see of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferObserved {
    /// Where it listens.
    pub listens: Vec<SocketAddr>,
    /// Connections now.
    pub connections: usize,
    /// Of these, from addresses that no zone lists.
    pub strangers: usize,
    /// Connections that got no place, since its last start.
    pub turned_away: u64,
    /// Requests by UDP since its last start.
    pub datagrams: u64,
    /// Transfers sent to their end since its last start.
    pub transfers: u64,
    /// Requests that crashed what answers them, since its last start.
    pub crashes: u64,
}

impl TransferActor {
    /// A server; the parts outlive its restarts.
    pub fn new(parts: Arc<TransferParts>) -> TransferActor {
        let server = server(&parts);
        TransferActor { parts, server, thread: None }
    }

    fn serve(&mut self, ctx: &mut Context<TransferActor>) {
        let thread = Arbiter::new();
        let copies: Result<Vec<Bound>, _> = self.parts.bound.iter().map(Bound::copy).collect();
        let teller = Teller {
            publications: self.parts.desk.publications.clone(),
            clock: self.parts.clock.clone(),
            source: self.parts.bound.first().map(|bound| bound.address.ip()),
        };
        let teller = Teller { source: teller.source.filter(|ip| !ip.is_unspecified()), ..teller };
        let watcher = Watcher {
            publications: teller.publications.clone(),
            served: self.parts.desk.served.clone(),
            clock: teller.clock.clone(),
            source: teller.source,
        };
        let server = self.server.clone();
        let (heard, clock) = (self.parts.desk.heard.clone(), self.parts.clock.clone());
        let (ended, end) = tokio::sync::oneshot::channel();
        let work = async move {
            let served = async { serve(copies?, server).await };
            let told = tokio::spawn(teller.run());
            let watched = tokio::spawn(watcher.run());
            let handed_on = tokio::spawn(async move { heard.run(&clock).await });
            // Without a port only the teller works, for as long as the actor does.
            let ended_by = tokio::select! {
                Err(error) = served => error.to_string(),
                Err(crash) = told => crash.to_string(),
                Err(crash) = watched => crash.to_string(),
                Err(crash) = handed_on => crash.to_string(),
                else => "nothing is left to serve".to_owned(),
            };
            // An actor that is gone does not want to know.
            let _ = ended.send(ended_by);
        };
        if !thread.spawn(work) {
            // As if it had ended at once.
            tracing::error!(target: "dnshandler", "the thread of the transfer server has ended");
        }
        self.thread = Some(thread);
        ctx.spawn(end.into_actor(self).map(|end, _, _| {
            // What ends it is a bug: the supervisor starts it anew, and counts.
            panic!("the transfer server ended: {}", end.unwrap_or_default());
        }));
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.stop();
        }
    }
}

fn server(parts: &TransferParts) -> Arc<Server> {
    let sender = Sender::new(parts.pool.clone(), parts.clock.clone());
    Arc::new(Server::new(parts.desk.clone(), sender, parts.clock.clone()))
}

impl Actor for TransferActor {
    type Context = Context<TransferActor>;

    fn started(&mut self, ctx: &mut Context<TransferActor>) {
        self.serve(ctx);
    }

    fn stopped(&mut self, _: &mut Context<TransferActor>) {
        self.end();
    }
}

impl Supervised for TransferActor {
    fn restarting(&mut self, _: &mut Context<TransferActor>) {
        self.end();
        self.server = server(&self.parts);
    }
}

impl Child for TransferActor {
    type Observed = TransferObserved;

    fn observe(&self) -> TransferObserved {
        let counts = &self.server.counts;
        let (connections, strangers) = self.server.quota.count();
        TransferObserved {
            listens: self.parts.bound.iter().map(|bound| bound.address).collect(),
            connections,
            strangers,
            turned_away: counts.turned_away.load(Relaxed),
            datagrams: counts.datagrams.load(Relaxed),
            transfers: counts.transfers.load(Relaxed),
            crashes: counts.crashes.load(Relaxed),
        }
    }
}

impl Drop for TransferActor {
    fn drop(&mut self) {
        self.end();
    }
}
