//! Who may ask what of a zone's transfers, and whom we ask and tell: the values of an addns.xml.
//! RFC 1995, 1996, 5936 (who), RFC 8945 (keys), RFC 9103 (TLS).
//! In: texts of prefixes; an address and the key that a request was signed with.
//! Out: [`Inbound`], [`Outbound`], [`permits`]. What is not listed is not allowed.
//! Never: sockets, files; the paths here are only carried.
//! Limits: [`PEER_COUNT_MAX`] of each kind in one zone, [`PIN_COUNT_MAX`] pins of a server.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use super::tsig::TsigKey;
use super::watch::WatchLimit;
use crate::name::Name;

/// Most peers, and most remotes, in one list of a zone.
pub const PEER_COUNT_MAX: usize = 256;
/// Most pins of one server.
pub const PIN_COUNT_MAX: usize = 16;
/// Where DNS is asked for in clear text.
pub const DNS_PORT: u16 = 53;
/// Where DNS over TLS is asked for (RFC 7858 §3.1).
pub const TLS_PORT: u16 = 853;

/// Where a zone comes from: `<Inbound>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inbound {
    /// `<RequestTransfer>`: the servers to transfer from, in the order in which they are tried.
    pub masters: Vec<Remote>,
    /// `<AllowNotify>`: who may say that the zone has changed.
    pub allow_notify: Vec<Peer>,
    /// `<AllowUpdate>`, ours: who may change the unsigned zone (RFC 2136). Each has a key.
    pub allow_update: Vec<Peer>,
    /// `<InitialFile>`, ours: the zone file that a zone without masters begins with. `%zone` stands
    /// for the zone's name.
    pub initial_file: Option<String>,
}

impl Inbound {
    /// Whether the zone is changed by updates alone, and nobody is asked for it.
    pub fn is_updated_only(&self) -> bool {
        self.masters.is_empty()
    }
}

/// Where a zone goes to: `<Outbound>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// `<ProvideTransfer>`: who may transfer the zone and ask for its SOA.
    pub provide_transfer: Vec<Peer>,
    /// `<Notify>`: who is told of a new version, and watched whether it has it.
    pub notify: Vec<Remote>,
    /// `<Watch>`, ours: when one that lacks it is an alarm.
    pub watch: WatchLimit,
}

/// `<Remote>`: a server that we talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// `<Address>` and `<Port>` (53, or 853 with TLS).
    pub address: SocketAddr,
    /// `<Key>`: what requests to it are signed with.
    pub key: Option<Arc<TsigKey>>,
    /// `<TLS>`, ours; `None`: clear text.
    pub tls: Option<RemoteTls>,
}

/// How a server proves that it is the one (RFC 9103 §9.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteTls {
    /// Encrypted, but whoever answers is believed. Never clear text.
    Opportunistic,
    /// Without one of these proofs there is no connection. At least one of `name` and `pins` is
    /// given; with both, both have to hold.
    Strict {
        /// `<Name>`: the name that its certificate has to be for.
        name: Option<String>,
        /// `<CAFile>`: PEM file of the authorities that certificates with that name are believed
        /// from; `None`: those of the system.
        ca_file: Option<PathBuf>,
        /// `<Pin>`: SHA-256 of the SubjectPublicKeyInfo; one of them has to be the server's.
        pins: Vec<SpkiPin>,
    },
}

/// SHA-256 of a SubjectPublicKeyInfo (RFC 7858 §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpkiPin(pub [u8; 32]);

/// What a listener shows to those who connect with TLS; files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// `<CertificateFile>`: the certificate, and those that lead to the authority.
    pub certificate_file: PathBuf,
    /// `<KeyFile>`: its private key.
    pub key_file: PathBuf,
}

/// `<Peer>`: who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `<Prefix>`: from which addresses; `None`: from any.
    pub prefix: Option<Prefix>,
    /// `<Key>`: what its requests are signed with; `None`: they are not signed at all.
    pub key: Option<Arc<TsigKey>>,
}

/// Whether a request from `address` is one that `peers` allow. `key` is the name of the key that
/// its TSIG was **verified** with; `None`: the request has no TSIG. A peer without key allows only
/// requests without TSIG, as OpenDNSSEC has it; a request with a wrong TSIG is never asked about.
pub fn permits(peers: &[Peer], address: IpAddr, key: Option<&Name>) -> bool {
    peers.iter().any(|peer| {
        peer.key.as_ref().map(|own| own.name()) == key
            && peer.prefix.as_ref().is_none_or(|prefix| prefix.contains(address))
    })
}

/// The key of this name among those of `peers`: what a request that claims it is verified with.
/// Names of keys belong to one addns.xml, so that a name means one key in a zone.
pub fn key_named<'p>(peers: &'p [Peer], name: &Name) -> Option<&'p Arc<TsigKey>> {
    peers.iter().filter_map(|peer| peer.key.as_ref()).find(|key| key.name() == name)
}

