//! The listeners: sockets, framing, places, limits in time. RFC 1035 §4.2, RFC 7766, RFC 9210.
//! In: addresses and ports; messages and connections from outside. Out: what
//! [`transfers::requests`](crate::transfers::requests) answers.
//! Never: decisions about what is answered. Ports are bound once, before privileges are given up;
//! each life of the server listens on copies.
//! Limits: those of [`quota`] and [`pace`]; refusals by UDP as [`REFUSALS_PER_SECOND`] says.

pub mod holder;
pub mod pace;
pub mod quota;
mod tcp;
mod udp;

use crate::io::tls::{TlsError, TlsServer};
use crate::runtime::Clock;
use crate::transfers::requests::Desk;
use crate::transfers::streaming::Sender;
use appliance_config::Interface;
use dnssec::transfer::peers::ListenerTls;
use holder::{Protocol, holder_of};
use quota::Quota;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Refusals that are sent by UDP in one second: whoever is refused may be another than he says.
pub const REFUSALS_PER_SECOND: u32 = 200;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Somebody else has the port.
    #[error(
        "<Listener>: cannot listen on {address} port {} ({protocol}): it is in use{}; stop that, \
         or choose another <Port> in conf.xml",
        address.port(),
        by(holder.as_ref())
    )]
    InUse {
        /// Where.
        address: SocketAddr,
        /// How.
        protocol: Protocol,
        /// Who has it, where that can be seen.
        holder: Option<holder::Holder>,
    },
    /// The system refuses.
    #[error(
        "<Listener>: cannot listen on {} port {} ({protocol}): {cause}",
        address.ip(),
        address.port()
    )]
    System {
        /// Where.
        address: SocketAddr,
        /// How.
        protocol: Protocol,
        /// The system's words.
        #[source]
        cause: io::Error,
    },
    /// Certificate or key are of no use.
    #[error("<Listener>: cannot listen with TLS on {} port {}: {cause}", address.ip(),
        address.port())]
    Tls {
        /// Where.
        address: SocketAddr,
        /// What is wrong with them.
        #[source]
        cause: Box<TlsError>,
    },
}

fn by(holder: Option<&holder::Holder>) -> String {
    match holder {
        Some(holder::Holder { process, name }) => format!(" by {name} (process {process})"),
        None => " (by a process of another user, or in another container)".to_owned(),
    }
}

/// A port that is listened on.
#[derive(Debug)]
pub struct Bound {
    /// Where.
    pub address: SocketAddr,
    /// `None`: by TLS there are only connections.
    udp: Option<UdpSocket>,
    tcp: TcpListener,
    tls: Option<Arc<TlsServer>>,
}

impl Bound {
    /// Listens on the interfaces of conf.xml.
    pub fn all(interfaces: &[Interface]) -> Result<Vec<Bound>, ListenError> {
        interfaces.iter().map(Bound::one).collect()
    }

    fn one(interface: &Interface) -> Result<Bound, ListenError> {
        let at = |ip: IpAddr| Bound::at(SocketAddr::new(ip, interface.port), &interface.tls);
        match interface.address {
            Some(address) => at(address),
            // The socket of IPv6 takes IPv4, too; a machine without IPv6 has none.
            None => match at(Ipv6Addr::UNSPECIFIED.into()) {
                Err(ListenError::System { .. }) => at(Ipv4Addr::UNSPECIFIED.into()),
                found => found,
            },
        }
    }

