//! Connections of SSH clients: taken in, watched until they have logged in, closed when they do
//! not. In: sockets that listen. Out: one task for each connection; a fault or a panic in one is
//! logged and ends that one.

use super::entrance::{Entrance, Number};
use super::handler::{Guest, Sessions};
use super::histories::Histories;
use super::{LOGIN_MAX, Settings};
use russh::server::{Config, run_stream};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

/// When the system has no more room for connections, it is asked again after this.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// Those who wait, and how each is told to go.
#[derive(Default)]
struct Doorway {
    entrance: Entrance,
    told: HashMap<Number, Arc<Notify>>,
}

/// What all connections share.
pub(super) struct Server {
    settings: Arc<Settings>,
    config: Arc<Config>,
    sessions: Arc<Sessions>,
    histories: Arc<Histories>,
    doorway: Mutex<Doorway>,
}

impl Server {
    pub(super) fn new(settings: Settings, config: Config) -> Arc<Server> {
        let (settings, config) = (Arc::new(settings), Arc::new(config));
        let (sessions, histories, doorway) = Default::default();
        Arc::new(Server { settings, config, sessions, histories, doorway })
    }

    /// Takes connections until the process ends. `numbers` are this listener's own.
    pub(super) async fn accept(
        self: Arc<Server>,
        listener: TcpListener,
        mut numbers: impl Iterator<Item = Number>,
    ) {
        loop {
            match listener.accept().await {
                Ok((stream, source)) => {
                    // More connections than there are numbers do not come.
                    let Some(number) = numbers.next() else { return };
                    tokio::spawn(self.clone().attend(stream, source, number));
                }
                // No file is left, or the client has gone again. The next time it may be better;
                // waiting is on a signal that nobody gives, since nothing may sleep here.
                Err(cause) => {
                    tracing::error!(target: "ssh-host", "cannot take a connection: {cause}");
                    let _ = timeout(ROOM_PAUSE, Notify::new().notified()).await;
                }
            }
        }
    }

    /// One connection, from its beginning to its end.
    async fn attend(self: Arc<Server>, stream: TcpStream, source: SocketAddr, number: Number) {
        let told = self.enter(number, source);
        let ended = self.converse(stream, source, number, &told).await;
        self.leave(number);
        match ended {
            Ok(()) => tracing::info!(target: "ssh-host", "{source}: gone"),
            Err(fault) => tracing::info!(target: "ssh-host", "{source}: gone: {fault}"),
        }
    }

    async fn converse(
        &self,
        stream: TcpStream,
        source: SocketAddr,
        number: Number,
        told: &Notify,
    ) -> Result<(), ConnectionError> {
        // The library owns the connection from here on; by this second handle it can be closed
        // whatever the library is doing.
        let stream = stream.into_std()?;
        let handle = stream.try_clone()?;
        let stream = TcpStream::from_std(stream)?;
        stream.set_nodelay(true)?;
        let admitted = Arc::new(Notify::new());
        let guest = Guest {
            settings: self.settings.clone(),
            sessions: self.sessions.clone(),
            histories: self.histories.clone(),
            source,
            admitted: admitted.clone(),
            holder: None,
            offers: 0,
            channels: HashSet::new(),
            running: HashSet::new(),
        };
        let config = self.config.clone();
        let mut whole = Box::pin(async move { run_stream(config, stream, guest).await?.await });
        let login = async {
            tokio::select! {
                () = admitted.notified() => Ok(()),
                () = told.notified() => Err(ConnectionError::Crowded),
            }
        };
        let refused = tokio::select! {
            ended = &mut whole => return Ok(ended?),
            login = timeout(LOGIN_MAX, login) => match login {
                Ok(login) => login.err(),
                Err(_) => Some(ConnectionError::TooSlow),
            },
        };
        match refused {
            None => {
                self.leave(number);
                Ok(whole.await?)
            }
            Some(why) => {
                // It may be closed already.
                let _ = handle.shutdown(Shutdown::Both);
                Err(why)
            }
        }
    }

    fn enter(&self, number: Number, source: SocketAddr) -> Arc<Notify> {
        let mut doorway = self.doorway.lock().unwrap_or_else(PoisonError::into_inner);
        let told = Arc::new(Notify::new());
        if let Some(leaving) = doorway.entrance.enter(number, source.ip())
            && let Some(other) = doorway.told.remove(&leaving)
        {
            other.notify_one();
        }
        doorway.told.insert(number, told.clone());
        told
    }

    fn leave(&self, number: Number) {
        let mut doorway = self.doorway.lock().unwrap_or_else(PoisonError::into_inner);
        doorway.entrance.leave(number);
        doorway.told.remove(&number);
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("no login within {LOGIN_MAX:?}")]
    TooSlow,
    #[error("no login yet, and others wait")]
    Crowded,
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Protocol(#[from] russh::Error),
}
