//! addns.xml: whom a zone is transferred from and to (OpenDNSSEC 1.4 to 2.1), with our own
//! elements:
//! - `<AllowUpdate>` in `<Inbound>`: peers that may change the unsigned zone (RFC 2136). Each has
//!   a `<Key>`. A zone with masters has none of them: its updates are for the masters;
//! - `<InitialFile>` after that: the zone file that the zone begins with, `%zone` is its name;
//! - `<Watch>` in `<Outbound>`: after what time a secondary of `<Notify>` that lacks the newest
//!   version is an alarm, or that nobody looks;
//! - `<TLS>` in `<Remote>`: zone transfers over TLS (RFC 9103). Empty, it encrypts and believes
//!   whoever answers; with `<Name>` (and `<CAFile>`, else the authorities of the system), with
//!   `<Pin>`s, or with both, there is no connection to another server.
//!
//! In: bytes. Out: [`Addns`]. Never: whether somebody answers there; a secret in a message.
//! Limits: those of `dnssec::transfer::peers`.

use std::net::{IpAddr, SocketAddr};

use data_encoding::BASE64;
use dnssec::Seconds;
use dnssec::transfer::peers::{
    DNS_PORT, Inbound, Outbound, PEER_COUNT_MAX, PIN_COUNT_MAX, Peer, Prefix, Remote, RemoteTls,
    SpkiPin, TLS_PORT,
};
use dnssec::transfer::watch::WatchLimit;

use crate::diagnostics::{FileFaults, Findings, Read};
use crate::fault::Fault;
use crate::kasp::{duration, number};
use crate::schema::{self, validate};
use crate::tree::{Element, FILE_BYTES_MAX, read_tree};
use crate::tsig_keys::Keys;

/// An addns.xml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addns {
    /// `<Inbound>`: for zones that have the file as their input.
    pub inbound: Inbound,
    /// `<Outbound>`: for zones that have the file as their output.
    pub outbound: Outbound,
}

/// Reads addns.xml; `file` is its name in messages.
pub fn read_addns(file: &str, bytes: &[u8]) -> Result<Read<Addns>, FileFaults> {
    let mut findings = Findings::default();
    let root = read_tree(bytes, FILE_BYTES_MAX, "Adapter", &mut findings);
    let value = root.and_then(|root| {
        validate(&root, &schema::addns::ADAPTER, &mut findings);
        let dns = root.child("DNS").filter(|_| findings.form_is_right())?;
        Some(addns(dns, &mut findings))
    });
    findings.finish(file, bytes, value)
}

fn addns(dns: &Element<'_>, findings: &mut Findings) -> Addns {
    let keys = Keys::read(dns, findings);
    let mut found = Addns::default();
    if let Some(inbound) = dns.child("Inbound") {
        found.inbound = Inbound {
            masters: remotes(inbound, "RequestTransfer", &keys, findings),
            allow_notify: peers(inbound, "AllowNotify", &keys, findings),
            allow_update: peers(inbound, "AllowUpdate", &keys, findings),
            initial_file: initial_file(inbound, findings),
        };
        if let Some(list) = inbound.child("AllowUpdate").filter(|_| inbound.has("RequestTransfer"))
        {
            findings.push(list.tag.clone(), Fault::UpdateWithMasters);
        }
    }
    if let Some(outbound) = dns.child("Outbound") {
        found.outbound = Outbound {
            provide_transfer: peers(outbound, "ProvideTransfer", &keys, findings),
            notify: remotes(outbound, "Notify", &keys, findings),
            watch: watch(outbound, findings),
        };
    }
    found
}

/// The file that a zone begins with which is changed by updates.
fn initial_file(inbound: &Element<'_>, findings: &mut Findings) -> Option<String> {
    let given = inbound.child("InitialFile")?;
    if !inbound.has("AllowUpdate") {
        let fault = Fault::OnlyWith { element: "InitialFile", with: "<AllowUpdate>" };
        findings.push(given.tag.clone(), fault);
    }
    if !given.trimmed().starts_with('/') {
        findings.push(given.text_place(), Fault::RelativePath { element: "InitialFile" });
    }
    Some(given.trimmed().to_owned())
}

/// When a secondary that lacks the newest version is an alarm.
fn watch(outbound: &Element<'_>, findings: &mut Findings) -> WatchLimit {
    match outbound.child("Watch") {
        None => WatchLimit::Refresh,
        Some(watch) if watch.has("Off") => WatchLimit::Off,
        Some(watch) => {
            let length = duration(watch, &["Alarm"], findings);
            if let Some(alarm) = watch.child("Alarm").filter(|_| length == Seconds(0)) {
                bad_value(alarm, "a time, since no secondary has a version at once", findings);
            }
            WatchLimit::After(length)
        }
    }
}

/// Whether a list that is there has something in it, and not too much.
pub(crate) fn check_count(
    list: &Element<'_>,
    within: &'static str,
    element: &'static str,
    findings: &mut Findings,
) {
    let (count, most) = (list.all(element).count(), PEER_COUNT_MAX);
    if !(1..=most).contains(&count) {
        let fault = Fault::ServerCount { within, element, count, most };
        findings.push(list.tag.clone(), fault);
    }
}

