//! The parent's side against the running daemon: answers that have to verify to a trust anchor,
//! served by BIND's `named` with everything that may be wrong about them, and NOTIFY(CDS) to a
//! receiver that a script plays (RFC 9859). Loopback only. The daemon's clock is set forward.
//! Never: sleeps; every wait is for a line of a log, a datagram, or a state of the keys.

mod named;

use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::program::anchorite;
use named::{Chain, Named, Signed, dsync};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const ZONE: &str = "ods1.example";
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A daemon whose time is set, with one zone below `example`.
struct Lab {
    installation: Installation,
    daemon: Daemon,
}

impl Lab {
    /// With these elements at the end of the policy's `<Parent>`.
    fn start(elements: &str) -> Lab {
        let installation = Installation::new("default");
        installation.edit("kasp.xml", "<Lifetime>P365D<", "<Lifetime>PT0S<");
        installation.edit("kasp.xml", "<Lifetime>P90D<", "<Lifetime>PT0S<");
        let elements = elements.replace("FOLDER", &installation.path("").display().to_string());
        installation.edit("kasp.xml", "</Parent>", &format!("{elements}</Parent>"));
        installation.write_small_zone(ZONE, 1, "");
        installation.write_zonelist(&[(ZONE, "default")]);
        Lab::over(installation, "now")
    }

    /// At this time. A first run that has nothing to write says so.
    fn over(installation: Installation, time: &str) -> Lab {
        let mut command = installation.command();
        command.args(["--set-time", time]);
        let mut daemon = Daemon::spawn(command);
        daemon.wait_for(&["write zone", ZONE]);
        Lab { installation, daemon }
    }

