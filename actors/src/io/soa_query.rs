//! Asking a secondary which version of a zone it has: its SOA, by UDP, then by TCP where nothing or
//! not all comes; by TLS alone where the remote has it. RFC 1034 §4.3.5, RFC 7766, RFC 9103.
//! In: whom, which zone. Out: the serial, or why there is none.
//! Limits: [`UDP_TRIES`] of [`UDP_WAIT`], then [`STREAM_WAIT`].

use super::exchange::{ExchangeError, Question, random_id};
use crate::runtime::Clock;
use dnssec::transfer::message::{Response, query};
use dnssec::transfer::peers::Remote;
use dnssec::{Name, RrType, Serial};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// How often it is asked by UDP.
const UDP_TRIES: usize = 2;
/// How long each answer is waited for.
const UDP_WAIT: Duration = Duration::from_secs(2);
/// How long a connection with all it takes may last.
const STREAM_WAIT: Duration = Duration::from_secs(10);

/// Why a secondary shows no version.
#[derive(Debug, thiserror::Error)]
pub enum NoSerial {
    /// It does not answer, or with an error.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// It answers as somebody who does not serve the zone.
    #[error("it answers without authority for the zone")]
    NoAuthority,
    /// It has no SOA of the zone.
    #[error("it answers without a SOA")]
    NoSoa,
}

/// The serial of the version that a secondary serves.
pub async fn serial_at(
    remote: &Remote,
    source: Option<IpAddr>,
    zone: &Name,
    clock: &Clock,
) -> Result<Serial, NoSerial> {
    let response = answer(remote, source, zone, clock).await?;
    if !response.is_authoritative {
        return Err(NoSerial::NoAuthority);
    }
    response.serial.ok_or(NoSerial::NoSoa)
}

async fn answer(
    remote: &Remote,
    source: Option<IpAddr>,
    zone: &Name,
    clock: &Clock,
) -> Result<Response, ExchangeError> {
    let tries = if remote.tls.is_none() { UDP_TRIES } else { 0 };
    for _ in 0..tries {
        let asked = query(random_id()?, zone, RrType::SOA, None);
        let question = Question::new(remote, source, asked, clock);
        match timeout(UDP_WAIT, question.by_datagram()).await {
            Ok(Ok(response)) if response.is_truncated => break,
            Ok(Err(ExchangeError::Io(_))) => break,
            Ok(answered) => return answered,
            Err(_) => {}
        }
    }
    let asked = query(random_id()?, zone, RrType::SOA, None);
    let question = Question::new(remote, source, asked, clock);
    timeout(STREAM_WAIT, question.by_stream()).await.unwrap_or(Err(ExchangeError::NoAnswer))
}
