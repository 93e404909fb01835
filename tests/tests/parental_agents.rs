//! `<Agents>` in kasp.xml against the running daemon: two scripted servers on loopback stand for
//! the parent's; the daemon's clock is set forward. Never: sleeps; every wait is for a line of the
//! log or a state of the keys.

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::program::anchorite;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A zone below the root, which is then the parent.
const ZONE: &str = "ods1";
const HOUR: u64 = 3600;
/// TTL of the DS at the scripted parent: longer than the policy says.
const DS_TTL: u32 = 2 * 3600;

/// What a server says.
#[derive(Clone)]
enum Says {
    /// There is no DS.
    Nothing,
    /// DSs with these RDATAs.
    Ds(Vec<Vec<u8>>),
    /// REFUSED.
    Refused,
}

/// A server of the parent.
struct Server {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
}

impl Server {
    fn start() -> Server {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let says = Arc::new(Mutex::new(Says::Nothing));
        let own = says.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            let mut octets = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut octets) {
                let says = own.lock().unwrap().clone();
                socket.send_to(&answer(&octets[..length], &says), from).unwrap();
            }
        });
        Server { address, says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

/// The answer to a question for the DS of [`ZONE`] (RFC 1035 §4.1).
fn answer(query: &[u8], says: &Says) -> Vec<u8> {
    let question_end = 12 + 1 + ZONE.len() + 1 + 4;
    let (rcode, counts) = match says {
        Says::Nothing => (0, [0, 1, 0, 0, 0, 1, 0, 0]),
        Says::Ds(all) => (0, [0, 1, 0, all.len() as u8, 0, 0, 0, 0]),
        Says::Refused => (5, [0, 1, 0, 0, 0, 0, 0, 0]),
    };
    let mut octets = query[..2].to_vec();
    // A response with authority.
    octets.extend([0x84, rcode]);
    octets.extend(counts);
    octets.extend(&query[12..question_end]);
    match says {
        Says::Nothing => {
            // The root's SOA.
            octets.extend([0, 0, 6, 0, 1, 0, 0, 14, 16, 0, 22, 0, 0]);
            octets.extend([0; 20]);
        }
        Says::Ds(all) => {
            for rdata in all {
                octets.extend([0xc0, 12, 0, 43, 0, 1]);
                octets.extend(DS_TTL.to_be_bytes());
                octets.extend((rdata.len() as u16).to_be_bytes());
                octets.extend(rdata);
            }
        }
        Says::Refused => {}
    }
    octets
}

fn enforcer(installation: &Installation, words: &str) -> String {
    let mut command = Command::new(anchorite());
    command.arg0("ods-enforcer").args(["-s", &installation.socket()]);
    let output = command.args(words.split_ascii_whitespace()).output().unwrap();
    assert!(output.status.success(), "{words}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The line of a check.
fn monitor(installation: &Installation, check: &str) -> String {
    let mut command = Command::new(anchorite());
    let output = command.args(["-s", &installation.socket(), "monitor", check]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Sets the clock forward by this many seconds.
fn leap(installation: &Installation, seconds: u64) {
    let queue = enforcer(installation, "queue");
    let (_, rest) = queue.split_once("It is now ").unwrap();
    let (_, rest) = rest.split_once('(').unwrap();
    let now: u64 = rest.split(' ').next().unwrap().parse().unwrap();
    enforcer(installation, &format!("time leap -t {}", now + seconds));
}

/// States of the DSs of the KSKs, the older key first.
fn ds_states(installation: &Installation) -> Vec<String> {
    let list = enforcer(installation, "key list -d -p");
    let ksks = list.lines().filter(|line| line.split(';').nth(1) == Some("KSK"));
    ksks.map(|ksk| ksk.split(';').nth(2).unwrap().to_owned()).collect()
}

#[track_caller]
fn until_ds_are(installation: &Installation, wanted: &[&str]) {
    let begin = Instant::now();
    while ds_states(installation) != wanted {
        assert!(begin.elapsed() < WAIT, "the DSs are {:?}", ds_states(installation));
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// RDATA of a DS in presentation form at the end of a log line.
fn ds_rdata(line: &str) -> Vec<u8> {
    let (_, fields) = line.split_once(" IN DS ").unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let tag: u16 = fields[0].parse().unwrap();
    let mut rdata = tag.to_be_bytes().to_vec();
    rdata.extend([fields[1].parse::<u8>().unwrap(), fields[2].parse::<u8>().unwrap()]);
    let hex = fields[3..].concat();
    let octet = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    rdata.extend((0..hex.len()).step_by(2).map(octet));
    rdata
}

fn installation(servers: &[Server]) -> Installation {
    let installation = Installation::new("default");
    installation.edit("kasp.xml", "<Lifetime>P365D<", "<Lifetime>PT0S<");
    installation.edit("kasp.xml", "<Lifetime>P90D<", "<Lifetime>PT0S<");
    let agent = |server: &Server| {
        let (ip, port) = (server.address.ip(), server.address.port());
        format!("<Agent><Address>{ip}</Address><Port>{port}</Port></Agent>")
    };
    let agents: String = servers.iter().map(agent).collect();
    let agents = format!("<Agents>{agents}<Interval>PT1H</Interval></Agents></Parent>");
    installation.edit("kasp.xml", "</Parent>", &agents);
    installation.write_small_zone(ZONE, 1, "");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

/// A daemon at the moment when the DS of its first KSK is to be submitted, and that DS.
fn until_submitted(installation: &Installation) -> (Daemon, Vec<u8>) {
    let mut command = installation.command();
    command.args(["--set-time", "now"]);
    let mut daemon = Daemon::spawn(command);
    daemon.wait_for(&["[STATS]", ZONE]);
    // Until the DNSKEYs are everywhere, and then the signatures.
    leap(installation, 24 * HOUR);
    daemon.wait_for_all(&[&["DNSKEY rumoured -> omnipresent"], &["skip write zone"]]);
    leap(installation, 24 * HOUR);
    let ds = ds_rdata(&daemon.wait_for(&[" IN DS "]));
    until_ds_are(installation, &["rumoured"]);
    (daemon, ds)
}

#[test]
fn a_ds_goes_on_when_every_server_shows_it_and_its_ttl_is_over() {
    let servers = [Server::start(), Server::start()];
    let installation = installation(&servers);
    let (mut daemon, ds) = until_submitted(&installation);
    let ds = Says::Ds(vec![ds]);

    // One server lags, then it errs: nothing moves, whatever the time, and the log says why.
    servers[0].say(ds.clone());
    leap(&installation, HOUR);
    daemon.wait_for(&["do not agree about the DS of zone ods1", "but not on"]);
    leap(&installation, 48 * HOUR);
    servers[1].say(Says::Refused);
    leap(&installation, HOUR);
    daemon.wait_for(&["do not agree about the DS of zone ods1", "RCODE 5"]);
    assert_eq!(ds_states(&installation), ["rumoured"]);
    assert_eq!(daemon.count("but not on"), 1, "{}", daemon.log());
    assert_eq!(daemon.count("the parent's servers agree"), 0, "{}", daemon.log());

    // Both show it: ds-seen at that moment, and the wait counts from there, with their TTL.
    servers[1].say(ds);
    leap(&installation, HOUR);
    daemon.wait_for(&["the parent's servers agree about the DS of key"]);
    // The policy's hour and delay (9999 s) are over then, the servers' two hours are not.
    leap(&installation, 9999 + HOUR);
    enforcer(&installation, "enforce");
    assert_eq!(ds_states(&installation), ["rumoured"]);
    leap(&installation, HOUR);
    until_ds_are(&installation, &["omnipresent"]);

    // Nothing is on its way any more. The parent makes a mistake: nobody believes the zone, and
    // somebody has to know.
    let wrong = [&[0, 1, 13, 2][..], &[7; 32]].concat();
    servers.iter().for_each(|server| server.say(Says::Ds(vec![wrong.clone()])));
    let begin = Instant::now();
    let is_seen = |said: &str| said.contains("ods1: the parent's DS match no key of the zone");
    while !is_seen(&monitor(&installation, "ds")) {
        assert!(begin.elapsed() < WAIT, "{}", monitor(&installation, "ds"));
        // Until the round after the one that was under way.
        leap(&installation, HOUR);
        std::thread::park_timeout(Duration::from_millis(500));
    }
    daemon.stop();
}

#[test]
fn an_old_ds_is_gone_when_no_server_shows_it() {
    let servers = [Server::start(), Server::start()];
    let installation = installation(&servers);
    let (mut daemon, old) = until_submitted(&installation);
    let say = |shown: [&[&Vec<u8>]; 2]| {
        for (server, all) in servers.iter().zip(shown) {
            server.say(Says::Ds(all.iter().map(|rdata| rdata.to_vec()).collect()));
        }
    };
    let seen = &["the parent's servers agree about the DS of key"];
    say([&[&old], &[&old]]);
    leap(&installation, HOUR);
    daemon.wait_for(seen);
    leap(&installation, 24 * HOUR);
    until_ds_are(&installation, &["omnipresent"]);

    // Another key comes, and the parent has both DSs for a while.
    enforcer(&installation, "key rollover -z ods1 -t KSK");
    daemon.wait_for(&["KSK rollover of zone ods1 has begun"]);
    daemon.wait_for(&["[STATS]", ZONE]);
    leap(&installation, 24 * HOUR);
    let new = ds_rdata(&daemon.wait_for(&[" IN DS "]));
    assert_ne!(new, old);
    say([&[&old, &new], &[&old, &new]]);
    leap(&installation, HOUR);
    daemon.wait_for(seen);
    leap(&installation, 24 * HOUR);
    daemon.wait_for(&["please retract DS with keytag"]);
    until_ds_are(&installation, &["unretentive", "omnipresent"]);

    // One server lags: the old DS is not gone, whatever the time.
    say([&[&new], &[&old, &new]]);
    leap(&installation, HOUR);
    daemon.wait_for(&["do not agree about the DS of zone ods1"]);
    leap(&installation, 48 * HOUR);
    enforcer(&installation, "enforce");
    assert_eq!(ds_states(&installation), ["unretentive", "omnipresent"]);
    assert!(enforcer(&installation, "key list -t KSK").contains("waiting for ds-"));

    // Now it is, and the caches have it for as long as the servers said.
    say([&[&new], &[&new]]);
    leap(&installation, HOUR);
    daemon.wait_for(seen);
    assert_eq!(ds_states(&installation), ["unretentive", "omnipresent"]);
    leap(&installation, 9999 + 2 * HOUR);
    until_ds_are(&installation, &["hidden", "omnipresent"]);
    daemon.stop();
}
