//! Telling a secondary once that a zone has changed: NOTIFY (RFC 1996 §3.7, §4.7), signed where a
//! key is named (RFC 8945).
//! In: whom, which zone, its SOA. Out: that he acknowledged it, or why not.
//! Never: an answer from another address, with another id, or unsigned where we signed.
//! Limit: [`ANSWER_MAX`] for the answer.

use crate::runtime::Clock;
use dnssec::Name;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{Asked, RecordData, notify};
use dnssec::transfer::peers::Remote;
use dnssec::transfer::tsig::{TsigFault, Verifier, sign_request};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// So long the answer is waited for; OpenDNSSEC tries again after this time.
pub const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Why a secondary does not know of a version.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// Nothing came back.
    #[error("no answer")]
    NoAnswer,
    /// The system refused, or the way there is closed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It answered with an error.
    #[error("it answers {0}")]
    Refused(Rcode),
    /// Its answer is not authentic, or it does not take ours for authentic.
    #[error(transparent)]
    Tsig(#[from] TsigFault),
    /// No random id.
    #[error("no random numbers ({0})")]
    Random(#[source] getrandom::Error),
}

/// Sends one NOTIFY, and waits for the answer. `source` is the address that it comes from.
pub async fn tell(
    remote: &Remote,
    source: Option<IpAddr>,
    zone: &Name,
    soa: RecordData<'_>,
    clock: &Clock,
) -> Result<(), NotifyError> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(NotifyError::Random)?;
    let mut asked = notify(u16::from_be_bytes(id), zone, Some(soa));
    let now = clock.now();
    let verifier = remote.key.as_ref().map(|key| sign_request(key, &mut asked.octets, now));
    // A port of its own each time; connected, so that only the secondary is heard.
    let socket = UdpSocket::bind(own_address(remote.address, source)).await?;
    socket.connect(remote.address).await?;
    socket.send(&asked.octets).await?;
    match timeout(ANSWER_MAX, answer(&socket, &asked, verifier, clock)).await {
        Ok(answered) => answered,
        Err(_) => Err(NotifyError::NoAnswer),
    }
}

fn own_address(remote: SocketAddr, source: Option<IpAddr>) -> SocketAddr {
    let any: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = source.filter(|source| source.is_ipv4() == remote.is_ipv4());
    SocketAddr::new(source.unwrap_or(any), 0)
}

async fn answer(
    socket: &UdpSocket,
    asked: &Asked,
    verifier: Option<Verifier>,
    clock: &Clock,
) -> Result<(), NotifyError> {
    let mut octets = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut octets).await?;
        let message = &octets[..length];
        let Ok(response) = asked.response(message) else { continue };
        if let Some(verifier) = &verifier {
            verifier.clone().verify(message, clock.now())?;
        }
        return match response.rcode {
            Rcode::NOERROR => Ok(()),
            rcode => Err(NotifyError::Refused(rcode)),
        };
    }
}
