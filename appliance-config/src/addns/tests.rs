//! addns.xml as it is read: OpenDNSSEC's sample, our elements, and what is refused.

use super::*;
use dnssec::Name;
use dnssec::transfer::peers::permits;
use dnssec::transfer::tsig::TsigAlgorithm;

/// `inner` in an addns.xml, which begins on line 2.
fn file(inner: &str) -> String {
    format!("<Adapter><DNS>\n{inner}\n</DNS></Adapter>")
}

const KEY: &str = "<TSIG><Name>k.example</Name><Algorithm>hmac-sha256</Algorithm>\
    <Secret>sw0nMPCswVbes1tmQTm1pcMmpNRK+oGMYN+qKNR/BwQ=</Secret></TSIG>";

#[track_caller]
fn read(inner: &str) -> Addns {
    let read = read_addns("addns.xml", file(inner).as_bytes());
    let read = read.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(read.notices, []);
    read.value
}

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

const EXAMPLE: &str = include_str!("../../../examples/tld-optout/addns.xml");

#[test]
fn the_example_is_read() {
    let read = read_addns("addns.xml", EXAMPLE.as_bytes()).unwrap();
    assert_eq!(read.notices, []);
    let Addns { inbound, outbound } = read.value;
    let addresses: Vec<String> =
        inbound.masters.iter().map(|master| master.address.to_string()).collect();
    assert_eq!(addresses, ["192.0.2.1:53", "[2001:db8::1]:5353"]);
    assert_eq!(inbound.masters[0].key, None);
    let key = inbound.masters[1].key.as_ref().unwrap();
    assert_eq!(*key.name(), name("distribution.example."));
    assert_eq!(key.algorithm(), TsigAlgorithm::HmacSha256);
    let asked = "192.0.2.1".parse().unwrap();
    assert!(permits(&inbound.allow_notify, asked, None));
    let secondary = "192.0.2.18".parse().unwrap();
    assert!(permits(&outbound.provide_transfer, secondary, Some(key.name())));
    assert!(!permits(&outbound.provide_transfer, secondary, None));
    assert_eq!(outbound.notify[1].address.to_string(), "192.0.2.17:53");
}

#[test]
fn nothing_is_allowed_by_default() {
    assert_eq!(read(""), Addns::default());
    assert_eq!(read("<Inbound/><Outbound/>"), Addns::default());
}

#[test]
fn tls_is_never_weaker_than_written() {
    let tls = |tls: &str| {
        let remote = format!("<Remote><Address>::1</Address>{tls}</Remote>");
        let mut found = read(&format!("<Outbound><Notify>{remote}</Notify></Outbound>"));
        found.outbound.notify.remove(0)
    };
    assert_eq!(tls("").address.port(), 53);
    let plain = tls("<TLS/>");
    assert_eq!((plain.address.port(), plain.tls), (853, Some(RemoteTls::Opportunistic)));
    assert_eq!(tls("<Port>8853</Port><TLS/>").address.port(), 8853);
    let pin = "<Pin>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</Pin>";
    let given =
        tls(&format!("<TLS><Name>ns1.example.</Name><CAFile>/etc/ca.pem</CAFile>{pin}{pin}</TLS>"));
    let octets: Vec<u8> = (0..32).collect();
    let pins = vec![SpkiPin(octets.try_into().unwrap()); 2];
    let name = Some("ns1.example".to_owned());
    let ca_file = Some("/etc/ca.pem".into());
    assert_eq!(given.tls, Some(RemoteTls::Strict { name, ca_file, pins: pins.clone() }));
    let pinned = tls(&format!("<TLS>{pin}{pin}</TLS>"));
    assert_eq!(pinned.tls, Some(RemoteTls::Strict { name: None, ca_file: None, pins }));
}

#[test]
fn secondaries_are_watched_unless_told() {
    let watch = |inner: &str| read(&format!("<Outbound>{inner}</Outbound>")).outbound.watch;
    assert_eq!(watch(""), WatchLimit::Refresh);
    assert_eq!(watch("<Watch><Alarm>PT10M</Alarm></Watch>"), WatchLimit::After(Seconds(600)));
    assert_eq!(watch("<Watch><Off/></Watch>"), WatchLimit::Off);
    for wrong in ["<Watch/>", "<Watch><Alarm>PT0S</Alarm></Watch>", "<Watch><Alarm/></Watch>"] {
        let text = file(&format!("<Outbound>{wrong}</Outbound>"));
        let faults = read_addns("addns.xml", text.as_bytes()).unwrap_err().to_string();
        assert!(faults.starts_with("addns.xml:2:"), "{wrong}: {faults}");
    }
}