    fn said(&self, name: &str, words: &str) -> String {
        let mut command = Command::new(anchorite());
        command.arg0(name).args(["-s", &self.installation.socket()]);
        let output = command.args(words.split_ascii_whitespace()).output().unwrap();
        assert!(output.status.success(), "{words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn now(&self) -> u64 {
        let queue = self.said("ods-enforcer", "queue");
        let (_, rest) = queue.split_once("It is now ").unwrap();
        let (_, rest) = rest.split_once('(').unwrap();
        rest.split(' ').next().unwrap().parse().unwrap()
    }

    /// Sets the clock forward by this many seconds.
    fn leap(&self, seconds: u64) {
        let then = self.now() + seconds;
        self.said("ods-enforcer", &format!("time leap -t {then}"));
    }

    /// Goes on until the DS may be handed over; its record.
    fn until_ds_is_wanted(&mut self) -> String {
        self.leap(DAY);
        self.daemon.wait_for_all(&[&["DNSKEY rumoured -> omnipresent"], &["skip write zone"]]);
        self.leap(DAY);
        let line = self.daemon.wait_for(&[" IN DS "]);
        self.until_ds_is("rumoured");
        let (_, fields) = line.split_once(" IN DS ").unwrap();
        format!("ods1 DS {fields}")
    }

    /// State of the DS of the one KSK.
    fn ds_state(&self) -> String {
        let list = self.said("ods-enforcer", "key list -d -p");
        let ksk = list.lines().find(|line| line.split(';').nth(1) == Some("KSK")).unwrap();
        ksk.split(';').nth(2).unwrap().to_owned()
    }

    #[track_caller]
    fn until_ds_is(&self, wanted: &str) {
        self.until(wanted, || self.ds_state());
    }

    /// Asks until the answer has these words.
    #[track_caller]
    fn until(&self, wanted: &str, ask: impl Fn() -> String) {
        let begin = Instant::now();
        loop {
            let found = ask();
            if found.contains(wanted) {
                return;
            }
            assert!(begin.elapsed() < WAIT, "no {wanted:?} in {found}\n{}", self.daemon.log());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn until_status_has(&self, wanted: &str) {
        let words = format!("parent status --zone {ZONE}");
        self.until(wanted, || self.said("anchorite", &words));
    }

    /// Has the parent asked again, and waits until the log says that it is not believed, and why.
    #[track_caller]
    fn is_not_believed(&mut self, why: &str) {
        self.leap(HOUR);
        self.daemon.wait_for(&["do not agree about the DS of zone", "not validated", why]);
        self.until_status_has(why);
        assert_eq!(self.ds_state(), "rumoured");
        assert_eq!(self.daemon.count("the parent's servers agree"), 0, "{}", self.daemon.log());
    }
}

fn agents(address: SocketAddr, more: &str) -> String {
    format!(
        "<Agents><Agent><Address>{}</Address><Port>{}</Port></Agent><Interval>PT1H</Interval>\
         {more}</Agents>",
        address.ip(),
        address.port()
    )
}

/// Text without the RRSIGs over a type that stand at an owner (any, where it is empty).
fn without_rrsig(text: &str, owner: &str, rtype: &str) -> String {
    let is_it = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(3) == Some(&"RRSIG")
            && fields.get(4) == Some(&rtype)
            && fields[0].starts_with(owner)
    };
    let kept: Vec<&str> = text.lines().filter(|line| !is_it(line)).collect();
    assert!(kept.len() < text.lines().count(), "no RRSIG {rtype} of {owner}");
    kept.join("\n") + "\n"
}

/// Text in which the zone's first record of a type has another text, though it is signed.
fn with_changed(text: &str, (rtype, from, to): (&str, &str, &str)) -> String {
    let mut is_changed = false;
    let change = |line: &str| {
        let is_it = line.starts_with("ods1.")
            && line.split_whitespace().nth(3) == Some(rtype)
            && line.contains(from);
        if !is_it || is_changed {
            return format!("{line}\n");
        }
        is_changed = true;
        format!("{}\n", line.replacen(from, to, 1))
    };
    let text: String = text.lines().map(change).collect();
    assert!(is_changed, "no {rtype} with {from}");
    text
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_ds_goes_on_only_by_answers_that_verify() {
    let mut named = Named::start(Chain::Nsec);
    let file = "<TrustAnchorFile>FOLDER/anchors</TrustAnchorFile>";
    let other = Named::start(Chain::Nsec);
    let mut lab = Lab::start(&agents(named.address, file));
    // No file, one that is none, a stranger's anchor of a zone of that name; then the right one.
    let ds = lab.until_ds_is_wanted();
    lab.daemon.wait_for(&["do not agree", "trust anchors: cannot read"]);
    lab.installation.write("anchors", "example. IN MX 10 mail\n");
    lab.leap(HOUR);
    lab.daemon.wait_for(&["do not agree", "line 1: 'MX' where DS or DNSKEY is expected"]);
    lab.installation.write("anchors", &other.anchor());
    lab.is_not_believed("none of the parent's DNSKEYs is what the trust anchor says");
    lab.installation.write("anchors", &named.anchor());
    lab.leap(HOUR);
    lab.daemon.wait_for(&["all of the parent's servers answer alike"]);
    lab.until_status_has("on none of them");

    // A denial that says something else than was signed.
    named.serve("", Signed::Well, |text| {
        with_changed(text, ("NSEC", " NS RRSIG NSEC", " NS TXT RRSIG NSEC"))
    });
    lab.is_not_believed("the signature over its NSEC records is wrong");

    // A DS, with everything wrong about it that may be.
    named.serve(&ds, Signed::Not, as_it_is);
    lab.is_not_believed("it shows no DNSKEY records");
    named.serve(&ds, Signed::Well, |text| without_rrsig(text, "ods1", "DS"));
    lab.is_not_believed("its DS records are not signed");
    named.serve(&ds, Signed::Expired, as_it_is);
    lab.is_not_believed("the signature over its DNSKEY records has expired");
    named.serve(
        "ods1 DS 1 13 2 00000000000000000000000000000000\
                 00000000000000000000000000000000",
        Signed::Well,
        |text| {
            let zeros = "00000000";
            with_changed(text, ("DS", zeros, "00000001"))
        },
    );
    lab.is_not_believed("the signature over its DS records is wrong");

    // And with nothing wrong.
    named.serve(&ds, Signed::Well, as_it_is);
    lab.leap(HOUR);
    lab.daemon.wait_for(&["the parent's servers agree about the DS of key"]);
    lab.leap(DAY);
    lab.until_ds_is("omnipresent");
    lab.daemon.stop();
}

#[test]
fn an_opted_out_delegation_is_proven_to_have_no_ds() {
    let mut named = Named::start(Chain::OptOut);
    let anchor = format!("<TrustAnchor>{}</TrustAnchor>", named.anchor());
    let mut lab = Lab::start(&agents(named.address, &anchor));
    let ds = lab.until_ds_is_wanted();
    lab.until_status_has("on none of them");
    lab.until_status_has("answers are validated");
    // A chain that is not signed, which this server then leaves out of its answers.
    named.serve("", Signed::Well, |text| without_rrsig(text, "", "NSEC3"));
    lab.is_not_believed("nothing proves that there is no DS");
    named.serve(&ds, Signed::Well, as_it_is);
    lab.leap(HOUR);
    lab.daemon.wait_for(&["the parent's servers agree about the DS of key"]);
    lab.leap(DAY);
    lab.until_ds_is("omnipresent");
    lab.daemon.stop();
}

/// What stands between the daemon and the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Middle {
    /// Nothing is changed.
    Honest,
    /// Every RRSIG's signer is a pointer back into the message (RFC 4034 §3.1.7).
    Compressed,
    /// An owner name is a pointer to itself.
    Loop,
}

/// A proxy for UDP.
fn proxy(to: SocketAddr, middle: Arc<Mutex<Middle>>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut octets) {
            let behind = UdpSocket::bind("127.0.0.1:0").unwrap();
            behind.send_to(&octets[..length], to).unwrap();
            let (length, _) = behind.recv_from(&mut octets).unwrap();
            let middle = *middle.lock().unwrap();
            socket.send_to(&spoiled(&octets[..length], middle), from).unwrap();
        }
    });
    address
}

