//! Every prerequisite and every kind of update of RFC 2136, and what is refused.

use super::*;
use crate::Serial;
use crate::zone::load::{Limits, Loader, Place};
use crate::zone::texts::texts;
use expect_test::{Expect, expect};
use proptest::prelude::*;

pub(super) fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), Some(&Name::root())).unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    let mut rdata = [name("ns.example").as_wire(), name("host.example").as_wire()].concat();
    [serial, 1800, 900, 604_800, 300].iter().for_each(|number| rdata.extend(number.to_be_bytes()));
    rdata
}

pub(super) fn rdata(rtype: RrType, text: &str) -> Vec<u8> {
    match rtype {
        _ if text.is_empty() => Vec::new(),
        RrType::SOA => soa(text.parse().unwrap()),
        RrType::A => text.split('.').map(|octet| octet.parse().unwrap()).collect(),
        RrType::TXT => [&[text.len() as u8], text.as_bytes()].concat(),
        RrType::DS => [&[1, 2, 13, 2][..], &[7; 32]].concat(),
        _ => name(text).as_wire().to_vec(),
    }
}

/// `example.` with serial 7.
pub(super) fn zone() -> ZoneVersion {
    let mut loader = Loader::new(&name("example"), Limits::default());
    for (owner, rtype, text) in [
        ("example", RrType::SOA, "7"),
        ("example", RrType::NS, "ns.example"),
        ("example", RrType::NS, "ns2.example"),
        ("example", RrType::TXT, "hello"),
        ("WWW.example", RrType::A, "192.0.2.1"),
        ("www.example", RrType::A, "192.0.2.2"),
        ("www.example", RrType::TXT, "text"),
        ("alias.example", RrType::CNAME, "www.example"),
        ("a.ent.example", RrType::A, "192.0.2.3"),
        ("sub.example", RrType::NS, "ns.sub.example"),
        ("ns.sub.example", RrType::A, "192.0.2.4"),
        ("sub.example", RrType::DS, "x"),
    ] {
        let data = rdata(rtype, text);
        loader.add(&name(owner), rtype, Ttl(60), &data, Place { source: 0, line: 1 }).unwrap();
    }
    loader.finish().unwrap().version
}

/// Owner, type, class, TTL, data.
pub(super) type Line<'l> = (&'l str, RrType, u16, u32, &'l str);