/// Whoever may update has a key, and the key is found by a name in any case and with a dot.
#[test]
fn updates_are_for_those_with_a_key() {
    let update = "<Inbound><AllowUpdate><Peer><Prefix>192.0.2.0/24</Prefix><Key>K.example.</Key>\
                  </Peer></AllowUpdate></Inbound>";
    let found = read(&format!("{KEY}{update}"));
    let from = "192.0.2.9".parse().unwrap();
    assert!(permits(&found.inbound.allow_update, from, Some(&name("k.EXAMPLE."))));
    assert!(!permits(&found.inbound.allow_update, from, None));
}

/// The one fault of `inner` stands where `at` does, which is in it once or is the last of several.
#[track_caller]
fn check_refused(inner: &str, at: &str, words: &str) {
    let column = inner.rfind(at).unwrap() + 1;
    let faults = read_addns("addns.xml", file(inner).as_bytes()).unwrap_err();
    let [fault] = faults.faults.as_slice() else { panic!("{inner}: {faults}") };
    assert!(fault.fault.to_string().contains(words), "{inner}: {faults}");
    assert_eq!((fault.line, fault.column), (2, column), "{faults}");
}

#[test]
fn faults_have_a_place_and_a_remedy() {
    let remote =
        |inner: &str| format!("<Outbound><Notify><Remote>{inner}</Remote></Notify></Outbound>");
    let peer =
        |inner: &str| format!("<Inbound><AllowNotify><Peer>{inner}</Peer></AllowNotify></Inbound>");
    let tsig = |name: &str, algorithm: &str, secret: &str| {
        format!(
            "<TSIG><Name>{name}</Name><Algorithm>{algorithm}</Algorithm><Secret>{secret}</Secret>\
             </TSIG>"
        )
    };
    let good = "AAAAAAAAAAAAAAAAAAAAAA==";
    check_refused(
        &peer("<Key>x.example</Key>"),
        "x.example",
        "no <TSIG> with the <Name> x.example in this file; there are: none",
    );
    check_refused(
        &format!("{KEY}{}", remote("<Address>::1</Address><Key>k</Key>")),
        "k</Key>",
        "no <TSIG> with the <Name> k in this file; there are: k.example",
    );
    check_refused(
        &peer("<Prefix>192.0.2.0/33</Prefix>"),
        "192",
        "/33 is not a number of bits from 0",
    );
    check_refused(&peer("<Prefix>ns1</Prefix>"), "ns1", "'ns1' is not an IP address; a prefix is");
    check_refused(&remote("<Address>ns1.example</Address>"), "ns1", "'ns1.example' is not an IP");
    check_refused(
        &remote("<Address>::1</Address><Port>0</Port>"),
        "0<",
        "a number from 1 to 65535",
    );
    check_refused(&remote("<Port>53</Port>"), "<Remote>", "missing element <Address> in <Remote>");
    check_refused(
        "<Outbound><Notify/></Outbound>",
        "<Notify",
        "<Notify> has 0 <Remote>; it needs 1 to",
    );
    check_refused(&tsig("a..b", "hmac-sha256", good), "a..b", "'a..b' is not the name of a key");
    check_refused(
        &tsig("k", "hmac-sha3", good),
        "hmac",
        "TSIG algorithm 'hmac-sha3' is unknown; allowed: hmac-sha256, hmac-sha384",
    );
    check_refused(
        &tsig("k", "hmac-sha256", "not base64"),
        "not",
        "<Secret> is not base64: invalid",
    );
    check_refused(&tsig("k", "hmac-sha256", " "), "<Secret>", "<Secret> is empty");
    check_refused(
        &(tsig("k", "hmac-sha256", good) + &tsig("K.", "hmac-sha512", good)),
        "<TSIG>",
        "second <TSIG> with the name K",
    );
    let update = "<Inbound><AllowUpdate><Peer><Prefix>::1</Prefix></Peer></AllowUpdate></Inbound>";
    check_refused(update, "<Peer>", "a <Peer> of <AllowUpdate> needs a <Key>");
    let peer = "<Peer><Key>k.example</Key></Peer>";
    let masters = "<RequestTransfer><Remote><Address>::1</Address></Remote></RequestTransfer>";
    check_refused(
        &format!("{KEY}<Inbound>{masters}<AllowUpdate>{peer}</AllowUpdate></Inbound>"),
        "<AllowUpdate>",
        "<AllowUpdate> does not go with <RequestTransfer>",
    );
    check_refused(
        "<Inbound><InitialFile>/zones/%zone</InitialFile></Inbound>",
        "<InitialFile>",
        "<InitialFile> goes only with <AllowUpdate>",
    );
    let initial = "<InitialFile>zones/%zone</InitialFile>";
    check_refused(
        &format!("{KEY}<Inbound><AllowUpdate>{peer}</AllowUpdate>{initial}</Inbound>"),
        "zones/",
        "<InitialFile> is not absolute",
    );
    let tls = |inner: &str| remote(&format!("<Address>::1</Address><TLS>{inner}</TLS>"));
    check_refused(
        &tls("<Pin>AAAA</Pin>"),
        "AAAA",
        "expected base64 of the SHA-256 of a public key",
    );
    check_refused(&tls("<CAFile>/ca.pem</CAFile>"), "<CAFile>", "<CAFile> goes only with <Name>");
    check_refused(&tls("<Name>x</Name><CAFile>ca</CAFile>"), "ca<", "<CAFile> is not absolute");
    check_refused(
        &tls("<Name>a b</Name>"),
        "a b",
        "the name of a server as its certificate has it",
    );
    check_refused(
        "<Outbound/><Inbound/>",
        "<Inbound/>",
        "element <Inbound> in <DNS> must stand before <Outbound>",
    );
    check_refused(
        "<Signer/>",
        "<Signer/>",
        "unknown element <Signer> in <DNS>; allowed here: <TSIG>, <In",
    );
}

