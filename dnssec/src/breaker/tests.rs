//! The breaker: each trip by the smallest zone that has it, the two cases that it is named for, and
//! that nothing below the limits trips it.

use super::*;
use crate::Ttl;
use crate::zone::edit::{apply_edits, edit_ranges, edits_between};
use crate::zone::load::{Limits, Loader, Place};
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), Some(&Name::parse(b"se.", None).unwrap())).unwrap()
}

fn soa(serial: u32) -> Vec<u8> {
    let mut rdata = [name("ns.nic.se.").as_wire(), name("host.nic.se.").as_wire()].concat();
    for number in [serial, 1800, 900, 604_800, 300] {
        rdata.extend(number.to_be_bytes());
    }
    rdata
}

/// `owner NS target`, `owner A`, one record an entry; names without a final dot are below `se.`.
struct Source {
    serial: u32,
    apex_server: &'static str,
    records: Vec<(String, RrType, u32, Vec<u8>)>,
}

impl Source {
    fn new(serial: u32) -> Source {
        Source { serial, apex_server: "a.ns.se.", records: Vec::new() }
    }

    fn delegations(serial: u32, numbers: impl IntoIterator<Item = u32>) -> Source {
        let mut source = Source::new(serial);
        for number in numbers {
            source.server(&format!("d{number}"), "ns.example.net.");
        }
        source
    }

    fn server(&mut self, owner: &str, target: &str) {
        let rdata = name(target).as_wire().to_vec();
        self.records.push((owner.to_owned(), RrType::NS, 3600, rdata));
    }

    fn address(&mut self, owner: &str, ttl: u32) {
        self.records.push((owner.to_owned(), RrType::A, ttl, vec![192, 0, 2, 1]));
    }

    fn version(&self) -> ZoneVersion {
        let mut loader = Loader::new(&name("se."), Limits::default());
        let mut add = |owner: &str, rtype, ttl, rdata: &[u8]| {
            loader.add(&name(owner), rtype, Ttl(ttl), rdata, Place::default()).unwrap();
        };
        add("se.", RrType::SOA, 3600, &soa(self.serial));
        add("se.", RrType::NS, 3600, name(self.apex_server).as_wire());
        for (owner, rtype, ttl, rdata) in &self.records {
            add(owner, *rtype, *ttl, rdata);
        }
        loader.finish().unwrap().version
    }
}

fn trips_with(old: Option<&Source>, new: &Source, limits: &InputLimits) -> Vec<Trip> {
    let new = new.version();
    let old = old.map_or_else(|| empty(&new.apex), Source::version);
    let ranges = edit_ranges(&old, &new, 3);
    let changes = ranges.iter().map(|range| change_in(&old, &new, limits, range));
    let change = changes.fold(Change::default(), Change::and);
    judge(&old, &new, &change, b"\n", limits)
}

fn codes(old: Option<&Source>, new: &Source) -> Vec<&'static str> {
    trips_with(old, new, &InputLimits::default()).iter().map(Trip::code).collect()
}

/// .de, 12 May 2010: a cut-off copy lacked two thirds of the names.
#[test]
fn two_thirds_of_the_names_are_gone_as_in_de_2010() {
    let (old, new) = (Source::delegations(1, 0..900), Source::delegations(2, 0..300));
    let trips = trips_with(Some(&old), &new, &InputLimits::default());
    let found: Vec<&str> = trips.iter().map(Trip::code).collect();
    assert_eq!(found, ["B103", "B104", "B106"]);
    let text = trips[2].to_string();
    let expect = "B106 lost 600 of 900 delegations, limit 10 %: gone d300.se., d301.se., ";
    assert!(text.starts_with(expect), "{text}");
}

/// .se, 12 October 2009: a script dropped the final dot.
#[test]
fn names_end_in_the_origin_twice_as_in_se_2009() {
    let old = Source::delegations(1, 0..100);
    let mut new = Source::new(2);
    for number in 0..100 {
        new.server(&format!("d{number}.se"), "ns.example.net");
    }
    assert_eq!(codes(Some(&old), &new), ["B106", "B110"]);
    // Nor is it taken as the first input of a zone.
    assert_eq!(codes(None, &new), ["B110"]);
    let mut targets = Source::delegations(2, 0..100);
    (0..4).for_each(|number| targets.server(&format!("d{number}"), "ns.nic.se"));
    assert_eq!(codes(Some(&old), &targets), ["B110"]);
}

