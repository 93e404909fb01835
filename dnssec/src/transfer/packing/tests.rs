//! Transfers read back: by hickory-proto, and octet for octet by the reader of `wire`.

use super::super::message::{AXFR, IXFR, Question};
use super::super::wire;
use super::*;
use crate::KeyTag;
use crate::Serial;
use crate::transfer::ixfr::{History, Ixfr, Step, WholeInstead};
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::SignatureView;
use crate::zone::diff::{Difference, difference};
use crate::zone::load::{Limits, Loader, Place};
use crate::zone::{render, soa_with};
use hickory_proto::op::Message;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// One record as it is in a test zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TestRecord {
    owner: String,
    rtype: u16,
    rdata: Vec<u8>,
}

pub(crate) fn any_record() -> impl Strategy<Value = TestRecord> {
    let label = prop_oneof![Just("a"), Just("B"), Just("ns"), Just("www"), Just("xn--0")];
    let owner = proptest::collection::vec(label.clone(), 0..4);
    let target = (proptest::collection::vec(label, 1..4), any::<bool>());
    let text = proptest::collection::vec(any::<u8>(), 0..255);
    (owner, 0..6_usize, target, text).prop_map(|(owner, kind, (target, is_inside), text)| {
        let tail = if is_inside { "example." } else { "test." };
        let target = name(&format!("{}.{tail}", target.join(".")));
        let (rtype, rdata) = match kind {
            0 => (2, target.as_wire().to_vec()),
            1 => (15, [&[0, 10][..], target.as_wire()].concat()),
            2 => (1, vec![192, 0, 2, text.first().copied().unwrap_or(0)]),
            3 => (12, target.as_wire().to_vec()),
            4 => (33, [&[0, 1, 0, 2, 0, 3][..], target.as_wire()].concat()),
            _ => (16, [&[text.len() as u8][..], &text].concat()),
        };
        let owner: String = owner.iter().map(|label| format!("{label}.")).collect();
        TestRecord { owner: format!("{owner}example."), rtype, rdata }
    })
}

fn soa(serial: u32) -> Vec<u8> {
    soa_with(&crate::zone::tests::soa_rdata(), Serial(serial), 300).unwrap()
}

/// A zone with these records, and two signatures over each RRset.
pub(crate) fn version(serial: u32, records: &[TestRecord]) -> Arc<ZoneVersion> {
    let apex = name("example.");
    let mut loader = Loader::new(&apex, Limits::default());
    let place = Place { source: 0, line: 1 };
    loader.add(&apex, RrType::SOA, Ttl(60), &soa(serial), place).unwrap();
    for record in records {
        let owner = name(&record.owner);
        // What may not be in a zone is left out.
        let _ = loader.add(&owner, RrType(record.rtype), Ttl(60), &record.rdata, place);
    }
    let unsigned = loader.finish().unwrap().version;
    let mut names = Vec::new();
    for chunk in unsigned.names.iter() {
        let mut builder = ChunkBuilder::default();
        for owner in chunk.owners() {
            builder.begin_owner_like(&owner);
            for rrset in owner.rrsets() {
                builder.begin_rrset_like(&rrset);
                for key_tag in [KeyTag(1), KeyTag(0xC00C)] {
                    builder.push_signature(&SignatureView {
                        algorithm: 13,
                        key_tag,
                        expiration: 2_000_000_000,
                        inception: 1_900_000_000 + serial,
                        signature: &[0xC0; 64],
                    });
                }
                builder.end_rrset();
            }
            builder.end_owner();
        }
        names.push(Arc::new(builder.finish()));
    }
    Arc::new(ZoneVersion { apex, names: names.into(), hashes: Arc::new([]) })
}

fn heading(rtype: RrType) -> Heading {
    let question = Question { name: name("example."), rtype };
    Heading { id: 0xC0DE, recursion_desired: true, question, has_edns: true, expire: None }
}

/// The messages of a transfer.
pub(crate) fn messages(transfer: &Transfer, heading: &Heading) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for unit in 0..transfer.unit_count() {
        let octets = transfer.render(unit, heading).unwrap();
        let mut rest = octets.as_slice();
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            messages.push(message.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
    }
    messages
}

/// The records of a stream, uncompressed, in their order.
fn records(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let head = wire::Head::read(message).unwrap();
        assert!(head.is_response && head.is_authoritative && head.recursion_desired);
        assert_eq!(head.id, 0xC0DE);
        assert_eq!(head.counts[0], u16::from(index == 0));
        assert_eq!(head.counts[2..], [0, u16::from(index == 0)]);
        let decoded = Message::from_vec(message).unwrap();
        assert_eq!(decoded.answers.len(), usize::from(head.counts[1]));
        assert!(message.len() <= PACKED_OCTETS || head.counts[1] == 1);
        let mut at = wire::skip_questions(message, &head).unwrap();
        for theirs in &decoded.answers {
            let place = wire::record_at(message, at).unwrap();
            let (owner, _) = wire::read_name(message, place.owner).unwrap();
            assert_eq!(u16::from(theirs.record_type()), place.rtype.0);
            assert_eq!(theirs.name.to_string(), owner.to_string());
            at = place.rdata.end;
            let rdata = expanded(message, &place);
            let mut record = owner.as_wire().to_vec();
            record.extend(place.rtype.0.to_be_bytes());
            record.extend(place.class.to_be_bytes());
            record.extend(place.ttl.to_be_bytes());
            record.extend((rdata.len() as u16).to_be_bytes());
            record.extend(rdata);
            records.push(record);
        }
    }
    records
}