    fn at(address: SocketAddr, tls: &Option<ListenerTls>) -> Result<Bound, ListenError> {
        let read = |files| {
            TlsServer::new(files)
                .map(Arc::new)
                .map_err(|cause| ListenError::Tls { address, cause: Box::new(cause) })
        };
        let tls = tls.as_ref().map(read).transpose()?;
        let fail = |protocol, cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => {
                let holder = holder_of(protocol, address.port());
                ListenError::InUse { address, protocol, holder }
            }
            _ => ListenError::System { address, protocol, cause },
        };
        let tcp = TcpListener::bind(address).map_err(|cause| fail(Protocol::Tcp, cause))?;
        // With port 0, for tests, both have to get the same.
        let address = tcp.local_addr().map_err(|cause| fail(Protocol::Tcp, cause))?;
        tcp.set_nonblocking(true).map_err(|cause| fail(Protocol::Tcp, cause))?;
        let udp = match &tls {
            Some(_) => None,
            None => {
                let udp = UdpSocket::bind(address).map_err(|cause| fail(Protocol::Udp, cause))?;
                udp.set_nonblocking(true).map_err(|cause| fail(Protocol::Udp, cause))?;
                Some(udp)
            }
        };
        Ok(Bound { address, udp, tcp, tls })
    }

    /// The same sockets, for another life of the server.
    pub fn copy(&self) -> io::Result<Bound> {
        Ok(Bound {
            address: self.address,
            udp: self.udp.as_ref().map(UdpSocket::try_clone).transpose()?,
            tcp: self.tcp.try_clone()?,
            tls: self.tls.clone(),
        })
    }
}

/// What all listeners of a server share.
pub struct Server {
    /// Answers requests.
    pub desk: Desk,
    /// Sends transfers.
    pub sender: Sender,
    /// The time.
    pub clock: Clock,
    /// Places for connections.
    pub quota: Quota,
    /// What it did.
    pub counts: Counts,
    refusals: Mutex<Refusals>,
}

/// What a server did since it was made.
#[derive(Debug, Default)]
pub struct Counts {
    /// Requests by UDP.
    pub datagrams: AtomicU64,
    /// Connections that were given a place.
    pub connections: AtomicU64,
    /// Connections for which there was no place.
    pub turned_away: AtomicU64,
    /// Transfers sent to their end.
    pub transfers: AtomicU64,
    /// Requests that crashed what answers them.
    pub crashes: AtomicU64,
}

/// How many refusals were sent in the second that is running.
#[derive(Debug, Default)]
struct Refusals {
    second: u64,
    count: u32,
}

impl Server {
    /// A server that nobody can reach yet.
    pub fn new(desk: Desk, sender: Sender, clock: Clock) -> Server {
        let (quota, counts) = (Quota::default(), Counts::default());
        Server { desk, sender, clock, quota, counts, refusals: Mutex::default() }
    }

    /// Whether one more refusal may be sent by UDP.
    fn may_refuse(&self) -> bool {
        let second = self.clock.uptime().as_secs();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if refusals.second != second {
            *refusals = Refusals { second, count: 0 };
        }
        refusals.count += 1;
        refusals.count <= REFUSALS_PER_SECOND
    }

    fn crashed(&self, peer: SocketAddr) {
        self.counts.crashes.fetch_add(1, Relaxed);
        tracing::error!(target: "query", %peer,
            "a request of {peer} crashed what answers it: it got no answer; please report this");
    }
}

/// Pause after the system refuses what nobody can mend at once, as when it is out of descriptors.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// Serves on all ports until it is dropped. Must be called in a runtime of its own: a transfer
/// takes as much of it as the reader does.
pub async fn serve(bound: Vec<Bound>, server: Arc<Server>) -> io::Result<()> {
    let mut listeners = tokio::task::JoinSet::new();
    for Bound { udp, tcp, tls, .. } in bound {
        if let Some(udp) = udp {
            let udp = tokio::net::UdpSocket::from_std(udp)?;
            listeners.spawn(udp::serve(udp, server.clone()));
        }
        let tcp = tokio::net::TcpListener::from_std(tcp)?;
        listeners.spawn(tcp::serve(tcp, tls, server.clone()));
    }
    // They do not end but by a panic, which then is that of the whole server.
    match listeners.join_next().await {
        Some(Err(crash)) => Err(io::Error::other(crash)),
        Some(Ok(())) | None => Ok(()),
    }
}
