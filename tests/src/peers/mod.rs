//! Other name servers on loopback, as primaries and as secondaries of a zone: BIND, Knot DNS, NSD
//! and PowerDNS from Debian. In: what a server is to do. Out: a running one.
//! Never: sleeps; a wait is for a line of the log or for the answer to an SOA query, and has the
//! deadline [`WAIT`](crate::daemon::WAIT). Ports are free ones; a server that is dropped is killed.

mod knot;
mod named;
mod nsd;
mod pdns;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::daemon::{Daemon, WAIT};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// BIND.
    Named,
    /// Knot DNS.
    Knot,
    /// NSD.
    Nsd,
    /// PowerDNS with its BIND backend: no IXFR as a primary.
    Pdns,
}

impl Software {
    /// All of them.
    pub const ALL: [Software; 4] = [Software::Named, Software::Knot, Software::Nsd, Software::Pdns];
}

/// A TSIG key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Name, without final dot.
    pub name: String,
    /// `hmac-sha256`, for example.
    pub algorithm: String,
    /// Base64.
    pub secret: String,
}

impl Key {
    /// A key of a fixed secret.
    pub fn new(name: &str, algorithm: &str) -> Key {
        let secret = "c29tZSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHM=".to_owned();
        Key { name: name.to_owned(), algorithm: algorithm.to_owned(), secret }
    }

    /// The `<TSIG>` and `<Key>` elements of addns.xml; empty without a key.
    pub fn in_addns(key: Option<&Key>) -> (String, String) {
        let Some(Key { name, algorithm, secret }) = key else { return Default::default() };
        let tsig = format!(
            "<TSIG><Name>{name}</Name><Algorithm>{algorithm}</Algorithm>\
             <Secret>{secret}</Secret></TSIG>"
        );
        (tsig, format!("<Key>{name}</Key>"))
    }
}

/// Transfer over TLS (RFC 9103); of these four, BIND does it both ways in Debian 12.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Its own certificate: a secondary shows it to whoever tells it of changes by TLS.
    pub certificate: PathBuf,
    /// The key of that.
    pub private_key: PathBuf,
    /// A secondary: what the primary's certificate is signed by.
    pub authority: PathBuf,
    /// A secondary: the name in the primary's certificate.
    pub name: String,
}

/// What a server does.
#[derive(Clone, Debug)]
pub enum Role {
    /// Serves a zone file and tells others of changes.
    Primary {
        /// The text of the zone.
        text: String,
        /// Whom it sends NOTIFY to.
        notify: Vec<SocketAddr>,
    },
    /// Transfers the zone from another.
    Secondary {
        /// The other, whom it takes NOTIFY from.
        primary: SocketAddr,
    },
}

/// A server to be started.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Which one.
    pub software: Software,
    /// The zone, without final dot.
    pub zone: String,
    /// What it does.
    pub role: Role,
    /// Key that transfers, queries for them and NOTIFY are signed with.
    pub key: Option<Key>,
    /// Transfers go over TLS (BIND only).
    pub tls: Option<Tls>,
}

impl Setup {
    /// A primary of `zone`.
    pub fn primary(software: Software, zone: &str, text: &str) -> Setup {
        let role = Role::Primary { text: text.to_owned(), notify: Vec::new() };
        Setup { software, zone: zone.to_owned(), role, key: None, tls: None }
    }

    /// A secondary of `zone`.
    pub fn secondary(software: Software, zone: &str, primary: SocketAddr) -> Setup {
        let role = Role::Secondary { primary };
        Setup { software, zone: zone.to_owned(), role, key: None, tls: None }
    }

    /// The same, telling `address` of changes; primaries only.
    pub fn notifying(mut self, address: SocketAddr) -> Setup {
        match &mut self.role {
            Role::Primary { notify, .. } => notify.push(address),
            Role::Secondary { .. } => panic!("a secondary tells nobody"),
        }
        self
    }

    /// The same with a key.
    pub fn with_key(self, key: Key) -> Setup {
        Setup { key: Some(key), ..self }
    }

    /// The same over TLS.
    pub fn with_tls(self, tls: Tls) -> Setup {
        assert_eq!(self.software, Software::Named, "of Debian 12's servers only BIND does TLS");
        Setup { tls: Some(tls), ..self }
    }

    /// Starts it, and waits until it answers.
    #[track_caller]
    pub fn start(self) -> Peer {
        // All ports were free a moment ago; where somebody else was faster, others are tried.
        let mut logs = Vec::new();
        for _ in 0..10 {
            let place = Place::new();
            let mut peer = self.clone().start_at(place);
            match peer.answers() {
                true => return peer,
                false => logs.push(peer.log()),
            }
        }
        panic!("{:?} does not start on any of ten ports: {}", self.software, logs.join("\n"));
    }

    fn start_at(self, place: Place) -> Peer {
        if let Role::Primary { text, .. } = &self.role {
            std::fs::write(place.path("zone"), text).expect("a temporary folder can be written");
        }
        let command = match self.software {
            Software::Named => named::command(&self, &place),
            Software::Knot => knot::command(&self, &place),
            Software::Nsd => nsd::command(&self, &place),
            Software::Pdns => pdns::command(&self, &place),
        };
        Peer { daemon: Daemon::spawn(command), setup: self, place }
    }
}

/// Folder and addresses of one server.
struct Place {
    folder: tempfile::TempDir,
    address: SocketAddr,
    tls_address: SocketAddr,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        Place { folder, address: free_address(), tls_address: free_address() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn folder(&self) -> std::path::Display<'_> {
        self.folder.path().display()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("a temporary folder can be written");
    }
}