fn remotes(
    parent: &Element<'_>,
    within: &'static str,
    keys: &Keys,
    findings: &mut Findings,
) -> Vec<Remote> {
    let Some(list) = parent.child(within) else { return Vec::new() };
    check_count(list, within, "Remote", findings);
    list.all("Remote").filter_map(|element| remote(element, keys, findings)).collect()
}

fn remote(element: &Element<'_>, keys: &Keys, findings: &mut Findings) -> Option<Remote> {
    let tls = element.child("TLS").and_then(|given| tls(given, findings));
    let key = keys.named_in(element, findings);
    let default = if element.has("TLS") { TLS_PORT } else { DNS_PORT };
    let address = element.child("Address").and_then(|given| ip(given, findings))?;
    let port = if element.has("Port") { number(element, &["Port"]) } else { default };
    Some(Remote { address: SocketAddr::new(address, port), key, tls })
}

/// The text of an element as an address.
pub(crate) fn ip(element: &Element<'_>, findings: &mut Findings) -> Option<IpAddr> {
    let parsed = element.trimmed().parse::<IpAddr>().ok();
    if parsed.is_none() {
        let value = element.trimmed().chars().take(80).collect();
        findings.push(element.text_place(), Fault::Address { value });
    }
    parsed
}

fn tls(element: &Element<'_>, findings: &mut Findings) -> Option<RemoteTls> {
    let name = element.child("Name").map(|given| {
        let text = given.trimmed();
        let is_fine = |octet: u8| octet.is_ascii_alphanumeric() || b".-_:".contains(&octet);
        if text.is_empty() || !text.bytes().all(is_fine) {
            bad_value(given, "the name of a server as its certificate has it", findings);
        }
        text.strip_suffix('.').unwrap_or(text).to_owned()
    });
    let ca_file = element.child("CAFile").map(|given| {
        if !given.trimmed().starts_with('/') {
            findings.push(given.text_place(), Fault::RelativePath { element: "CAFile" });
        }
        if name.is_none() {
            let fault = Fault::OnlyWith { element: "CAFile", with: "<Name>" };
            findings.push(given.tag.clone(), fault);
        }
        given.trimmed().into()
    });
    let pins: Vec<SpkiPin> = element.all("Pin").filter_map(|given| pin(given, findings)).collect();
    let count = element.all("Pin").count();
    if count > PIN_COUNT_MAX {
        let (within, most) = ("TLS", PIN_COUNT_MAX);
        let fault = Fault::ServerCount { within, element: "Pin", count, most };
        findings.push(element.tag.clone(), fault);
    }
    // Wrong pins are no pins, but they were meant: never fall back to believing everybody.
    match name.is_none() && count == 0 {
        true => Some(RemoteTls::Opportunistic),
        false => Some(RemoteTls::Strict { name, ca_file, pins }),
    }
}

fn pin(element: &Element<'_>, findings: &mut Findings) -> Option<SpkiPin> {
    let octets = BASE64.decode(element.trimmed().as_bytes()).ok();
    let pin = octets.and_then(|octets| octets.try_into().ok()).map(SpkiPin);
    if pin.is_none() {
        bad_value(element, "base64 of the SHA-256 of a public key (44 characters)", findings);
    }
    pin
}

fn bad_value(element: &Element<'_>, expected: &str, findings: &mut Findings) {
    let fault = Fault::BadValue {
        place: format!("<{}>", element.name),
        value: element.trimmed().chars().take(80).collect(),
        expected: expected.to_owned(),
    };
    findings.push(element.text_place(), fault);
}

fn peers(
    parent: &Element<'_>,
    within: &'static str,
    keys: &Keys,
    findings: &mut Findings,
) -> Vec<Peer> {
    let Some(list) = parent.child(within) else { return Vec::new() };
    check_count(list, within, "Peer", findings);
    list.all("Peer").filter_map(|element| peer(element, within, keys, findings)).collect()
}

/// `None`: it has a fault. A peer of which only a part was understood would be too many.
fn peer(
    element: &Element<'_>,
    within: &'static str,
    keys: &Keys,
    findings: &mut Findings,
) -> Option<Peer> {
    let prefix = match element.child("Prefix") {
        None => None,
        Some(given) => match given.trimmed().parse::<Prefix>() {
            Ok(prefix) => Some(prefix),
            Err(cause) => {
                findings.push(given.text_place(), Fault::Prefix { cause });
                return None;
            }
        },
    };
    let key = keys.named_in(element, findings);
    match (within, &prefix, element.has("Key")) {
        ("AllowUpdate", _, false) => {
            findings.push(element.tag.clone(), Fault::UpdateWithoutKey);
        }
        (_, None, false) => findings.push(element.tag.clone(), Fault::OpenPeer { within }),
        _ => {}
    }
    (key.is_some() || !element.has("Key")).then_some(Peer { prefix, key })
}

#[cfg(test)]
mod tests;