pub(super) fn message(prerequisites: &[Line<'_>], updates: &[Line<'_>]) -> Vec<u8> {
    let mut message = vec![0, 1, 5 << 3, 0];
    for count in [1, prerequisites.len(), updates.len(), 0] {
        message.extend((count as u16).to_be_bytes());
    }
    message.extend(name("example").as_wire());
    message.extend([0, 6, 0, 1]);
    for (owner, rtype, class, ttl, text) in prerequisites.iter().chain(updates) {
        message.extend(name(owner).as_wire());
        message.extend(rtype.0.to_be_bytes());
        message.extend(class.to_be_bytes());
        message.extend(ttl.to_be_bytes());
        let data = rdata(*rtype, text);
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

/// The difference of an update that makes a zone.
fn difference(message: &[u8], version: &ZoneVersion) -> Result<Difference, UpdateFault> {
    let updated = updated(message, version)?;
    Ok(updated.map(|updated| updated.difference).unwrap_or_default())
}

const IN: u16 = CLASS_IN;
const ANY: u16 = CLASS_ANY;
const NONE: u16 = CLASS_NONE;
const ALL: RrType = TYPE_ANY;

/// The lines of a difference, the SOA's only by the serial that comes.
fn shown(difference: &Difference) -> String {
    let sign = |sign: &str, records| -> Vec<String> {
        texts(records).iter().map(|line| format!("{sign}{}", line.replace('\t', " "))).collect()
    };
    let lines = [sign("-", &difference.removed), sign("+", &difference.added)].concat();
    lines.iter().filter(|line| !line.contains(" SOA ")).cloned().collect()
}

#[track_caller]
fn check(updates: &[Line<'_>], expected: Expect) {
    let zone = zone();
    let difference = difference(&message(&[], updates), &zone).unwrap();
    expected.assert_eq(&shown(&difference));
    match difference.is_empty() {
        true => {}
        false => {
            let new = patch::apply(&zone, &difference).unwrap();
            assert!(new.serial().unwrap().is_after(Serial(7)));
            let again = crate::zone::diff::difference(&zone, &new);
            assert_eq!(shown(&again), shown(&difference), "what is said is what is done");
        }
    }
}

#[test]
fn records_are_added() {
    let a = RrType::A;
    check(&[("new.example", a, IN, 5, "192.0.2.9")], expect!["+new.example. 5 IN A 192.0.2.9\n"]);
    // There already: nothing changes, whatever the case.
    check(&[("Www.example", a, IN, 60, "192.0.2.1")], expect![""]);
    check(&[("sub.example", RrType::NS, IN, 60, "NS.SUB.example")], expect![""]);
    // Another TTL is that of the whole RRset.
    check(
        &[("www.example", a, IN, 5, "192.0.2.3")],
        expect![[r#"
            -WWW.example. 60 IN A 192.0.2.1
            -WWW.example. 60 IN A 192.0.2.2
            +WWW.example. 5 IN A 192.0.2.1
            +WWW.example. 5 IN A 192.0.2.2
            +WWW.example. 5 IN A 192.0.2.3
        "#]],
    );
    // A CNAME is alone: what comes second is left out (§3.4.2.2).
    check(&[("www.example", RrType::CNAME, IN, 5, "x.example")], expect![""]);
    check(&[("alias.example", a, IN, 5, "192.0.2.3")], expect![""]);
    check(
        &[("alias.example", RrType::CNAME, IN, 60, "x.example")],
        expect![[r#"
            -alias.example. 60 IN CNAME www.example.
            +alias.example. 60 IN CNAME x.example.
        "#]],
    );
}

#[test]
fn records_are_deleted() {
    let a = RrType::A;
    check(
        &[("www.example", a, NONE, 0, "192.0.2.1"), ("www.example", RrType::TXT, ANY, 0, "")],
        expect![[r#"
            -WWW.example. 60 IN A 192.0.2.1
            -WWW.example. 60 IN TXT "text"
        "#]],
    );
    check(&[("www.example", a, NONE, 0, "192.0.2.77")], expect![""]);
    check(&[("nobody.example", ALL, ANY, 0, "")], expect![""]);
    check(&[("a.ent.example", ALL, ANY, 0, "")], expect!["-a.ent.example. 60 IN A 192.0.2.3\n"]);
    // SOA and NS of the apex stay (§3.4.2.3), and its last NS (§3.4.2.4).
    check(&[("example", ALL, ANY, 0, "")], expect!["-example. 60 IN TXT \"hello\"\n"]);
    check(&[("example", RrType::NS, ANY, 0, "")], expect![""]);
    check(&[("example", RrType::SOA, ANY, 0, "")], expect![""]);
    check(&[("example", RrType::SOA, NONE, 0, "7")], expect![""]);
    check(
        &[
            ("example", RrType::NS, NONE, 0, "ns.example"),
            ("example", RrType::NS, NONE, 0, "NS2.example"),
        ],
        expect!["-example. 60 IN NS ns.example.\n"],
    );
    // In the order of the message: replaced, and deleted again.
    check(
        &[
            ("www.example", ALL, ANY, 0, ""),
            ("www.example", a, IN, 60, "192.0.2.1"),
            ("new.example", a, IN, 60, "192.0.2.1"),
            ("new.example", ALL, ANY, 0, ""),
        ],
        expect![[r#"
            -WWW.example. 60 IN A 192.0.2.2
            -WWW.example. 60 IN TXT "text"
        "#]],
    );
}

#[test]
fn the_serial_rises_by_itself_or_as_told() {
    let zone = zone();
    let serial_after = |updates: &[Line<'_>]| {
        let difference = difference(&message(&[], updates), &zone).unwrap();
        patch::apply(&zone, &difference).unwrap().serial().unwrap().0
    };
    let new = ("new.example", RrType::A, IN, 5, "192.0.2.9");
    assert_eq!(serial_after(&[new]), 8);
    assert_eq!(serial_after(&[new, ("example", RrType::SOA, IN, 60, "100")]), 100);
    // An older one is left out, and one below the apex.
    assert_eq!(serial_after(&[new, ("example", RrType::SOA, IN, 60, "3")]), 8);
    assert_eq!(serial_after(&[new, ("www.example", RrType::SOA, IN, 60, "30")]), 8);
    assert_eq!(serial_after(&[("example", RrType::SOA, IN, 60, "20")]), 20);
    let older = message(&[], &[("example", RrType::SOA, IN, 60, "3")]);
    assert!(difference(&older, &zone).unwrap().is_empty());
}

#[test]
fn prerequisites_of_all_kinds() {
    let zone = zone();
    let update = [("new.example", RrType::A, IN, 5, "192.0.2.9")];
    let check = |prerequisites: &[Line<'_>], expected: Option<Rcode>| {
        let got = difference(&message(prerequisites, &update), &zone).map_err(|it| it.rcode());
        assert_eq!(got.as_ref().err(), expected.as_ref(), "{prerequisites:?}");
    };
    let a = RrType::A;
    check(&[("www.example", ALL, ANY, 0, "")], None);
    check(&[("nobody.example", ALL, ANY, 0, "")], Some(Rcode::NXDOMAIN));
    // An empty non-terminal has no records (§2.4.4).
    check(&[("ent.example", ALL, ANY, 0, "")], Some(Rcode::NXDOMAIN));
    check(&[("www.example", a, ANY, 0, "")], None);
    check(&[("www.example", RrType::MX, ANY, 0, "")], Some(Rcode::NXRRSET));
    check(&[("nobody.example", ALL, NONE, 0, "")], None);
    check(&[("www.example", ALL, NONE, 0, "")], Some(Rcode::YXDOMAIN));
    check(&[("www.example", RrType::MX, NONE, 0, "")], None);
    check(&[("www.example", a, NONE, 0, "")], Some(Rcode::YXRRSET));
    let (one, two) =
        (("www.example", a, IN, 0, "192.0.2.1"), ("WWW.example", a, IN, 0, "192.0.2.2"));
    check(&[two, one], None);
    check(&[two], Some(Rcode::NXRRSET));
    check(&[one, two, ("www.example", a, IN, 0, "192.0.2.3")], Some(Rcode::NXRRSET));
    check(
        &[
            ("example", RrType::NS, IN, 0, "NS.example"),
            ("example", RrType::NS, IN, 0, "ns2.example"),
        ],
        None,
    );
    check(&[("www.example", a, ANY, 1, "")], Some(Rcode::FORMERR));
    check(&[("www.example", a, ANY, 0, "192.0.2.1")], Some(Rcode::FORMERR));
    check(&[("www.example", a, 3, 0, "")], Some(Rcode::FORMERR));
    check(&[("www.example", ALL, IN, 0, "")], Some(Rcode::FORMERR));
    check(&[("www.test", ALL, ANY, 0, "")], Some(Rcode::NOTZONE));
}

#[track_caller]
fn check_refused(updates: &[Line<'_>], rcode: Rcode, words: &str) {
    // What comes before it is not done either.
    let first = [("new.example", RrType::A, IN, 5, "192.0.2.9")];
    let fault = difference(&message(&[], &[&first, updates].concat()), &zone()).unwrap_err();
    assert_eq!(fault.rcode(), rcode, "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
}

#[test]
fn updates_that_cannot_be_are_refused_as_a_whole() {
    let a = RrType::A;
    check_refused(&[("www.test", a, IN, 5, "192.0.2.1")], Rcode::NOTZONE, "www.test. is not in");
    check_refused(&[("www.example", ALL, IN, 5, "")], Rcode::FORMERR, "says nothing in an update");
    check_refused(&[("www.example", a, ANY, 5, "")], Rcode::FORMERR, "class 255");
    check_refused(&[("www.example", a, ANY, 0, "192.0.2.1")], Rcode::FORMERR, "class 255");
    check_refused(&[("www.example", ALL, NONE, 0, "")], Rcode::FORMERR, "class 254");
    check_refused(&[("www.example", a, NONE, 5, "192.0.2.1")], Rcode::FORMERR, "class 254");
    check_refused(&[("www.example", RrType(252), ANY, 0, "")], Rcode::FORMERR, "class 255");
    check_refused(&[("www.example", a, 4, 0, "192.0.2.1")], Rcode::FORMERR, "class 4");
    check_refused(&[("www.example", a, IN, 5, "192.0.2")], Rcode::FORMERR, "A record of www");
    check_refused(&[("www.example", a, IN, 5, "")], Rcode::FORMERR, "A record of www");
    let signers = "are made by the signer";
    check_refused(&[("www.example", RrType::NSEC, ANY, 0, "")], Rcode::REFUSED, signers);
    check_refused(&[("www.example", RrType::RRSIG, ANY, 0, "")], Rcode::REFUSED, signers);
    for rtype in [RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY, RrType::ZONEMD] {
        check_refused(&[("example", rtype, ANY, 0, "")], Rcode::REFUSED, signers);
    }
    // A DS without its delegation.
    check_refused(&[("sub.example", RrType::NS, ANY, 0, "")], Rcode::REFUSED, "would not be one");
    check_refused(&[("www.example", RrType::DS, IN, 5, "x")], Rcode::REFUSED, "would not be one");
}

#[test]
fn a_message_cut_anywhere_is_malformed() {
    let whole = message(
        &[("www.example", ALL, ANY, 0, "")],
        &[("new.example", RrType::A, IN, 5, "192.0.2.9")],
    );
    assert!(difference(&whole, &zone()).is_ok());
    for end in 0..whole.len() {
        assert_eq!(difference(&whole[..end], &zone()), Err(UpdateFault::Malformed), "{end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Whatever comes, it is refused or it makes a zone, and nothing panics.
    #[test]
    fn any_updates(
        lines in prop::collection::vec(
            (
                prop::sample::select(vec!["example", "www.example", "sub.example", "new.example",
                    "ns.sub.example", "alias.example", "x.test"]),
                prop::sample::select(vec![RrType::A, RrType::NS, RrType::SOA, RrType::CNAME,
                    RrType::DS, RrType::DNAME, RrType::NSEC, TYPE_ANY]),
                prop::sample::select(vec![IN, ANY, NONE, 3]),
                0_u32..2,
                prop::sample::select(vec!["", "9"]),
            ),
            0..8,
        ),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let lines: Vec<Line<'_>> = lines
            .into_iter()
            .map(|(owner, rtype, class, ttl, text)| {
                let text = if rtype == RrType::A && !text.is_empty() { "192.0.2.9" } else { text };
                (owner, rtype, class, if class == IN { ttl } else { 0 }, text)
            })
            .collect();
        let mut octets = message(&[], &lines);
        for (at, octet) in flips {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        let zone = zone();
        if let Ok(difference) = difference(&octets, &zone)
            && !difference.is_empty()
        {
            let new = patch::apply(&zone, &difference).unwrap();
            prop_assert!(new.serial().unwrap().is_after(Serial(7)));
        }
    }
}