fn expanded(message: &[u8], place: &wire::RecordPlace) -> Vec<u8> {
    let (skip, count) = match place.rtype {
        RrType::NS | RrType::CNAME | RrType::PTR => (0, 1),
        RrType::SOA => (0, 2),
        RrType::MX => (2, 1),
        _ => (0, 0),
    };
    let mut at = place.rdata.start;
    let mut rdata = message[at..at + skip].to_vec();
    at += skip;
    for _ in 0..count {
        let (name, after) = wire::read_name(message, at).unwrap();
        rdata.extend(name.as_wire());
        at = after;
    }
    rdata.extend(&message[at..place.rdata.end]);
    rdata
}

fn split(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let place = wire::record_at(bytes, 0).unwrap();
        records.push(bytes[..place.rdata.end].to_vec());
        bytes = &bytes[place.rdata.end..];
    }
    records
}

fn wire_records(version: &ZoneVersion) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    version.chunks().for_each(|chunk| render::wire(&version.apex, chunk, &mut bytes));
    split(&bytes)
}

fn is_soa(record: &[u8]) -> bool {
    wire::record_at(record, 0).unwrap().rtype == RrType::SOA
}

/// What a secondary makes of an IXFR: the records it had, changed in the order of the messages.
fn applied(old: &ZoneVersion, stream: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let mut held: BTreeMap<Vec<u8>, ()> =
        wire_records(old).into_iter().map(|record| (record, ())).collect();
    let final_soa = &stream[0];
    assert!(is_soa(final_soa) && is_soa(&stream[1]) && stream.last() == Some(final_soa));
    let mut removes = false;
    for record in &stream[1..stream.len() - 1] {
        if is_soa(record) {
            removes = !removes;
        }
        let fits = match removes {
            true => held.remove(record).is_some(),
            false => held.insert(record.clone(), ()).is_none(),
        };
        if !fits {
            return Err(format!("{record:?}: removes {removes}"));
        }
    }
    assert!(held.contains_key(final_soa));
    Ok(held.into_keys().collect())
}

proptest! {
    #[test]
    fn axfr_is_the_zone(list in proptest::collection::vec(any_record(), 0..400)) {
        let version = version(7, &list);
        let transfer = Transfer::Axfr(Axfr::new(version.clone()).unwrap());
        let mut stream = records(&messages(&transfer, &heading(AXFR)));
        let mut expected = wire_records(&version);
        prop_assert_eq!(&stream[0], &expected[0]);
        let last = stream.pop();
        prop_assert_eq!(last.as_ref(), expected.first());
        stream.sort();
        expected.sort();
        prop_assert_eq!(stream, expected);
    }

    #[test]
    fn ixfr_makes_the_new_zone(
        lists in proptest::collection::vec(proptest::collection::vec(any_record(), 0..60), 2..6),
    ) {
        let versions: Vec<_> =
            lists.iter().zip(1..).map(|(list, serial)| version(serial, list)).collect();
        let mut history = History::default();
        for pair in versions.windows(2) {
            let (from, to) = (pair[0].serial().unwrap(), pair[1].serial().unwrap());
            let difference = Arc::new(difference(&pair[0], &pair[1]));
            history.push(Step { from, to, difference }, usize::MAX);
        }
        for old in &versions[..versions.len() - 1] {
            let steps = history.since(old.serial().unwrap()).unwrap();
            let ixfr = Ixfr::new(&old.apex, &steps, usize::MAX).unwrap();
            let stream = records(&messages(&Transfer::Ixfr(ixfr), &heading(IXFR)));
            let mut expected = wire_records(versions.last().unwrap());
            expected.sort();
            prop_assert_eq!(applied(old, &stream), Ok(expected));
        }
    }
}

/// More records than a unit, an IXFR that replaces all of them.
#[test]
fn units_follow_one_another() {
    let list = |first: usize| -> Vec<TestRecord> {
        let record = |number| TestRecord {
            owner: format!("a{number}.example."),
            rtype: 16,
            rdata: [&[200][..], &[b'x'; 200]].concat(),
        };
        (first..first + 3000).map(record).collect()
    };
    let (old, new) = (version(1, &list(0)), version(2, &list(2999)));
    let transfer = Transfer::Axfr(Axfr::new(new.clone()).unwrap());
    assert!(transfer.unit_count() > 5, "{}", transfer.unit_count());
    let stream = records(&messages(&transfer, &heading(AXFR)));
    assert_eq!(stream.len(), wire_records(&new).len() + 1);
    let steps = [Arc::new(difference(&old, &new))];
    let ixfr = Ixfr::new(&new.apex, &steps, usize::MAX).unwrap();
    assert_eq!(ixfr.single(&heading(IXFR), 1232), Ok(None));
    let transfer = Transfer::Ixfr(ixfr);
    assert!(transfer.unit_count() > 10, "{}", transfer.unit_count());
    let stream = records(&messages(&transfer, &heading(IXFR)));
    let mut expected = wire_records(&new);
    expected.sort();
    assert_eq!(applied(&old, &stream), Ok(expected));
}

