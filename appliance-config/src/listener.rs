//! `<Listener>` of conf.xml's `<Signer>`: where NOTIFY, requests for transfers and queries come in.
//! In: an element of the right form. Out: [`Interface`]s. Never: whether they can be listened at.
//! Ours: `<TLS>` in `<Interface>` makes it one for TLS alone (RFC 9103), with the PEM files
//! `<CertificateFile>` and `<KeyFile>`.
//! Limit: [`INTERFACES_MAX`].

use std::net::IpAddr;
use std::path::PathBuf;

use dnssec::transfer::peers::{ListenerTls, TLS_PORT};

use crate::conf::path;
use crate::diagnostics::Findings;
use crate::fault::Fault;
use crate::kasp::number;
use crate::tree::Element;

/// Port of the signer's DNS server when none is given (2.1).
const LISTENER_PORT_DEFAULT: u16 = 15354;
/// Most `<Interface>`s of a `<Listener>`: as many as OpenDNSSEC uses.
pub const INTERFACES_MAX: usize = 32;

/// `<Interface>`; at most [`INTERFACES_MAX`] of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `<Address>`; `None`: every address.
    pub address: Option<IpAddr>,
    /// `<Port>`; 853 with TLS.
    pub port: u16,
    /// `<TLS>`, ours; `None`: clear text.
    pub tls: Option<ListenerTls>,
}

/// The interfaces of a `<Listener>`.
pub(crate) fn interfaces(listener: &Element<'_>, findings: &mut Findings) -> Vec<Interface> {
    let count = listener.all("Interface").count();
    if count > INTERFACES_MAX {
        let (within, element, most) = ("Listener", "Interface", INTERFACES_MAX);
        let fault = Fault::ServerCount { within, element, count, most };
        findings.push(listener.tag.clone(), fault);
    }
    listener.all("Interface").map(|element| interface(element, findings)).collect()
}

/// The path in an element; it does not depend on where the daemon was started.
fn absolute(parent: &Element<'_>, name: &'static str, findings: &mut Findings) -> PathBuf {
    let path = path(parent, &[name], findings).unwrap_or_default();
    if let Some(element) = parent.child(name).filter(|_| path.is_relative()) {
        findings.push(element.text_place(), Fault::RelativePath { element: name });
    }
    path
}

fn interface(element: &Element<'_>, findings: &mut Findings) -> Interface {
    let address = element.child("Address").and_then(|address| {
        let parsed = address.trimmed().parse().ok();
        if parsed.is_none() {
            let value = address.trimmed().chars().take(80).collect();
            findings.push(address.text_place(), Fault::Address { value });
        }
        parsed
    });
    let tls = element.child("TLS").map(|tls| ListenerTls {
        certificate_file: absolute(tls, "CertificateFile", findings),
        key_file: absolute(tls, "KeyFile", findings),
    });
    let default = if tls.is_some() { TLS_PORT } else { LISTENER_PORT_DEFAULT };
    let port = if element.has("Port") { number(element, &["Port"]) } else { default };
    Interface { address, port, tls }
}