fn spoiled(answer: &[u8], middle: Middle) -> Vec<u8> {
    let mut octets = answer.to_vec();
    // Where the first record begins: behind the header and the question.
    let question = 12 + octets[12..].iter().position(|octet| *octet == 0).unwrap() + 5;
    match middle {
        Middle::Honest => {}
        Middle::Compressed => {
            let signer = [7, b'e', b'x', b'a', b'm', b'p', b'l', b'e', 0];
            for at in question..octets.len() - signer.len() {
                // An RRSIG's signer stands behind its key tag; elsewhere names are compressed.
                if octets[at..].starts_with(&signer) {
                    octets.splice(at..at + 2, [0xc0, 12]);
                }
            }
        }
        Middle::Loop => {
            let pointer = 0xc000 | question as u16;
            octets[question..question + 2].copy_from_slice(&pointer.to_be_bytes());
        }
    }
    octets
}

#[test]
fn names_that_are_compressed_where_they_must_not_be_are_junk() {
    let named = Named::start(Chain::Nsec);
    let middle = Arc::new(Mutex::new(Middle::Compressed));
    let address = proxy(named.address, middle.clone());
    let anchor = format!("<TrustAnchor>{}</TrustAnchor>", named.anchor());
    let mut lab = Lab::start(&agents(address, &anchor));
    lab.until_ds_is_wanted();
    lab.daemon.wait_for(&["do not agree about the DS of zone", "not validated", "malformed"]);
    *middle.lock().unwrap() = Middle::Loop;
    lab.leap(HOUR);
    lab.daemon.wait_for(&["do not agree about the DS of zone", "does not answer"]);
    *middle.lock().unwrap() = Middle::Honest;
    lab.leap(HOUR);
    lab.daemon.wait_for(&["all of the parent's servers answer alike"]);
    lab.daemon.stop();
}

