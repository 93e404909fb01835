//! zonefetch.xml of OpenDNSSEC 1.1 to 1.3: the masters that every zone is transferred from.
//! In: bytes. Out: [`ZoneFetch`], in the words of addns.xml.
//! As in 1.x: one `<TSIG>` signs the requests to all masters; NOTIFY comes from the address of a
//! master, signed or not. Unlike 1.x: each master's own `<Port>` counts, not the first of all.

use std::sync::Arc;

use dnssec::transfer::peers::{DNS_PORT, Inbound, Peer, Prefix, Remote};
use dnssec::transfer::tsig::TsigKey;
use std::net::SocketAddr;

use crate::addns::{check_count, ip};
use crate::diagnostics::{FileFaults, Findings, Read};
use crate::fault::Fault;
use crate::kasp::number;
use crate::listener::Interface;
use crate::schema::{self, validate};
use crate::tree::{Element, FILE_BYTES_MAX, read_tree};
use crate::tsig_keys::Keys;

/// A zonefetch.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFetch {
    /// `<NotifyListen>`: where NOTIFY comes in; by default at port 53 of every address.
    pub notify_listen: Interface,
    /// `<Default>`: what every zone has as its input.
    pub inbound: Inbound,
}

/// Reads zonefetch.xml; `file` is its name in messages.
pub fn read_zonefetch(file: &str, bytes: &[u8]) -> Result<Read<ZoneFetch>, FileFaults> {
    let mut findings = Findings::default();
    let root = read_tree(bytes, FILE_BYTES_MAX, "ZoneFetch", &mut findings);
    let value = root.and_then(|root| {
        validate(&root, &schema::addns::ZONE_FETCH, &mut findings);
        let default = root.child("Default").filter(|_| findings.form_is_right())?;
        let notify_listen = notify_listen(&root, &mut findings);
        Some(ZoneFetch { notify_listen, inbound: inbound(default, &mut findings) })
    });
    findings.finish(file, bytes, value)
}

fn notify_listen(root: &Element<'_>, findings: &mut Findings) -> Interface {
    let mut interface = Interface { address: None, port: DNS_PORT, tls: None };
    let Some(given) = root.child("NotifyListen") else { return interface };
    if given.has("IPv4") && given.has("IPv6") {
        let fault = Fault::TooManyChoices {
            choices: "<IPv4>, <IPv6>".to_owned(),
            parent: "NotifyListen".to_owned(),
        };
        findings.push(given.tag.clone(), fault);
    }
    interface.address = address(given, findings);
    if given.has("Port") {
        interface.port = number(given, &["Port"]);
    }
    interface
}

/// The `<IPv4>` or `<IPv6>` in an element; it has to be of that family.
fn address(parent: &Element<'_>, findings: &mut Findings) -> Option<std::net::IpAddr> {
    let element = parent.child("IPv4").or(parent.child("IPv6"))?;
    let address = ip(element, findings)?;
    if address.is_ipv4() != (element.name == "IPv4") {
        let value = address.to_string();
        let (place, expected) = (format!("<{}>", element.name), element.name.to_owned());
        let expected = format!("an address of {expected}");
        findings.push(element.text_place(), Fault::BadValue { place, value, expected });
    }
    Some(address)
}

fn inbound(default: &Element<'_>, findings: &mut Findings) -> Inbound {
    let key = Keys::read(default, findings).first().cloned();
    check_count(default, "Default", "RequestTransfer", findings);
    let mut inbound = Inbound::default();
    for element in default.all("RequestTransfer") {
        let Some(address) = address(element, findings) else { continue };
        let port = if element.has("Port") { number(element, &["Port"]) } else { DNS_PORT };
        let address = SocketAddr::new(address, port);
        inbound.masters.push(Remote { address, key: key.clone(), tls: None });
        inbound.allow_notify.extend(peers_at(address, key.as_ref()));
    }
    inbound
}

/// A master may sign its NOTIFY or not; nobody asked for it.
fn peers_at(address: SocketAddr, key: Option<&Arc<TsigKey>>) -> impl Iterator<Item = Peer> {
    let prefix = Some(Prefix::Address(address.ip().to_canonical()));
    let signed = key.map(|key| Peer { prefix, key: Some(key.clone()) });
    std::iter::once(Peer { prefix, key: None }).chain(signed)
}

#[cfg(test)]
mod tests;
