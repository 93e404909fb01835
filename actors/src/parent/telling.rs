//! Telling a parent by NOTIFY(CDS) that a zone changed what it asks for (RFC 9859 §4).
//! In: a zone, resolvers. Out: who acknowledged, that nobody wants to know, or why it failed.
//! Where it goes is `dnssec::parent`'s to say. Resolvers are believed: a target that is not the
//! parent's learns that the zone changed, and no more (RFC 9859 §5).
//! Limits: [`TARGET_ADDRESSES_MAX`] addresses of a target; those of `dns_query`.

use crate::io::dns_query::{self, Asked, QueryError};
use dnssec::parent::{
    AnswerRecord, Discovery, DiscoveryError, Lookup, NotifyPolicy, NotifyTarget, Response,
};
use dnssec::{Name, RrType};
use futures_util::future::BoxFuture;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Most addresses of a target that are told, until one acknowledges.
const TARGET_ADDRESSES_MAX: usize = 8;

/// What came of telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It was acknowledged.
    Acknowledged {
        /// By this host of the parent's choice.
        host: Box<Name>,
        /// At this address.
        address: SocketAddr,
    },
    /// The parent has no DSYNC record for it.
    NobodyWants,
}

/// Why a parent was not told.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    /// No resolver answered a question.
    #[error("resolver {server} {cause}")]
    Resolver {
        /// The last one asked.
        server: SocketAddr,
        /// Why.
        #[source]
        cause: ResolverError,
    },
    /// The target has no address.
    #[error("the parent's target {host} has no address")]
    NoAddress {
        /// The target.
        host: Box<Name>,
    },
    /// No address of the target acknowledged.
    #[error("{address} {cause}")]
    Target {
        /// The last one told.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: ResolverError,
    },
}

/// Why a server did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// No answer.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An error.
    #[error(transparent)]
    Code(#[from] DiscoveryError),
}

/// How a parent is told.
pub type Tell =
    Arc<dyn Fn(Name, NotifyPolicy) -> BoxFuture<'static, Result<Told, TellError>> + Send + Sync>;

/// Tells by the network.
pub(super) fn network() -> Tell {
    Arc::new(|zone, policy| Box::pin(async move { tell(&zone, &policy.resolvers).await }))
}

async fn tell(zone: &Name, resolvers: &[SocketAddr]) -> Result<Told, TellError> {
    let Some(target) = discover(zone, resolvers).await? else { return Ok(Told::NobodyWants) };
    let NotifyTarget { host, port } = target;
    let mut failure = TellError::NoAddress { host: Box::new(host.clone()) };
    for ip in addresses(&host, resolvers).await? {
        let address = SocketAddr::new(ip, port);
        let cause = match dns_query::notify(address, zone, RrType::CDS).await {
            Ok(Response { rcode: 0, .. }) => {
                return Ok(Told::Acknowledged { host: Box::new(host), address });
            }
            Ok(response) => DiscoveryError(response.rcode).into(),
            Err(error) => error.into(),
        };
        failure = TellError::Target { address, cause };
    }
    Err(failure)
}

async fn discover(
    zone: &Name,
    resolvers: &[SocketAddr],
) -> Result<Option<NotifyTarget>, TellError> {
    // The root has no parent.
    let Some(mut discovery) = Discovery::new(zone) else { return Ok(None) };
    loop {
        let (server, response) = resolve(resolvers, discovery.question(), Discovery::RTYPE).await?;
        let answered = discovery.answered(&response);
        match answered.map_err(|cause| TellError::Resolver { server, cause: cause.into() })? {
            Lookup::Again(next) => discovery = *next,
            Lookup::Found(target) => return Ok(Some(*target)),
            Lookup::Nothing => return Ok(None),
        }
    }
}

async fn addresses(host: &Name, resolvers: &[SocketAddr]) -> Result<Vec<IpAddr>, TellError> {
    let mut addresses = Vec::new();
    for rtype in [RrType::AAAA, RrType::A] {
        let (_, response) = resolve(resolvers, host, rtype).await?;
        // A resolver follows aliases, so that the owner may be another name.
        let of_type = response.answers.iter().filter(|record| record.rtype == rtype);
        addresses.extend(of_type.filter_map(address).take(TARGET_ADDRESSES_MAX / 2));
    }
    Ok(addresses)
}

fn address(record: &AnswerRecord) -> Option<IpAddr> {
    let rdata = record.rdata.as_slice();
    let four = <[u8; 4]>::try_from(rdata).ok().map(IpAddr::from);
    four.or_else(|| <[u8; 16]>::try_from(rdata).ok().map(IpAddr::from))
}

/// The first resolver's answer that is one.
async fn resolve(
    resolvers: &[SocketAddr],
    name: &Name,
    rtype: RrType,
) -> Result<(SocketAddr, Response), TellError> {
    let mut failure = None;
    for server in resolvers.iter().copied() {
        let cause = match dns_query::ask(server, Asked::Resolver, name, rtype).await {
            Ok(response) if [0, 3].contains(&response.rcode) => return Ok((server, response)),
            Ok(response) => DiscoveryError(response.rcode).into(),
            Err(error) => error.into(),
        };
        failure = Some(TellError::Resolver { server, cause });
    }
    // The configuration has at least one.
    Err(failure.unwrap_or(TellError::NoAddress { host: Box::new(name.clone()) }))
}