#[test]
fn an_input_that_is_the_same_or_the_first_passes() {
    let zone = Source::delegations(1, 0..500);
    assert_eq!(codes(Some(&zone), &zone), [""; 0]);
    assert_eq!(codes(None, &zone), [""; 0]);
}

#[test]
fn growth_and_types() {
    let old = Source::delegations(1, 0..100);
    assert_eq!(codes(Some(&old), &Source::delegations(2, 0..190)), [""; 0]);
    // A small zone may be filled at once; a larger one may not double.
    assert_eq!(codes(Some(&old), &Source::delegations(2, 0..4000)), [""; 0]);
    assert_eq!(codes(Some(&old), &Source::delegations(2, 0..5200)), ["B103", "B104"]);
    let strict = InputLimits { small_growth: 50, ..InputLimits::default() };
    let trips = trips_with(Some(&old), &Source::delegations(2, 0..220), &strict);
    assert!(trips[0].to_string().starts_with("B103 "), "{}", trips[0]);
    assert_eq!(trips_with(Some(&old), &Source::delegations(2, 0..190), &strict).len(), 0);
    let mut with_addresses = Source::delegations(1, 0..400);
    (0..60).for_each(|number| with_addresses.address(&format!("host{number}"), 60));
    let without = Source::delegations(2, 0..400);
    let trips = trips_with(Some(&with_addresses), &without, &InputLimits::default());
    assert_eq!(trips.len(), 1);
    let text = trips[0].to_string();
    assert!(text.starts_with("B104 60 records of type A became 0, limit 30 %; "), "{text}");
}

#[test]
fn servers_of_the_zone_and_serials() {
    let old = Source::delegations(7, 0..20);
    let other = Source { apex_server: "b.ns.se.", ..Source::delegations(8, 0..20) };
    assert_eq!(codes(Some(&old), &other), ["B107"]);
    let upper = Source { apex_server: "A.NS.se.", ..Source::delegations(8, 0..20) };
    assert_eq!(codes(Some(&old), &upper), [""; 0]);
    let serial = |serial| codes(Some(&old), &Source::delegations(serial, 0..20));
    assert_eq!(serial(6), ["B109"]);
    // Half-way around neither is newer (RFC 1982 §3.2).
    assert_eq!(serial(7 + 0x8000_0000), ["B109"]);
    assert_eq!(serial(7 + 0x7FFF_FFFF), [""; 0]);
    // The same serial with other data: the policy's serial mode has its own rule.
    assert_eq!(codes(Some(&old), &Source::delegations(7, 0..21)), [""; 0]);
}

#[test]
fn long_ttls_are_told_once() {
    let with = |serial, ttl| {
        let mut source = Source::delegations(serial, 0..2);
        source.address("www", ttl);
        source
    };
    assert_eq!(codes(None, &with(1, 604_800)), [""; 0]);
    let trips = trips_with(Some(&with(1, 60)), &with(2, 864_000), &InputLimits::default());
    let text = trips[0].to_string();
    let expect = "B112 1 RRsets more have a TTL above 604800 s, the longest 864000 s: at www.se.; ";
    assert!(text.starts_with(expect), "{text}");
    assert_eq!(codes(Some(&with(2, 864_000)), &with(3, 864_001)), [""; 0]);
}

#[test]
fn glue_that_goes_without_its_delegation_changing() {
    let with_glue = |serial, glue: u32| {
        let mut source = Source::new(serial);
        for number in 0..40 {
            source.server(&format!("d{number}"), &format!("ns.d{number}.se."));
        }
        (0..glue).for_each(|number| source.address(&format!("ns.d{number}"), 60));
        source
    };
    assert_eq!(codes(Some(&with_glue(1, 40)), &with_glue(2, 30)), [""; 0]);
    assert_eq!(codes(Some(&with_glue(1, 40)), &with_glue(2, 29)), ["B114"]);
    // Where it was so before, nothing is new.
    assert_eq!(codes(Some(&with_glue(1, 0)), &with_glue(2, 1)), [""; 0]);
}