/// A running server.
pub struct Peer {
    daemon: Daemon,
    setup: Setup,
    place: Place,
}

/// A server that was killed.
pub struct Killed {
    setup: Setup,
    place: Place,
}

impl Killed {
    /// Starts it at the same addresses, and waits until it answers.
    #[track_caller]
    pub fn start(self) -> Peer {
        let mut peer = self.setup.start_at(self.place);
        assert!(peer.answers(), "{}", peer.log());
        peer
    }
}

impl Peer {
    /// Kills it with all its processes, as a machine that loses its power.
    pub fn kill(self) -> Killed {
        for process in self.pids() {
            // One may have ended with another.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
        let Peer { daemon, setup, place } = self;
        daemon.kill();
        Killed { setup, place }
    }

    /// Where it answers, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// Where a server with TLS answers by TLS.
    pub fn tls_address(&self) -> SocketAddr {
        self.place.tls_address
    }

    /// Its process, and those that it started.
    pub fn pids(&self) -> Vec<i32> {
        let own = self.daemon.pid().as_raw();
        let children = |pid: i32| {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>()
        };
        let mut pids = vec![own];
        let mut at = 0;
        while let Some(pid) = pids.get(at).copied() {
            pids.extend(children(pid));
            at += 1;
        }
        pids
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.daemon.log()
    }

    /// Waits for a line of its log.
    #[track_caller]
    pub fn wait_for(&mut self, fragments: &[&str]) -> String {
        self.daemon.wait_for(fragments)
    }

    /// Gives a primary another version of its zone; returns when it serves that.
    #[track_caller]
    pub fn replace(&mut self, text: &str, serial: u32) {
        self.place.write("new", text);
        std::fs::rename(self.place.path("new"), self.place.path("zone")).expect("the same folder");
        match self.setup.software {
            Software::Named | Software::Knot | Software::Nsd => self.daemon.reload(),
            Software::Pdns => pdns::reload(&self.setup, &self.place),
        }
        self.wait_for_serial(serial);
    }

    /// Waits until it serves that version.
    #[track_caller]
    pub fn wait_for_serial(&mut self, serial: u32) {
        let until = Instant::now() + WAIT;
        let mut seen = None;
        while Instant::now() < until {
            seen = self.serial();
            if seen == Some(serial) {
                return;
            }
            // Something may have happened when it says something; not all of them do.
            self.daemon.next_line(Duration::from_millis(20));
        }
        let software = self.setup.software;
        panic!("{software:?} has {seen:?} and not {serial}: {}", self.log());
    }

    /// The serial it serves, if any.
    pub fn serial(&self) -> Option<u32> {
        soa_serial(self.place.address, &self.setup.zone, self.setup.key.as_ref())
    }

    /// All records it serves, as dig prints them, in an order of their own; one SOA.
    #[track_caller]
    pub fn records(&self) -> Vec<String> {
        axfr(self.place.address, &self.setup.zone, self.setup.key.as_ref())
    }

    /// Whether it answers in time; `false` when it has ended.
    fn answers(&mut self) -> bool {
        let until = Instant::now() + WAIT;
        while Instant::now() < until {
            let wants_zone = matches!(self.setup.role, Role::Primary { .. });
            let mut command = dig(self.place.address, self.setup.key.as_ref());
            let output = command.args([&self.setup.zone, "SOA"]).output().expect("dig is there");
            let text = String::from_utf8_lossy(&output.stdout);
            let answered = text.contains("->>HEADER<<-");
            if answered && (!wants_zone || text.contains("ANSWER: 1")) {
                return true;
            }
            if self.daemon.has_ended() {
                return false;
            }
            self.daemon.next_line(Duration::from_millis(20));
        }
        false
    }
}

/// `dig` at a server, once and briefly.
pub fn dig(address: SocketAddr, key: Option<&Key>) -> Command {
    let mut command = Command::new("dig");
    command.arg(format!("@{}", address.ip())).args(["-p", &address.port().to_string()]);
    command.args(["+tries=1", "+time=2", "+norecurse"]);
    if let Some(Key { name, algorithm, secret }) = key {
        command.args(["-y", &format!("{algorithm}:{name}:{secret}")]);
    }
    command
}

/// The serial that a server has of a zone.
pub fn soa_serial(address: SocketAddr, zone: &str, key: Option<&Key>) -> Option<u32> {
    let output = dig(address, key).args(["+short", zone, "SOA"]).output().expect("dig is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().nth(2)?.parse().ok()
}

/// The records of a zone as a server transfers them, sorted, with one SOA.
#[track_caller]
pub fn axfr(address: SocketAddr, zone: &str, key: Option<&Key>) -> Vec<String> {
    let mut command = dig(address, key);
    command.args(["+time=30", "+noall", "+answer", "+onesoa", zone, "AXFR"]);
    let output = command.output().expect("dig is there");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("failed"), "{command:?}: {text}");
    let is_record = |line: &&str| !line.is_empty() && !line.starts_with(';');
    let mut lines: Vec<String> = text.lines().filter(is_record).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// A port of loopback that is free for UDP and TCP at the moment.
pub fn free_address() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    let address = socket.local_addr().expect("it is bound");
    match TcpListener::bind(address) {
        Ok(_) => address,
        Err(_) => free_address(),
    }
}

/// Runs a tool of a server to its end.
#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().expect("the server's tools are installed (cargo xtask setup)");
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}