/// Whether `address` is one of some peer: who is not, gets only what is left of a full server.
pub fn lists(peers: &[Peer], address: IpAddr) -> bool {
    peers.iter().any(|peer| peer.prefix.as_ref().is_some_and(|prefix| prefix.contains(address)))
}

/// Addresses of one family, in one of the four forms of addns.xml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// `192.0.2.1`.
    Address(IpAddr),
    /// `192.0.2.0/24`.
    Subnet {
        /// An address in it.
        address: IpAddr,
        /// Leading bits that are the same in all.
        bits: u8,
    },
    /// `192.0.2.0&255.255.255.0`.
    Mask {
        /// An address in it.
        address: IpAddr,
        /// The bits that are the same in all.
        mask: IpAddr,
    },
    /// `192.0.2.1-192.0.2.9`, both ends included.
    Range {
        /// The lowest.
        first: IpAddr,
        /// The highest.
        last: IpAddr,
    },
}

/// Why a text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// A part of it is no address.
    #[error(
        "'{text}' is not an IP address; a prefix is an address, address/bits, address&mask or \
         first-last"
    )]
    Address {
        /// That part.
        text: String,
        /// Why.
        #[source]
        cause: AddrParseError,
    },
    /// `/` without a number of bits.
    #[error("/{text} is not a number of bits from 0 to {most}")]
    Bits {
        /// What stands behind the `/`.
        text: String,
        /// Bits of an address.
        most: u8,
    },
    /// IPv4 on one side, IPv6 on the other.
    #[error("{first} and {second} are not of the same family")]
    Families {
        /// The first address.
        first: IpAddr,
        /// The second.
        second: IpAddr,
    },
    /// A range that is empty.
    #[error("the range is empty: {first} is above {last}; write the lower address first")]
    Empty {
        /// The first address.
        first: IpAddr,
        /// The second.
        last: IpAddr,
    },
}

impl Prefix {
    /// Whether `address` is one of these. An IPv4 address in the form `::ffff:a.b.c.d`, as a
    /// socket for both families has it, is an IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let asked = address.to_canonical();
        let own = match *self {
            Prefix::Address(own)
            | Prefix::Subnet { address: own, .. }
            | Prefix::Mask { address: own, .. }
            | Prefix::Range { first: own, .. } => own,
        };
        if own.is_ipv4() != asked.is_ipv4() {
            return false;
        }
        let differing = number(own) ^ number(asked);
        match *self {
            Prefix::Address(_) => differing == 0,
            Prefix::Subnet { bits, .. } => {
                let others = width(own) - u32::from(bits);
                differing.checked_shr(others).unwrap_or(0) == 0
            }
            Prefix::Mask { mask, .. } => differing & number(mask) == 0,
            Prefix::Range { first, last } => {
                (number(first)..=number(last)).contains(&number(asked))
            }
        }
    }
}

/// Bits of an address.
fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { Ipv4Addr::BITS } else { Ipv6Addr::BITS }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Prefix, PrefixError> {
        // In the order in which OpenDNSSEC looks for them.
        if let Some((address, mask)) = text.split_once('&') {
            let (address, mask) = pair(address, mask)?;
            return Ok(Prefix::Mask { address, mask });
        }
        if let Some((address, bits)) = text.split_once('/') {
            let address = ip(address)?;
            // Never more than 128.
            let most = width(address) as u8;
            let all_digits = !bits.is_empty() && bits.bytes().all(|octet| octet.is_ascii_digit());
            return match bits.parse() {
                Ok(bits) if all_digits && bits <= most => Ok(Prefix::Subnet { address, bits }),
                _ => Err(PrefixError::Bits { text: shown(bits), most }),
            };
        }
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = pair(first, last)?;
            return match number(first) <= number(last) {
                true => Ok(Prefix::Range { first, last }),
                false => Err(PrefixError::Empty { first, last }),
            };
        }
        Ok(Prefix::Address(ip(text)?))
    }
}

fn ip(text: &str) -> Result<IpAddr, PrefixError> {
    let parsed: Result<IpAddr, _> = text.trim_ascii().parse();
    parsed
        .map(|address| address.to_canonical())
        .map_err(|cause| PrefixError::Address { text: shown(text), cause })
}

/// Two addresses of one family.
fn pair(first: &str, second: &str) -> Result<(IpAddr, IpAddr), PrefixError> {
    let (first, second) = (ip(first)?, ip(second)?);
    match first.is_ipv4() == second.is_ipv4() {
        true => Ok((first, second)),
        false => Err(PrefixError::Families { first, second }),
    }
}

/// A text from outside, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The form that it is read from.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Prefix::Address(address) => write!(f, "{address}"),
            Prefix::Subnet { address, bits } => write!(f, "{address}/{bits}"),
            Prefix::Mask { address, mask } => write!(f, "{address}&{mask}"),
            Prefix::Range { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests;