#[test]
fn many_peers_are_too_many() {
    let peers = "<Peer><Prefix>::1</Prefix></Peer>".repeat(PEER_COUNT_MAX + 1);
    let inner = format!("<Inbound><AllowNotify>{peers}</AllowNotify></Inbound>");
    check_refused(&inner, "<AllowNotify>", "<AllowNotify> has 257 <Peer>; it needs 1 to 256");
    let pins = "<Pin>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</Pin>".repeat(PIN_COUNT_MAX + 1);
    let remote = format!("<Remote><Address>::1</Address><TLS>{pins}</TLS></Remote>");
    let inner = format!("<Outbound><Notify>{remote}</Notify></Outbound>");
    check_refused(&inner, "<TLS>", "<TLS> has 17 <Pin>; it needs 1 to 16");
}

#[test]
fn what_is_weak_is_noticed() {
    let inner = "<TSIG><Name>old</Name><Algorithm>HMAC-MD5.SIG-ALG.REG.INT</Algorithm>\
        <Secret>AA==</Secret></TSIG>\n<TSIG><Name>b</Name><Algorithm>hmac-sha1</Algorithm><Secret>\
        AAAAAAAA AAAAAAAA AAAAAA==</Secret></TSIG>\
        <Outbound><ProvideTransfer><Peer/></ProvideTransfer></Outbound>";
    let read = read_addns("addns.xml", file(inner).as_bytes()).unwrap();
    let shown: Vec<String> = read.notices.iter().map(|notice| notice.summary()).collect();
    let old = "is only for partners that know no better; hmac-sha256 is the usual one";
    let expected = [
        format!("addns.xml:2:34: hmac-md5 {old}"),
        "addns.xml:2:78: <Secret> has 1 octets; fewer than 16 can be guessed".to_owned(),
        format!("addns.xml:3:32: hmac-sha1 {old}"),
        "addns.xml:3:130: a <Peer> of <ProvideTransfer> without <Prefix> and <Key> is everybody"
            .to_owned(),
    ];
    assert_eq!(shown, expected);
}

/// Neither the fault of a secret nor that of its neighbour shows it, and `Debug` does not.
#[test]
fn secrets_are_never_shown() {
    let inner =
        "<TSIG><Name>a..b</Name><Algorithm>x</Algorithm><Secret>c2VjcmV0IQ=</Secret></TSIG>";
    let faults = read_addns("addns.xml", file(inner).as_bytes()).unwrap_err();
    assert_eq!(faults.faults.len(), 3, "{faults}");
    assert!(!faults.to_string().contains("c2Vj"), "{faults}");
    assert!(!format!("{faults:?}").contains("c2Vj"), "{faults:?}");
    let remote = "<Outbound><Notify><Remote><Address>::1</Address><Key>k.example</Key></Remote>\
                  </Notify></Outbound>";
    let debug = format!("{:?}", read(&format!("{KEY}{remote}")));
    assert!(debug.contains("k.example") && !debug.contains("179") && !debug.contains("sw0n"));
}
