//! What stands around a box in these tests: its set-up disk, a key for its administrator, zones
//! that come and go by transfer. In: zones and their adapters. Out: files.

use crate::machine::{Doors, setup_disk};
use crate::{PASS, ssh_key};
use anchorite_tests::judges::repository_file;
use anchorite_tests::peers::Key;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the box's `addns.xml` is.
pub(crate) const ADDNS: &str = "/etc/opendnssec/addns.xml";
/// This machine, as the box sees it.
const OUTSIDE: &str = "10.0.2.2";

/// How a zone comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    File,
    Transfer,
}

/// A zone of the box: name, policy, how it comes, how it goes.
pub(crate) type Zone<'a> = (&'a str, &'a str, Way, Way);

/// The zones as `zonelist.xml`.
pub(crate) fn zonelist(zones: &[Zone<'_>]) -> String {
    let mut text = "<?xml version=\"1.0\"?>\n<ZoneList>\n".to_owned();
    for (zone, policy, input, output) in zones {
        let adapter = |way: Way, folder: &str| match way {
            Way::File => {
                format!("<Adapter type=\"File\">/var/lib/opendnssec/{folder}/{zone}</Adapter>")
            }
            Way::Transfer => format!("<Adapter type=\"DNS\">{ADDNS}</Adapter>"),
        };
        let (input, output) = (adapter(*input, "unsigned"), adapter(*output, "signed"));
        let _ = writeln!(
            text,
            "<Zone name=\"{zone}\"><Policy>{policy}</Policy>\
             <SignerConfiguration>/var/lib/opendnssec/signconf/{zone}.xml</SignerConfiguration>\
             <Adapters><Input>{input}</Input><Output>{output}</Output></Adapters></Zone>"
        );
    }
    text + "</ZoneList>\n"
}

/// The image's own configuration.
fn configuration() -> String {
    std::fs::read_to_string(repository_file("image/files/conf.xml")).unwrap()
}

/// Transfers from a master outside, to whoever is outside, and NOTIFY to these.
pub(crate) fn addns(master: SocketAddr, told: &[SocketAddr], key: Option<&Key>) -> String {
    let (tsig, by_key) = Key::in_addns(key);
    let remote = |address: &SocketAddr| {
        let port = address.port();
        format!("<Remote><Address>{OUTSIDE}</Address><Port>{port}</Port>{by_key}</Remote>")
    };
    let told: String = told.iter().map(remote).collect();
    let peer = format!("<Peer><Prefix>{OUTSIDE}</Prefix>{by_key}</Peer>");
    format!(
        "<?xml version=\"1.0\"?>\n<Adapter><DNS>{tsig}\
         <Inbound><RequestTransfer>{}</RequestTransfer><AllowNotify>{peer}</AllowNotify></Inbound>\
         <Outbound><ProvideTransfer>{peer}</ProvideTransfer><Notify>{told}</Notify>\
         <Watch><Off/></Watch></Outbound></DNS></Adapter>\n",
        remote(&master)
    )
}

/// A box that is to be set up by file.
pub(crate) struct Site {
    pub(crate) doors: Doors,
    /// The administrator's key.
    pub(crate) key: PathBuf,
    /// The set-up disk.
    pub(crate) setup: PathBuf,
}

impl Site {
    /// Its set-up disk, with these zones, and these files beside the usual ones.
    pub(crate) fn new(
        folder: &Path,
        doors: Doors,
        zones: &[Zone<'_>],
        files: &[(&str, &str)],
    ) -> Site {
        let (key, key_line) = ssh_key(folder, "admin,officer");
        let settings =
            format!("hostname = box1\nnetwork = dhcp\nuser = ann admin,officer {PASS}\n{key_line}");
        let (conf, zonelist) = (configuration(), zonelist(zones));
        let kasp = std::fs::read_to_string(repository_file("examples/default/kasp.xml")).unwrap();
        let mut all = vec![
            ("anchorite.setup", settings.as_str()),
            ("opendnssec/conf.xml", &conf),
            ("opendnssec/zonelist.xml", &zonelist),
        ];
        if !files.iter().any(|(path, _)| *path == "opendnssec/kasp.xml") {
            all.push(("opendnssec/kasp.xml", &kasp));
        }
        all.extend_from_slice(files);
        let setup = folder.join("setup");
        setup_disk(&setup, &all);
        Site { doors, key, setup }
    }
}
