//! A daemon with one zone that is changed by updates, and those who send them.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::judges::dnssec_verify;
use anchorite_tests::peers::{self, Key, free_address};
use anchorite_tests::program::anchorite;
use data_encoding::BASE64;
use dnssec::transfer::Rcode;
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey, sign_request};
use dnssec::{Name, RrType, Timestamp};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

pub(crate) const ZONE: &str = "example.com";

/// The key that may update.
pub(crate) fn key() -> Key {
    Key::new("update.key", "hmac-sha256")
}

/// A daemon, or its installation while none runs.
pub(crate) struct Lab {
    pub(crate) installation: Installation,
    pub(crate) address: SocketAddr,
    pub(crate) daemon: Daemon,
}

/// An installation whose zone has 300 hosts and an addns.xml that lets [`key`] change it.
pub(crate) fn installation(address: SocketAddr) -> Installation {
    let installation = Installation::new("lab");
    let (ip, port) = (address.ip(), address.port());
    let listener = format!(
        "<WorkerThreads>4</WorkerThreads><Listener><Interface><Address>{ip}</Address>\
         <Port>{port}</Port></Interface></Listener>"
    );
    installation.edit("conf.xml", "<WorkerThreads>4</WorkerThreads>", &listener);
    let (tsig, name) = Key::in_addns(Some(&key()));
    let unlisted = Key::new("other.key", "hmac-sha256");
    let (other, _) = Key::in_addns(Some(&unlisted));
    let folder = installation.path("").to_string_lossy().into_owned();
    let addns = format!(
        "<?xml version=\"1.0\"?>\n<Adapter><DNS>{tsig}{other}<Inbound><AllowUpdate><Peer>\
         <Prefix>127.0.0.1</Prefix>{name}</Peer></AllowUpdate>\
         <InitialFile>{folder}unsigned/%zone</InitialFile></Inbound><Outbound><ProvideTransfer>\
         <Peer><Prefix>127.0.0.0/8</Prefix></Peer></ProvideTransfer></Outbound></DNS></Adapter>\n"
    );
    installation.write("addns.xml", &addns);
    let zonelist = format!(
        "<?xml version=\"1.0\"?>\n<ZoneList>\n<Zone name=\"{ZONE}\"><Policy>lab</Policy>\
         <SignerConfiguration>{folder}signer/{ZONE}.xml</SignerConfiguration><Adapters>\
         <Input><Adapter type=\"DNS\">{folder}addns.xml</Adapter></Input>\
         <Output><Adapter type=\"DNS\">{folder}addns.xml</Adapter></Output>\
         </Adapters></Zone>\n</ZoneList>\n"
    );
    installation.write("zonelist.xml", &zonelist);
    let mut hosts = "www A 192.0.2.1\nalias CNAME www\nsub NS ns1\n".to_owned();
    (0..300).for_each(|number| writeln!(hosts, "h{number} A 192.0.2.{}", number % 250).unwrap());
    installation.write_small_zone(ZONE, 1000, &hosts);
    installation
}

impl Lab {
    /// Starts it; the zone is served when this returns.
    pub(crate) fn new() -> Lab {
        let address = free_address();
        let installation = installation(address);
        let mut daemon = installation.start();
        daemon.wait_for(&["[STATS]", ZONE]);
        Lab { installation, address, daemon }
    }

    /// The records that are served, sorted, in lower case.
    pub(crate) fn served(&self) -> Vec<String> {
        peers::axfr(self.address, ZONE, None).iter().map(|line| one_line(line)).collect()
    }

    /// Whether a record is served: its owner below the zone, type and data.
    pub(crate) fn has(&self, owner: &str, rtype: &str, data: &str) -> bool {
        let (start, end) = (format!("{owner}.{ZONE}. "), format!(" in {rtype} {data}"));
        let end = end.to_ascii_lowercase();
        self.served().iter().any(|line| line.starts_with(&start) && line.ends_with(&end))
    }

    /// Waits until a record is served, or none of that name and type and data.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, is_there: bool, (owner, rtype, data): (&str, &str, &str)) {
        while self.has(owner, rtype, data) != is_there {
            self.daemon.wait_for(&["[STATS]", ZONE]);
        }
    }

    /// What a command of the daemon says.
    #[track_caller]
    pub(crate) fn said(&self, words: &[&str]) -> String {
        let mut command = Command::new(anchorite());
        let output = command.args(["-s", &self.installation.socket()]).args(words).output();
        let output = output.expect("it was built");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// Has dnssec-verify look at what is served.
    #[track_caller]
    pub(crate) fn verify(&self) {
        let path = self.installation.path("transferred");
        let records = peers::axfr(self.address, ZONE, None);
        std::fs::write(&path, records.join("\n") + "\n").unwrap();
        dnssec_verify(&path, ZONE).unwrap();
    }

    /// Gives lines to a tool that speaks nsupdate's language; what it answers, "" when all is well.
    #[track_caller]
    pub(crate) fn tell(
        &self,
        tool: &str,
        key: Option<&Key>,
        options: &[&str],
        lines: &str,
    ) -> String {
        let mut command = Command::new(tool);
        if let Some(Key { name, algorithm, secret }) = key {
            command.args(["-y", &format!("{algorithm}:{name}:{secret}")]);
        }
        command.args(options).args(["-t", "30"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it is installed (cargo xtask setup)");
        let server = format!("server {} {}\n", self.address.ip(), self.address.port());
        let zone = match lines.contains("zone ") {
            true => String::new(),
            false => format!("zone {ZONE}\n"),
        };
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{server}{zone}{lines}send").unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        assert_eq!(output.status.success(), said.is_empty(), "{tool}: {lines}: {said}");
        said
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

/// An update of our own: owner below the zone, type, class, TTL, data.
pub(crate) type Record<'r> = (&'r str, RrType, u16, u32, &'r [u8]);

/// A signed request with these updates, and no prerequisites. `age`: how long it was on its way.
pub(crate) fn request(id: u16, updates: &[Record<'_>], age: Duration) -> Vec<u8> {
    let apex = Name::parse(ZONE.as_bytes(), Some(&Name::root())).unwrap();
    let mut message = [id.to_be_bytes(), [5 << 3, 0]].concat();
    for count in [1, 0, updates.len() as u16, 0] {
        message.extend(count.to_be_bytes());
    }
    message.extend(apex.as_wire());
    message.extend([0, 6, 0, 1]);
    for (owner, rtype, class, ttl, data) in updates {
        let owner = Name::parse(owner.as_bytes(), Some(&apex)).unwrap();
        message.extend(owner.as_wire());
        message.extend([rtype.0.to_be_bytes(), class.to_be_bytes()].concat());
        message.extend(ttl.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(*data);
    }
    let Key { name, algorithm, secret } = key();
    let secret = Zeroizing::new(BASE64.decode(secret.as_bytes()).unwrap());
    let name = Name::parse(name.as_bytes(), Some(&Name::root())).unwrap();
    let algorithm = TsigAlgorithm::from_mnemonic(&algorithm).unwrap();
    let key = Arc::new(TsigKey::new(name, algorithm, secret));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() - age;
    sign_request(&key, &mut message, Timestamp(now.as_secs()));
    message
}

/// Sends a request; the response code, or `None` when the connection ends without one.
pub(crate) fn ask(stream: &mut TcpStream, request: &[u8]) -> Option<Rcode> {
    let framed = [&(request.len() as u16).to_be_bytes()[..], request].concat();
    stream.write_all(&framed).ok()?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).ok()?;
    assert_eq!(answer[..2], request[..2], "the answer is to this request");
    Some(Rcode(u16::from(answer[3] & 15)))
}