/// Who is told by NOTIFY.
struct Scanner {
    socket: UdpSocket,
}

impl Scanner {
    fn new() -> Scanner {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(WAIT)).unwrap();
        Scanner { socket }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// Waits for the next NOTIFY(CDS) about the zone, and answers it with this RCODE.
    #[track_caller]
    fn answer(&self, rcode: u8) {
        let mut octets = [0; 512];
        let (length, from) = self.socket.recv_from(&mut octets).expect("nobody was told");
        let message = &mut octets[..length];
        // Opcode NOTIFY with AA, one question and nothing else (RFC 1996 §4.7).
        assert_eq!(message[2] & 0xfc, 0x24, "{message:?}");
        assert_eq!(message[4..12], [0, 1, 0, 0, 0, 0, 0, 0]);
        let question = b"\x04ods1\x07example\x00\x00\x3b\x00\x01";
        assert_eq!(&message[12..], question);
        message[2] |= 0x80;
        message[3] = rcode;
        self.socket.send_to(message, from).unwrap();
    }

    #[track_caller]
    fn was_not_told(&self) {
        self.socket.set_nonblocking(true).unwrap();
        let told = self.socket.recv_from(&mut [0; 512]);
        assert_eq!(told.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        self.socket.set_nonblocking(false).unwrap();
    }
}

/// The moment as `--set-time` takes it.
fn set_time(seconds: u64) -> String {
    let moment = jiff::Timestamp::from_second(seconds as i64).unwrap();
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d-%H:%M:%S").to_string()
}

#[test]
fn the_parent_is_told_of_cds_until_it_says_that_it_heard() {
    let mut named = Named::start(Chain::Nsec);
    let scanner = Scanner::new();
    named.serve(&format!("*._dsync {}", dsync(scanner.port())), Signed::Well, as_it_is);
    let notify = format!(
        "<CDS/><Notify><Resolver><Address>{}</Address><Port>{}</Port></Resolver>\
         <Delay>PT1H</Delay></Notify>",
        named.address.ip(),
        named.address.port()
    );
    let mut lab = Lab::start(&notify);
    lab.until_ds_is_wanted();
    lab.until_status_has("NOTIFY(CDS): to be told at");
    scanner.was_not_told();
    lab.leap(2 * HOUR);
    scanner.answer(5);
    lab.daemon.wait_for(&["could not be told that CDS changed", "RCODE 5", "in 60 seconds"]);
    lab.until_status_has("failed 1 times");

    // A restart tells again, and what was acknowledged is told no more.
    let time = set_time(lab.now());
    lab.daemon.kill();
    let mut lab = Lab::over(lab.installation, &time);
    lab.leap(2 * HOUR);
    scanner.answer(0);
    let line = lab.daemon.wait_for(&["NOTIFY(CDS) to scanner.example", "is acknowledged"]);
    assert!(line.contains(ZONE), "{line}");
    lab.until_status_has("acknowledged by scanner.example");
    let time = set_time(lab.now());
    lab.daemon.stop();
    let lab = Lab::over(lab.installation, &time);
    lab.leap(2 * HOUR);
    lab.until_status_has("acknowledged before the last start");
    scanner.was_not_told();
    lab.daemon.stop();
}

#[test]
fn a_parent_without_dsync_is_left_in_peace() {
    let named = Named::start(Chain::Nsec);
    let notify = format!(
        "<CDS/><Notify><Resolver><Address>{}</Address><Port>{}</Port></Resolver>\
         <Delay>PT0S</Delay></Notify>",
        named.address.ip(),
        named.address.port()
    );
    let mut lab = Lab::start(&notify);
    lab.until_ds_is_wanted();
    lab.daemon.wait_for(&["has no DSYNC record for CDS"]);
    lab.until_status_has("the parent has no DSYNC record for it");
    lab.daemon.stop();
}
