//! zonefetch.xml as it is read: OpenDNSSEC 1.3's sample, and what is refused.

use super::*;
use dnssec::transfer::peers::permits;

#[track_caller]
fn read(text: &str) -> ZoneFetch {
    let read = read_zonefetch("zonefetch.xml", text.as_bytes());
    let read = read.unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(read.notices, []);
    read.value
}

#[test]
fn the_sample_of_opendnssec_is_read() {
    let read = read(include_str!("../../../examples/opendnssec-1.1/zonefetch.xml"));
    assert_eq!(read.notify_listen, Interface { address: None, port: 53, tls: None });
    let [master] = read.inbound.masters.as_slice() else { panic!("{read:?}") };
    assert_eq!(master.address, "192.0.2.2:53".parse().unwrap());
    let key = master.key.as_ref().unwrap();
    assert_eq!(key.name().to_string(), "secret.example.com.");
    // NOTIFY comes from a master, signed or not.
    let allows = |from: &str, key| permits(&read.inbound.allow_notify, from.parse().unwrap(), key);
    assert!(allows("192.0.2.2", None) && allows("192.0.2.2", Some(key.name())));
    assert!(!allows("192.0.2.3", None) && !allows("192.0.2.3", Some(key.name())));
}

#[test]
fn each_master_has_its_port() {
    let read = read(
        "<ZoneFetch><NotifyListen><IPv6>::1</IPv6><Port>5300</Port></NotifyListen><Default>\
         <RequestTransfer><IPv4>192.0.2.1</IPv4><Port>5353</Port></RequestTransfer>\
         <RequestTransfer><IPv6>2001:db8::1</IPv6></RequestTransfer></Default></ZoneFetch>",
    );
    let address = Some("::1".parse().unwrap());
    assert_eq!(read.notify_listen, Interface { address, port: 5300, tls: None });
    let masters: Vec<String> =
        read.inbound.masters.iter().map(|master| master.address.to_string()).collect();
    assert_eq!(masters, ["192.0.2.1:5353", "[2001:db8::1]:53"]);
    assert_eq!(read.inbound.allow_notify.len(), 2);
    assert!(read.inbound.masters.iter().all(|master| master.key.is_none()));
}

#[track_caller]
fn check_refused(inner: &str, words: &str) {
    let text = format!("<ZoneFetch>{inner}</ZoneFetch>");
    let faults = read_zonefetch("zonefetch.xml", text.as_bytes()).unwrap_err();
    assert!(faults.to_string().contains(words), "{faults}");
}

#[test]
fn faults_are_told() {
    let default = |inner: &str| format!("<Default>{inner}</Default>");
    check_refused("", "missing element <Default> in <ZoneFetch>");
    check_refused(&default(""), "<Default> has 0 <RequestTransfer>; it needs 1 to 256");
    check_refused(&default("<RequestTransfer/>"), "missing one of <IPv4>, <IPv6>");
    let wrong = "<RequestTransfer><IPv4>::1</IPv4></RequestTransfer>";
    check_refused(&default(wrong), "'::1' is not allowed in <IPv4>; expected an address of IPv4");
    let name = "<RequestTransfer><IPv4>ns.example</IPv4></RequestTransfer>";
    check_refused(&default(name), "'ns.example' is not an IP address");
    let good = default("<RequestTransfer><IPv4>192.0.2.1</IPv4></RequestTransfer>");
    let both = "<NotifyListen><IPv4>192.0.2.1</IPv4><IPv6>::1</IPv6></NotifyListen>";
    check_refused(&format!("{both}{good}"), "only one of <IPv4>, <IPv6> may stand in <Notify");
}