#[test]
fn each_limit_can_be_switched_off() {
    let mut old = Source::delegations(9, 0..900);
    (0..60).for_each(|number| old.address(&format!("ns.d{number}"), 60));
    let mut new = Source { apex_server: "b.ns.se.", ..Source::delegations(8, 0..300) };
    new.records.truncate(300);
    (0..20).for_each(|number| new.server(&format!("d{number}"), &format!("ns.d{number}.se.")));
    (0..9).for_each(|number| new.address(&format!("x{number}.se"), 864_000));
    assert_eq!(trips_with(Some(&old), &new, &InputLimits::default()).len(), 9);
    let off = InputLimits::none();
    assert_eq!(trips_with(Some(&old), &new, &off), []);
}

#[test]
fn the_end_of_a_file() {
    let limits = InputLimits::default();
    let check = |tail: &[u8], limits: &InputLimits| -> Vec<&'static str> {
        judge_end(tail, false, limits).iter().map(Trip::code).collect()
    };
    assert_eq!(check(b"www A 192.0.2.1\n", &limits), [""; 0]);
    assert_eq!(check(b"www A 192.0.2.1", &limits), ["B115"]);
    assert_eq!(check(b"", &limits), ["B115"]);
    // A first file need not have been written by a program.
    assert_eq!(judge_end(b"www A 192.0.2.1", true, &limits), []);
    let marked = InputLimits { end_marker: Some("; END".into()), ..limits.clone() };
    assert_eq!(check(b"www A 192.0.2.1\n; END \n\n", &marked), [""; 0]);
    assert_eq!(check(b"; END\nwww A 192.0.2.1\n", &marked), ["B116"]);
    let lenient = InputLimits { needs_newline: false, ..limits };
    assert_eq!(check(b"www A 192.0.2.1", &lenient), [""; 0]);
}

#[test]
fn the_root_is_doubled_nowhere() {
    let mut loader = Loader::new(&Name::root(), Limits::default());
    let mut add = |owner: &str, rtype, rdata: &[u8]| {
        loader.add(&name(owner), rtype, Ttl(60), rdata, Place::default()).unwrap();
    };
    add(".", RrType::SOA, &soa(1));
    (0..9).for_each(|number| add(&format!("d{number}."), RrType::NS, name("ns.d1.").as_wire()));
    let new = loader.finish().unwrap().version;
    let (old, limits) = (empty(&new.apex), InputLimits::default());
    let change = change_in(&old, &new, &limits, &KeyRange::default());
    assert_eq!(judge(&old, &new, &change, b"\n", &limits), []);
}

#[test]
fn numbers_are_grouped() {
    let lost = Sample { count: 61_204, names: vec![name("a")] };
    let text = Trip::DelegationsLost { before: 1_091_880, lost, limit: 10 }.to_string();
    let expect = "B106 lost 61,204 of 1,091,880 delegations, limit 10 %: gone a.se., ...; ";
    assert!(text.starts_with(expect), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// No false hold: what changes less than the limits passes, and the digest tells apart what
    /// differs, however it is cut into chunks.
    #[test]
    fn changes_below_the_limits_pass(
        size in 50u32..1500,
        gone in proptest::collection::btree_set(0u32..1500, 0..150),
        come in 0u32..150,
        step in 1u32..0x7FFF_FFFF,
        serial in any::<u32>(),
    ) {
        let gone: BTreeSet<u32> = gone.into_iter().filter(|number| *number < size).collect();
        // Each has a percentage and a number, of which one may be exceeded.
        let lost = u32::try_from(gone.len()).unwrap();
        prop_assume!(lost <= 10 || lost * 100 <= size * 10);
        let kept = (0..size).filter(|number| !gone.contains(number));
        let old = Source::delegations(serial, 0..size);
        let new = Source::delegations(serial.wrapping_add(step), kept.chain(2000..2000 + come));
        prop_assume!(come <= 50 + lost || come - lost.min(come) <= size);
        prop_assert_eq!(codes(Some(&old), &new), [""; 0]);
        let (old, new) = (old.version(), new.version());
        let (shared, _) = apply_edits(&old, &edits_between(&old, &new));
        prop_assert_eq!(digest(&shared), digest(&new));
        prop_assert!(digest(&old) != digest(&new));
    }

    /// What exceeds percentage and number is held.
    #[test]
    fn losses_above_the_limits_are_held(size in 20u32..1500, share in 11u32..100) {
        let lost = (size * share).div_ceil(100);
        prop_assume!(lost > 10 && lost < size);
        let (old, new) = (Source::delegations(1, 0..size), Source::delegations(2, lost..size));
        prop_assert!(codes(Some(&old), &new).contains(&"B106"));
    }
}
