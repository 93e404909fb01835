//! A master and a daemon of ours that gets its zone from it.

use anchorite_tests::daemon::{Daemon, Installation, serial_of};
use anchorite_tests::peers::{Key, Peer, Setup, Software, free_address};
use anchorite_tests::program::anchorite;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub(crate) const ZONE: &str = "transfer.example";

/// A zone that changes at random.
pub(crate) struct Zone {
    state: u64,
    pub(crate) serial: u32,
    records: BTreeSet<String>,
}

impl Zone {
    /// A zone of some records.
    pub(crate) fn new() -> Zone {
        let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
        println!("SEED={seed}");
        let mut zone = Zone { state: seed | 1, serial: 1000, records: BTreeSet::new() };
        for (owner, rest) in [("@", "NS ns1"), ("ns1", "A 192.0.2.1"), ("@", "MX 10 ns1")] {
            zone.records.insert(line(owner, rest));
        }
        for _ in 0..100 {
            zone.flip_record();
        }
        zone
    }

    fn random(&mut self, below: u64) -> u64 {
        // Xorshift: any numbers do that are the same for the same seed.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % below
    }

    /// A record comes, or goes if it is there.
    fn flip_record(&mut self) {
        let name = format!("n{}", self.random(60));
        let number = self.random(4);
        let (owner, rest) = match self.random(7) {
            0 => (name, format!("A 192.0.2.{number}")),
            1 => (name, format!("AAAA 2001:db8::{}", number + 1)),
            2 => (name, format!("TXT \"text {number}\"")),
            3 => (name, format!("MX {number} ns1")),
            4 => (format!("host.{name}"), format!("A 192.0.2.{number}")),
            5 => (format!("Mixed.Case.{name}"), format!("SRV 1 2 {number} ns1")),
            _ => (format!("cut{}", self.random(8)), format!("NS ns{number}.{name}")),
        };
        let record = line(&owner, &rest);
        if !self.records.remove(&record) {
            self.records.insert(record);
        }
    }

    /// The next version, with 1 to 10 changes.
    pub(crate) fn change(&mut self) {
        for _ in 0..1 + self.random(10) {
            self.flip_record();
        }
        self.serial += 1 + self.random(3) as u32;
    }

    /// The next version, without half of its records.
    pub(crate) fn thin_out(&mut self) {
        let mut count = 0;
        self.records.retain(|record| {
            count += 1;
            count % 2 == 0 || record.contains(" NS ns1.") || record.starts_with("ns1.")
        });
        self.serial += 1;
    }

    /// Its file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "$ORIGIN {ZONE}.\n@ 60 IN SOA ns1 hostmaster {} 3600 600 86400 60\n",
            self.serial
        );
        for record in &self.records {
            let _ = writeln!(text, "{record}");
        }
        text
    }

    /// Its records but for the SOA, as [`unsigned_records`] has them.
    pub(crate) fn wanted(&self) -> BTreeSet<String> {
        self.records.iter().map(|record| record.to_ascii_lowercase()).collect()
    }
}

/// A record with absolute names.
fn line(owner: &str, rest: &str) -> String {
    let owner = if owner == "@" { format!("{ZONE}.") } else { format!("{owner}.{ZONE}.") };
    let rest = match rest.split_once(' ').expect("type and data") {
        ("NS" | "MX" | "SRV", _) => format!("{rest}.{ZONE}."),
        _ => rest.to_owned(),
    };
    format!("{owner} 60 IN {rest}")
}

/// The records of a zone in text that a signer does not make, but for the SOA; in lower case.
pub(crate) fn unsigned_records<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let made = ["soa", "rrsig", "nsec", "nsec3", "nsec3param", "dnskey", "cds", "cdnskey"];
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['$', ';']));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lower = words.map(|line| line.to_ascii_lowercase());
    lower
        .filter(|line| line.split(' ').nth(3).is_some_and(|rtype| !made.contains(&rtype)))
        .collect()
}

