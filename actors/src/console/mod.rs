//! The console: takes operators' commands from the control sockets and answers them.
//! In: connections; requests of the control protocol. Out: answers, orders to zones and to `main`.
//!
//! Files: [`connection`] one client's conversation, [`dispatch`] from words to handler,
//! `*_commands` the handlers, a function table for each family, [`site`] what handlers see,
//! [`catalogue`] what the configuration says. A new command is an entry in the one table
//! (`console-protocol`) and one in a function table here; a test compares the two.
//!
//! Lowest tier: it may ask everybody, with a deadline, and nobody asks it. Answers come from what
//! is observed already; a command that has to wait does so in its own connection, so that no other
//! one does. A panic in a handler restarts this actor: its clients lose their connections, and
//! the sockets stay.
//! Limits: [`CONNECTIONS_MAX`] connections; the deadlines of [`connection`] and [`dispatch`].

mod alarms;
mod appliance_commands;
mod audit_log;
mod audit_show;
mod audit_waivers;
mod catalog_commands;
pub(crate) mod catalog_members;
pub mod catalogue;
mod config_commands;
mod connection;
mod dispatch;
mod enforcer_commands;
mod hints;
mod input_commands;
mod key_backup;
mod key_change;
mod key_commands;
mod key_ds;
mod key_export;
mod key_import;
mod key_list;
mod key_past;
mod key_schedule;
mod key_show;
mod key_signconf;
mod key_view;
mod ksm_backup;
mod ksm_change;
mod ksm_commands;
mod ksm_database;
mod ksm_dates;
mod ksm_ds;
mod ksm_export;
mod ksm_generate;
mod ksm_import;
mod ksm_keys;
mod ksm_lists;
mod ksm_policies;
mod ksm_update;
mod ksm_zones;
mod listing;
mod look_ahead;
mod monitor_commands;
mod output;
mod parent_commands;
mod plan_commands;
mod policy_change;
mod policy_commands;
mod preview;
mod request_commands;
mod show_commands;
mod signer_commands;
pub mod site;
mod support_bundle;
mod text;
mod update;
mod update_commands;
mod zone_adapters;
mod zone_commands;
mod zone_files;
mod zone_show;
mod zonelist_commands;

pub use key_import::parse_time;
pub use output::{Output, Wish};
pub use update::reload;

use crate::io::control_socket::ControlSocket;
use crate::runtime::{Actor, ActorFutureExt, AsyncContext, Child, Context, Supervised, WrapFuture};
use site::Site;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// Connections at one time; one more is told so and closed.
pub const CONNECTIONS_MAX: usize = 32;
/// Pause after a connection that could not be taken.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What outlives the console's restarts.
pub struct ConsoleParts {
    /// Where commands come in.
    pub sockets: Vec<Arc<ControlSocket>>,
    /// What handlers see.
    pub site: Arc<Site>,
}

/// The actor.
pub struct ConsoleActor {
    parts: Arc<ConsoleParts>,
    observed: ConsoleObserved,
}

/// What operators see of the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleObserved {
    /// Connections that are open.
    pub open: usize,
    /// Connections since the last start.
    pub accepted: u64,
    /// Connections that were one too many since the last start.
    pub refused: u64,
}

impl ConsoleActor {
    /// A console; the parts outlive its restarts.
    pub fn new(parts: Arc<ConsoleParts>) -> ConsoleActor {
        ConsoleActor { parts, observed: ConsoleObserved::default() }
    }

    /// Takes the next connection, and then the one after it.
    fn accept(&self, listener: Arc<UnixListener>, ctx: &mut Context<ConsoleActor>) {
        let own = listener.clone();
        let next = async move { own.accept().await };
        ctx.spawn(next.into_actor(self).map(move |accepted, actor, ctx| match accepted {
            Ok((stream, _)) => {
                actor.converse(stream, ctx);
                actor.accept(listener, ctx);
            }
            Err(error) => {
                // Usually too many open files: a moment later there may be fewer.
                tracing::error!(target: "cmdhandler", %error, "a connection was not taken");
                ctx.run_later(ACCEPT_PAUSE, |actor, ctx| actor.accept(listener, ctx));
            }
        }));
    }

    fn converse(&mut self, stream: UnixStream, ctx: &mut Context<ConsoleActor>) {
        self.observed.accepted += 1;
        if self.observed.open >= CONNECTIONS_MAX {
            self.observed.refused += 1;
            ctx.spawn(connection::refuse(stream).into_actor(self));
            return;
        }
        self.observed.open += 1;
        let conversation = connection::converse(stream, self.parts.site.clone());
        ctx.spawn(conversation.into_actor(self).map(|(), actor, _| actor.observed.open -= 1));
    }
}

impl Actor for ConsoleActor {
    type Context = Context<ConsoleActor>;

    fn started(&mut self, ctx: &mut Context<ConsoleActor>) {
        for socket in &self.parts.sockets {
            match socket.listener().and_then(UnixListener::from_std) {
                Ok(listener) => self.accept(Arc::new(listener), ctx),
                Err(error) => {
                    let path = socket.path().display();
                    tracing::error!(target: "cmdhandler", %error, "cannot listen at {path}");
                }
            }
        }
    }
}

impl Supervised for ConsoleActor {
    fn restarting(&mut self, _: &mut Context<ConsoleActor>) {
        self.observed = ConsoleObserved::default();
    }
}

impl Child for ConsoleActor {
    type Observed = ConsoleObserved;

    fn observe(&self) -> ConsoleObserved {
        self.observed
    }
}

#[cfg(test)]
mod tests;
