//! What an SSH client may do: prove that it holds a listed key, open sessions, and have a command
//! or the shell run in each. In: what russh has read of a connection. Out: yes or no, and a task
//! for each session.
//!
//! Everything that is not named here is refused by russh: forwarding of ports, sockets, agents and
//! screens, passwords, certificates. Limits: [`OFFERS_MAX`], [`CHANNELS_MAX`] of a connection,
//! [`SESSIONS_MAX`] in all and [`SESSIONS_OF_HOLDER_MAX`] of one key; one more waits for its place
//! for [`PLACE_WAIT_MAX`].

use super::Settings;
use super::authorized::{Holder, Terminal, check_key, holder_of};
use super::histories::Histories;
use super::session;
use russh::keys::{HashAlg, PublicKey};
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Keys that a client may offer.
const OFFERS_MAX: usize = 32;
/// Sessions of one connection.
const CHANNELS_MAX: usize = 8;
/// Sessions in all: half of the connections that the daemon takes.
pub(super) const SESSIONS_MAX: usize = 16;
/// Sessions of one key: it cannot keep the others out.
pub(super) const SESSIONS_OF_HOLDER_MAX: usize = 6;
/// How long a session waits until another one ends.
const PLACE_WAIT_MAX: Duration = Duration::from_secs(10);
/// Largest file of authorized keys.
const KEYS_OCTETS_MAX: u64 = 1 << 20;

/// Whoever is at the other end of one connection.
pub(super) struct Guest {
    pub(super) settings: Arc<Settings>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) histories: Arc<Histories>,
    pub(super) source: SocketAddr,
    /// Told when he has proved who he is.
    pub(super) admitted: Arc<Notify>,
    pub(super) holder: Option<Arc<Holder>>,
    pub(super) offers: usize,
    /// The session channels, and those of them in which something runs.
    pub(super) channels: HashSet<ChannelId>,
    pub(super) running: HashSet<ChannelId>,
}

/// How many sessions everybody has.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    counts: Mutex<HashMap<String, usize>>,
    freed: Notify,
}

/// A place among them; it is free again when this is dropped.
pub(super) struct Place {
    sessions: Arc<Sessions>,
    name: String,
}

impl Sessions {
    /// A place, perhaps after a while: the checks of a monitor come all at once, and end soon.
    async fn wait_for(self: &Arc<Sessions>, name: &str) -> Option<Place> {
        let place = async {
            loop {
                let mut freed = pin!(self.freed.notified());
                // One that is freed from here on is not missed.
                freed.as_mut().enable();
                if let Some(place) = self.take(name) {
                    return place;
                }
                freed.await;
            }
        };
        timeout(PLACE_WAIT_MAX, place).await.ok()
    }

    pub(super) fn take(self: &Arc<Sessions>, name: &str) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.get(name).copied().unwrap_or(0);
        if own >= SESSIONS_OF_HOLDER_MAX || counts.values().sum::<usize>() >= SESSIONS_MAX {
            return None;
        }
        counts.insert(name.to_owned(), own + 1);
        Some(Place { sessions: self.clone(), name: name.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.sessions.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.name) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
        drop(counts);
        self.sessions.freed.notify_waiters();
    }
}

impl Guest {
    /// Whose key it is. The file is read each time, so that a change of it is in force at once.
    fn look_up(&self, key: &PublicKey) -> Option<Holder> {
        let path = &self.settings.authorized_keys;
        let text = match read_keys(path) {
            Ok(text) => text,
            Err(cause) => {
                tracing::error!(target: "ssh-host", "{}: {cause}", path.display());
                return None;
            }
        };
        let (holder, faults) = holder_of(&text, key);
        for fault in faults.iter().take(3) {
            tracing::error!(target: "ssh-host", "{}: {fault}", path.display());
        }
        holder
    }

    fn judge(&self, key: &PublicKey, algorithm: &russh::keys::Algorithm) -> Option<Holder> {
        if let Err(fault) = check_key(key, algorithm) {
            let source = self.source;
            tracing::warn!(target: "ssh-host", "{source}: refused: {fault}");
            return None;
        }
        self.look_up(key)
    }

    /// Whether a program may begin in that channel; one each.
    fn begin(&mut self, channel: ChannelId) -> bool {
        self.channels.contains(&channel) && self.running.insert(channel)
    }
}

/// The file of keys; whoever may write to it may let anybody in.
fn read_keys(path: &std::path::Path) -> io::Result<String> {
    let file = std::fs::File::open(path)?;
    let found = file.metadata()?;
    if found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write to it; nobody is let in until chmod go-w"));
    }
    let mut text = String::new();
    file.take(KEYS_OCTETS_MAX).read_to_string(&mut text)?;
    Ok(text)
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(self.settings.banner.clone())
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        self.offers += 1;
        if self.offers > OFFERS_MAX {
            return Err(russh::Error::Disconnect);
        }
        match self.judge(offer.public_key, offer.algorithm) {
            Some(_) => Ok(Auth::Accept),
            None => Ok(Auth::reject()),
        }
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        let (source, user) = (self.source, user.escape_debug());
        let print = key.public_key.fingerprint(HashAlg::Sha256);
        let Some(holder) = self.judge(key.public_key, key.algorithm) else {
            tracing::warn!(target: "ssh-host", "{source}: {user}: {print} may not come in");
            return Ok(Auth::reject());
        };
        let (name, roles) = (&holder.name, holder.roles);
        tracing::info!(target: "ssh-host", "{source}: {name} ({roles}) is in, {print}, as {user}");
        self.holder = Some(Arc::new(holder));
        self.admitted.notify_one();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let holder = self.holder.clone().filter(|_| self.channels.len() < CHANNELS_MAX);
        let place = match holder {
            Some(holder) => self.sessions.wait_for(&holder.name).await.map(|it| (holder, it)),
            None => None,
        };
        let Some((holder, place)) = place else {
            tracing::warn!(target: "ssh-host", "{}: too many sessions", self.source);
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        self.channels.insert(channel.id());
        reply.accept().await;
        let (settings, histories) = (self.settings.clone(), self.histories.clone());
        let source = self.source;
        let connection = session.handle();
        tokio::spawn(async move {
            session::run(settings, histories, holder, source, channel).await;
            drop((place, connection));
        });
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.channels.remove(&channel);
        self.running.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let terminal = self.holder.as_ref().map(|holder| holder.terminal);
        match terminal {
            Some(Terminal::Allowed) => session.channel_success(channel),
            _ => session.channel_failure(channel),
        }
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.begin(channel) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.begin(channel) {
            true => session.channel_success(channel),
            false => session.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _col_width: u32,
        _row_height: u32,
        _pix_width: u32,
        _pix_height: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    // What follows would otherwise leave a client waiting for an answer.

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _variable_name: &str,
        _variable_value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single_connection: bool,
        _x11_auth_protocol: &str,
        _x11_auth_cookie: &str,
        _x11_screen_number: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_failure(channel)
    }
}
