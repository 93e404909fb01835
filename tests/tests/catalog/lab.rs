//! A name server with a catalog zone and its members, and an installation of ours beside it.
//! In: members with labels and groups. Out: running servers, their configuration changed.

use anchorite_tests::daemon::{Daemon, Installation, WAIT, small_zone};
use anchorite_tests::peers::{dig, free_address, soa_serial};
use anchorite_tests::program::anchorite;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// The catalog zone.
pub(crate) const CATALOG: &str = "catz.example";

/// A member: zone, unique label, other records of its node.
pub(crate) type Member<'a> = (&'a str, &'a str, &'a str);

/// Which server has the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Software {
    /// BIND; the catalog zone is a file.
    Named,
    /// Knot DNS, which makes the catalog zone and its labels; the third part of a member is its
    /// group.
    Knot,
}

/// A server with catalogs and members.
pub(crate) struct Master {
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
    software: Software,
    folder: tempfile::TempDir,
    listener: SocketAddr,
    serial: u32,
}

impl Master {
    /// Starts it, with one catalog; it tells `listener` of changes.
    pub(crate) fn start(
        software: Software,
        members: &[Member<'_>],
        listener: SocketAddr,
    ) -> Master {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (address, serial) = (free_address(), 0);
        let mut command = Command::new("true");
        command.current_dir(folder.path());
        let daemon = Daemon::spawn(command);
        let mut master = Master { daemon, address, software, folder, listener, serial };
        master.write(&[(CATALOG, "2", members)]);
        master.daemon = Daemon::spawn(master.command());
        // Knot answers no questions about a catalog zone by UDP.
        let zone = match software {
            Software::Named => CATALOG,
            Software::Knot => members[0].0,
        };
        master.wait_until_served(zone);
        master
    }

    fn command(&self) -> Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = match self.software {
            Software::Named => {
                let mut command = Command::new("named");
                command.args(["-g", "-c"]).arg(path("named.conf"));
                command
            }
            Software::Knot => {
                let mut command = Command::new("knotd");
                command.arg("-c").arg(path("knot.conf"));
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }

    /// Waits until it has a zone.
    #[track_caller]
    pub(crate) fn wait_until_served(&mut self, zone: &str) {
        let until = Instant::now() + WAIT;
        while soa_serial(self.address, zone, None).is_none() {
            assert!(Instant::now() < until, "{}", self.daemon.log());
            self.daemon.next_line(Duration::from_millis(20));
        }
    }

    /// Gives the catalog these members.
    pub(crate) fn set(&mut self, members: &[Member<'_>]) {
        self.set_all(&[(CATALOG, "2", members)]);
    }

    /// Gives it these catalogs: name, schema version, members.
    pub(crate) fn set_all(&mut self, catalogs: &[(&str, &str, &[Member<'_>])]) {
        self.write(catalogs);
        self.daemon.reload();
    }

    fn write(&mut self, catalogs: &[(&str, &str, &[Member<'_>])]) {
        self.serial += 1;
        for (zone, _, _) in catalogs.iter().flat_map(|(_, _, members)| *members) {
            self.write_file(&format!("{zone}.zone"), &small_zone(zone, 1, "www IN A 192.0.2.80"));
        }
        match self.software {
            Software::Named => self.write_named(catalogs),
            Software::Knot => self.write_knot(catalogs[0].2),
        }
    }

    fn write_file(&self, name: &str, text: &str) {
        let (path, new) = (self.folder.path().join(name), self.folder.path().join("new"));
        std::fs::write(&new, text).expect("a temporary folder can be written");
        std::fs::rename(&new, &path).expect("a rename within the folder works");
    }

    fn write_named(&self, catalogs: &[(&str, &str, &[Member<'_>])]) {
        let (folder, port) = (self.folder.path().display(), self.address.port());
        let (ip, told) = (self.listener.ip(), self.listener.port());
        let mut text = format!(
            "options {{ directory \"{folder}\"; pid-file none; session-keyfile none;\n\
             recursion no; listen-on-v6 {{ none; }}; dnssec-validation no;\n\
             listen-on port {port} {{ 127.0.0.1; }}; allow-transfer {{ 127.0.0.0/8; }};\n\
             notify explicit; notify-delay 0; notify-rate 1000; startup-notify-rate 1000;\n\
             also-notify {{ {ip} port {told}; }}; }};\ncontrols {{ }};\n"
        );
        let mut zones: Vec<&str> = Vec::new();
        for (catalog, version, members) in catalogs {
            let mut records = format!(
                "$ORIGIN {catalog}.\n@ 0 SOA invalid. invalid. {} 3600 1 86400 0\n\
                 @ 0 NS invalid.\nversion 0 TXT \"{version}\"\n",
                self.serial
            );
            for (zone, label, more) in *members {
                let _ = writeln!(records, "{label}.zones 0 PTR {zone}.\n{more}");
            }
            self.write_file(&format!("{catalog}.zone"), &records);
            zones.push(catalog);
            zones.extend(members.iter().map(|(zone, _, _)| *zone));
        }
        zones.sort_unstable();
        zones.dedup();
        for zone in zones {
            let _ = writeln!(text, "zone \"{zone}\" {{ type primary; file \"{zone}.zone\"; }};");
        }
        self.write_file("named.conf", &text);
    }

    fn write_knot(&self, members: &[Member<'_>]) {
        let folder = self.folder.path().display();
        let (listener, address) = (self.listener, self.address);
        let mut text = format!(
            "server:\n  rundir: \"{folder}\"\n  listen: {}@{}\n\
             log:\n  - target: stderr\n    any: info\n\
             database:\n  storage: \"{folder}\"\n  journal-db-max-size: 64M\n\
             remote:\n  - id: told\n    address: {}@{}\n\
             acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: transfer\n\
             zone:\n  - domain: {CATALOG}\n    catalog-role: generate\n    acl: all\n\
             \x20   notify: told\n",
            address.ip(),
            address.port(),
            listener.ip(),
            listener.port()
        );
        for (zone, _, group) in members {
            let _ = write!(
                text,
                "  - domain: {zone}\n    storage: \"{folder}\"\n    file: {zone}.zone\n\
                 \x20   acl: all\n    notify: told\n    catalog-role: member\n\
                 \x20   catalog-zone: {CATALOG}\n"
            );
            if !group.is_empty() {
                let _ = writeln!(text, "    catalog-group: {group}");
            }
        }
        self.write_file("knot.conf", &text);
    }
}

/// An installation with a listener and two policies: `default` and `nsec`.
pub(crate) fn installation(listener: SocketAddr) -> Installation {
    let installation = Installation::new("default");
    let interface = format!(
        "<Listener><Interface><Address>{}</Address><Port>{}</Port></Interface></Listener></Signer>",
        listener.ip(),
        listener.port()
    );
    installation.edit("conf.xml", "</Signer>", &interface);
    let text = installation.read("kasp.xml");
    let (begin, end) = (text.find("<Policy ").unwrap(), text.find("</KASP>").unwrap());
    let policy = text[begin..end].replace("name=\"default\"", "name=\"nsec\"");
    let (nsec3, after) = (policy.find("<NSEC3>").unwrap(), policy.find("</NSEC3>").unwrap());
    let policy = format!("{}<NSEC/>{}", &policy[..nsec3], &policy[after + "</NSEC3>".len()..]);
    installation.write("kasp.xml", &format!("{}{policy}{}", &text[..end], &text[end..]));
    installation
}

/// Has the daemon consume catalogs from a master: names, and elements beside the usual ones.
pub(crate) fn consume(installation: &Installation, master: SocketAddr, catalogs: &[(&str, &str)]) {
    installation.write(
        "masters.xml",
        &format!(
            "<Adapter><DNS><Inbound><RequestTransfer><Remote><Address>{}</Address><Port>{}</Port>\
             </Remote></RequestTransfer><AllowNotify><Peer><Prefix>127.0.0.1</Prefix></Peer>\
             </AllowNotify></Inbound></DNS></Adapter>\n",
            master.ip(),
            master.port()
        ),
    );
    let folder = installation.path("");
    let folder = folder.to_string_lossy();
    let folder = folder.trim_end_matches('/');
    let consumer = |(name, more): &(&str, &str)| {
        format!(
            "<Consumer name=\"{name}\">\n\t<Adapter>{folder}/masters.xml</Adapter>\n\
             \t<Policy>default</Policy>\n\t<Group name=\"gold\"><Policy>nsec</Policy></Group>\n\
             \t<Adapters>\n\
             \t\t<Input><Adapter type=\"DNS\">{folder}/masters.xml</Adapter></Input>\n\
             \t\t<Output><Adapter type=\"File\">{folder}/signed/%zone</Adapter></Output>\n\
             \t</Adapters>\n\t{more}\n</Consumer>\n"
        )
    };
    let list: String = catalogs.iter().map(consumer).collect();
    let list = format!("<CatalogList>\n{list}</CatalogList>\n</Configuration>");
    installation.edit("conf.xml", "</Configuration>", &list);
}

/// Gives a command to the daemon; its exit code and all its words.
pub(crate) fn command(installation: &Installation, words: &str) -> (i32, String) {
    let mut command = Command::new(anchorite());
    command.args(["-s", &installation.socket()]).args(words.split_ascii_whitespace());
    let output = command.output().expect("it was built");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let first = format!("sock set to {}\n", installation.socket());
    let text = text.strip_prefix(&first).unwrap_or(&text).to_owned();
    (output.status.code().unwrap_or(-1), text)
}

/// The answer to a command that succeeds.
#[track_caller]
pub(crate) fn answer(installation: &Installation, words: &str) -> String {
    let (code, text) = command(installation, words);
    assert_eq!(code, 0, "{words}: {text}");
    text
}

/// The DNSKEY records of a signed zone, sorted.
pub(crate) fn keys(installation: &Installation, zone: &str) -> Vec<String> {
    let text = std::fs::read_to_string(installation.signed(zone)).expect("it is signed");
    let is_key = |line: &&str| line.split_whitespace().nth(3) == Some("DNSKEY");
    let mut keys: Vec<String> = text.lines().filter(is_key).map(str::to_owned).collect();
    keys.sort_unstable();
    assert!(!keys.is_empty(), "{text}");
    keys
}

/// Whether a server answers a question for a zone's SOA with this word in its header.
pub(crate) fn soa_status(address: SocketAddr, zone: &str) -> String {
    let output = dig(address, None).args([zone, "SOA"]).output().expect("dig is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let status = text.split_once("status: ").and_then(|(_, rest)| rest.split_once(','));
    status.map(|(status, _)| status.to_owned()).unwrap_or(text)
}

/// A file of an installation.
pub(crate) fn zonelist(installation: &Installation) -> String {
    installation.read("zonelist.xml")
}

/// The folder of snapshots.
pub(crate) fn note_of_removals(installation: &Installation) -> PathBuf {
    installation.path("signer/snapshots/catalogs/removing")
}