/// A unit that is full with the last record that goes: the SOA before what comes was sent twice.
#[test]
fn what_comes_may_begin_a_unit() {
    let soas = [1, 2].map(|serial| wire_records(&version(serial, &[])).swap_remove(0));
    let record = |number: u32| {
        let head =
            [name("a.example.").as_wire(), &[0, 16, 0, 1, 0, 0, 0, 60, 0, 201, 200]].concat();
        [&head[..], &number.to_be_bytes(), &[b'x'; 196]].concat()
    };
    let full = UNIT_OCTETS.div_ceil(record(0).len()) as u32;
    for count in full - 1..=full + 1 {
        let removed: Vec<Vec<u8>> = (0..count).map(record).chain([soas[0].clone()]).collect();
        let added = [record(count), soas[1].clone(), record(count + 1)];
        let step = Difference { removed: removed.concat(), added: added.concat() };
        let ixfr = Ixfr::new(&name("example."), &[Arc::new(step)], usize::MAX).unwrap();
        let stream = records(&messages(&Transfer::Ixfr(ixfr), &heading(IXFR)));
        let expected = [&soas[1..], &soas[..1], &removed[..count as usize], &soas[1..]].concat();
        assert_eq!(stream[..expected.len()], expected, "{count}");
        let rest = [&added[0], &added[2], &soas[1]].map(Vec::clone);
        assert_eq!(stream[expected.len()..], rest, "{count}");
    }
}

#[test]
fn glue_and_repeated_owners_are_pointers() {
    let record = |owner: &str, rtype, rdata: &[u8]| TestRecord {
        owner: owner.to_owned(),
        rtype,
        rdata: rdata.to_vec(),
    };
    let delegation = [
        record("sub.example.", 2, name("ns.sub.example.").as_wire()),
        record("sub.example.", 2, name("ns2.example.").as_wire()),
        record("ns.sub.example.", 1, &[192, 0, 2, 1]),
    ];
    let transfer = Transfer::Axfr(Axfr::new(version(1, &delegation)).unwrap());
    let [message] = messages(&transfer, &heading(AXFR)).try_into().unwrap();
    let count = |pattern: &[u8]| message.windows(pattern.len()).filter(|w| *w == pattern).count();
    assert_eq!(count(b"\x07example\x00"), 1 + 6, "the question, and each signature's signer");
    assert_eq!(count(b"\x03sub"), 1);
    assert_eq!(count(b"\x02ns"), 4, "MNAME of the first SOA and the last, one NS, one glue owner");
}

#[test]
fn what_no_message_holds_is_said() {
    // The loader lets no such record in, but a journal may be damaged.
    let heading = heading(AXFR);
    let apex = name("example.");
    let mut writer = Writer::new(&heading, &apex, true, PACKED_OCTETS);
    let long = vec![0; 65_000];
    let error = writer.record(apex.as_wire(), RrType::TXT, Ttl(1), &long).unwrap_err();
    assert_eq!(error.to_string(), "the TXT record at example. is too long for a message");
}

#[test]
fn root_zone_and_other_case() {
    let apex = Name::root();
    let heading =
        Heading { question: Question { name: apex.clone(), rtype: AXFR }, ..heading(AXFR) };
    let mut writer = Writer::new(&heading, &apex, true, PACKED_OCTETS);
    let (upper, lower) = (name("A.se."), name("a.SE."));
    writer.record(apex.as_wire(), RrType::NS, Ttl(1), upper.as_wire()).unwrap();
    writer.record(upper.as_wire(), RrType::NS, Ttl(1), lower.as_wire()).unwrap();
    writer.record(lower.as_wire(), RrType::NS, Ttl(1), upper.as_wire()).unwrap();
    let mut message = writer.finish();
    message.drain(..2);
    let stream = records(&[message]);
    let owners: Vec<Vec<u8>> = stream
        .iter()
        .map(|record| wire::read_name(record, 0).unwrap().0.as_wire().to_vec())
        .collect();
    assert_eq!(owners, [apex.as_wire(), upper.as_wire(), lower.as_wire()]);
    assert!(stream[1].ends_with(lower.as_wire()) && stream[2].ends_with(upper.as_wire()));
}

#[test]
fn why_the_whole_zone_is_sent() {
    let apex = name("example.");
    let step = |octets: usize| Arc::new(Difference { removed: vec![0; octets], added: vec![] });
    let whole = Ixfr::new(&apex, &[step(100)], 99).unwrap_err();
    assert_eq!(whole, WholeInstead::Larger { octets: 100, whole: 99 });
    let damaged = Ixfr::new(&apex, &[step(3)], 99).unwrap_err();
    assert_eq!(damaged, WholeInstead::NoSoa);
}
