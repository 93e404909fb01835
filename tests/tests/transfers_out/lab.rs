//! A daemon that lets secondaries in, whose zone changes at random. In: who may have the zone, whom
//! it tells. Out: a running daemon, its address, changes of its zone.

use anchorite_tests::daemon::{Daemon, Installation, small_zone};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::peers::{self, Key};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

/// The zone.
pub(crate) const ZONE: &str = "example.com";

/// A daemon with one zone that goes out by transfer.
pub(crate) struct Lab {
    pub(crate) installation: Installation,
    pub(crate) daemon: Daemon,
    pub(crate) address: SocketAddr,
    pub(crate) key: Option<Key>,
    pub(crate) records: Records,
}

impl Lab {
    /// Starts it at `address`. `tells`: addresses of secondaries.
    pub(crate) fn start(
        address: SocketAddr,
        tells: &[SocketAddr],
        key: Option<Key>,
        seed: u64,
    ) -> Lab {
        let records = Records::new(seed);
        let text = records.text();
        let write = |installation: &Installation| installation.write_zone(ZONE, &text);
        let lab = Lab::start_with(address, tells, key, write);
        Lab { records, ..lab }
    }

    /// The same with another configuration and zone.
    pub(crate) fn start_with(
        address: SocketAddr,
        tells: &[SocketAddr],
        key: Option<Key>,
        prepare: impl FnOnce(&Installation),
    ) -> Lab {
        let installation = installation(address, tells, key.as_ref());
        prepare(&installation);
        let mut daemon = installation.start();
        daemon.wait_for(&["[STATS] example.com "]);
        Lab { installation, daemon, address, key, records: Records::new(1) }
    }

    /// Changes the zone at random, and waits until that is served. The serial.
    pub(crate) fn change(&mut self) -> u32 {
        let before = self.serial();
        self.records.change();
        self.installation.write_zone(ZONE, &self.records.text());
        self.daemon.reload();
        self.daemon.wait_for(&["[STATS] example.com "]);
        let serial = self.serial();
        assert_ne!(serial, before, "{}", self.daemon.log());
        serial
    }

    /// The serial that is served.
    pub(crate) fn serial(&self) -> u32 {
        peers::soa_serial(self.address, ZONE, self.key.as_ref()).expect("it answers")
    }

    /// All records that are served.
    pub(crate) fn served(&self) -> Vec<String> {
        peers::axfr(self.address, ZONE, self.key.as_ref())
    }

    /// Has a foreign validator look at records of a secondary.
    pub(crate) fn verify(&self, records: &[String]) {
        let path = self.installation.path("transferred");
        std::fs::write(&path, records.join("\n") + "\n").unwrap();
        dnssec_verify(&path, ZONE).unwrap();
    }
}

fn installation(address: SocketAddr, tells: &[SocketAddr], key: Option<&Key>) -> Installation {
    let installation = Installation::new("lab");
    installation.let_zones_grow();
    let (ip, port) = (address.ip(), address.port());
    let listener = format!(
        "<WorkerThreads>4</WorkerThreads><Listener><Interface><Address>{ip}</Address>\
         <Port>{port}</Port></Interface></Listener>"
    );
    installation.edit("conf.xml", "<WorkerThreads>4</WorkerThreads>", &listener);
    let (tsig, name) = Key::in_addns(key);
    let mut remotes = String::new();
    for told in tells {
        let (ip, port) = (told.ip(), told.port());
        let _ =
            write!(remotes, "<Remote><Address>{ip}</Address><Port>{port}</Port>{name}</Remote>");
    }
    let notify = match tells {
        [] => String::new(),
        _ => format!("<Notify>{remotes}</Notify>"),
    };
    let addns = format!(
        "<?xml version=\"1.0\"?>\n<Adapter><DNS>{tsig}<Outbound><ProvideTransfer>\
         <Peer><Prefix>127.0.0.0/8</Prefix>{name}</Peer></ProvideTransfer>{notify}\
         </Outbound></DNS></Adapter>\n"
    );
    installation.write("addns.xml", &addns);
    let folder = installation.path("");
    let folder = folder.to_string_lossy();
    let zonelist = format!(
        "<?xml version=\"1.0\"?>\n<ZoneList>\n<Zone name=\"{ZONE}\"><Policy>lab</Policy>\
         <SignerConfiguration>{folder}/signer/{ZONE}.xml</SignerConfiguration><Adapters>\
         <Input><Adapter type=\"File\">{folder}/unsigned/{ZONE}</Adapter></Input>\
         <Output><Adapter type=\"DNS\">{folder}/addns.xml</Adapter></Output>\
         </Adapters></Zone>\n</ZoneList>\n"
    );
    installation.write("zonelist.xml", &zonelist);
    installation
}

/// The records of a zone that changes.
pub(crate) struct Records {
    seed: u64,
    serial: u32,
    /// By owner and type: the RDATA of each record, and the TTL.
    sets: BTreeMap<(String, &'static str), (u32, Vec<String>)>,
}

impl Records {
    pub(crate) fn new(seed: u64) -> Records {
        let mut records = Records { seed, serial: 1, sets: BTreeMap::new() };
        (0..40).for_each(|_| records.change_one());
        records
    }

    /// SplitMix64.
    fn below(&mut self, limit: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    /// One to four sets come, go, or get other records.
    pub(crate) fn change(&mut self) {
        self.serial += 1;
        let before = self.text();
        for _ in 0..=self.below(4) {
            self.change_one();
        }
        if self.text() == before {
            self.serial -= 1;
            self.change();
        }
    }

    fn change_one(&mut self) {
        let number = self.below(30);
        // Delegations have names of their own: what is at other names lies beside them.
        let (owner, rtype) = match self.below(6) {
            0 => (format!("cut{number}"), "NS"),
            1 => (format!("cut{number}"), "DS"),
            2 => (format!("a.b{number}"), "AAAA"),
            3 => ("*.wild".to_owned(), "TXT"),
            4 => (format!("host{number}"), "TXT"),
            _ => (format!("host{number}"), "A"),
        };
        let cut = (owner.clone(), "NS");
        if rtype == "DS" && !self.sets.contains_key(&cut) {
            return;
        }
        if self.below(3) == 0 {
            if rtype == "NS" {
                self.sets.remove(&(owner.clone(), "DS"));
            }
            self.sets.remove(&(owner, rtype));
            return;
        }
        let ttl = [60, 60, 60, 300][self.below(4) as usize];
        let count = 1 + self.below(3);
        let rdatas = (0..count).map(|index| self.rdata(rtype, index)).collect();
        self.sets.insert((owner, rtype), (ttl, rdatas));
    }

    fn rdata(&mut self, rtype: &str, index: u64) -> String {
        let number = self.below(250);
        match rtype {
            "NS" => format!("ns{index}.other{number}.test."),
            "DS" => format!("{} 13 2 {}", 100 * index + number % 100, "a1b2c3d4".repeat(8)),
            "AAAA" => format!("2001:db8:{index}::{number:x}"),
            "TXT" => format!("\"text {index} {number} \\\"quoted\\\"\""),
            _ => format!("192.0.{}.{number}", index + 1),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for ((owner, rtype), (ttl, rdatas)) in &self.sets {
            for rdata in rdatas {
                let _ = writeln!(text, "{owner} {ttl} IN {rtype} {rdata}");
            }
        }
        small_zone(ZONE, self.serial, &text)
    }
}