/// A master, and our installation with the daemon.
pub(crate) struct Lab {
    pub(crate) master: Peer,
    pub(crate) installation: Installation,
    pub(crate) daemon: Option<Daemon>,
}

impl Lab {
    /// Starts both; the zone is signed when this returns.
    pub(crate) fn new(software: Software, zone: &Zone, key: Option<Key>) -> Lab {
        Lab::with(software, zone, key, |_| ())
    }

    /// The same with a change of the configuration.
    pub(crate) fn with(
        software: Software,
        zone: &Zone,
        key: Option<Key>,
        prepare: impl FnOnce(&Installation),
    ) -> Lab {
        let listener = free_address();
        let setup = Setup::primary(software, ZONE, &zone.text()).notifying(listener);
        let setup = match &key {
            Some(key) => setup.with_key(key.clone()),
            None => setup,
        };
        let master = setup.start();
        let installation = installation(ZONE, master.address(), listener, key.as_ref());
        prepare(&installation);
        let daemon = Some(installation.start());
        let mut lab = Lab { master, installation, daemon };
        lab.wait_for_signed(zone);
        lab
    }

    pub(crate) fn daemon(&mut self) -> &mut Daemon {
        self.daemon.as_mut().expect("it was started")
    }

    /// Waits until a version of this zone is published, and compares it.
    pub(crate) fn wait_for_signed(&mut self, zone: &Zone) {
        let serial = zone.serial.to_string();
        self.daemon().wait_for(&["transfer done", &format!("serial on disk {serial},")]);
        // A change that changes nothing but the serial makes no version.
        while !self.installation.signed(ZONE).exists() || self.ours() != zone.wanted() {
            self.daemon().wait_for(&["[STATS]", ZONE]);
        }
    }

    /// What we publish, without what we made.
    pub(crate) fn ours(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.installation.signed(ZONE)).expect("it is there");
        unsigned_records(text.lines())
    }

    /// What the master has.
    pub(crate) fn theirs(&self) -> BTreeSet<String> {
        unsigned_records(self.master.records().iter().map(String::as_str))
    }

    /// The serial that we publish.
    pub(crate) fn output_serial(&self) -> u32 {
        serial_of(&self.installation.signed(ZONE))
    }

    /// Gives a command to the signer; its words.
    pub(crate) fn signer(&self, words: &str) -> String {
        let mut command = Command::new(anchorite());
        command.arg0("ods-signer").arg("-s").arg(self.installation.path("engine.sock"));
        let output = command.args(words.split_ascii_whitespace()).output().expect("it was built");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // As OpenDNSSEC's tool, it names the socket first.
        said.split_once('\n').expect("a line for the socket").1.to_owned()
    }
}

/// An installation with a zone from this master.
pub(crate) fn installation(
    zone: &str,
    master: SocketAddr,
    listener: SocketAddr,
    key: Option<&Key>,
) -> Installation {
    let installation = Installation::new("default");
    installation.let_zones_grow();
    let interface = format!(
        "<Listener><Interface><Address>{}</Address><Port>{}</Port></Interface></Listener></Signer>",
        listener.ip(),
        listener.port()
    );
    installation.edit("conf.xml", "</Signer>", &interface);
    let (tsig, by_key) = Key::in_addns(key);
    installation.write(
        "addns.xml",
        &format!(
            "<?xml version=\"1.0\"?>\n<Adapter><DNS>{tsig}<Inbound><RequestTransfer><Remote>\
             <Address>{}</Address><Port>{}</Port>{by_key}</Remote></RequestTransfer>\
             <AllowNotify><Peer><Prefix>127.0.0.1</Prefix>{by_key}</Peer></AllowNotify></Inbound>\
             </DNS></Adapter>\n",
            master.ip(),
            master.port()
        ),
    );
    installation.write_zonelist(&[(zone, "default")]);
    let file = format!("<Adapter type=\"File\">{}", installation.unsigned(zone).display());
    let transfer = format!("<Adapter type=\"DNS\">{}", installation.path("addns.xml").display());
    installation.edit("zonelist.xml", &file, &transfer);
    installation
}
