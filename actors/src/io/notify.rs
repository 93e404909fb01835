//! Telling a secondary once that a zone has changed: NOTIFY (RFC 1996 §3.7, §4.7), signed where a
//! key is named (RFC 8945), over TLS where the remote has it (RFC 9103).
//! In: whom, which zone, its SOA. Out: that he acknowledged it, or why not.
//! Never: an answer that [`exchange`](super::exchange) does not take. Limit: [`ANSWER_MAX`] for
//! the answer.

use super::exchange::{ExchangeError, Question, random_id};
use crate::runtime::Clock;
use dnssec::Name;
use dnssec::transfer::message::{RecordData, notify};
use dnssec::transfer::peers::Remote;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// So long the answer is waited for; OpenDNSSEC tries again after this time.
pub const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Sends one NOTIFY, and waits for the answer. `source` is the address that it comes from.
pub async fn tell(
    remote: &Remote,
    source: Option<IpAddr>,
    zone: &Name,
    soa: RecordData<'_>,
    clock: &Clock,
) -> Result<(), ExchangeError> {
    let asked = notify(random_id()?, zone, Some(soa));
    let question = Question::new(remote, source, asked, clock);
    let answered = async {
        match remote.tls {
            None => question.by_datagram().await,
            Some(_) => question.by_stream().await,
        }
    };
    let answered = timeout(ANSWER_MAX, answered).await;
    answered.unwrap_or(Err(ExchangeError::NoAnswer)).map(|_| ())
}
