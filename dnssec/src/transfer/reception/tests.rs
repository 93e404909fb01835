//! Transfers as messages, whole, cut, torn and wrong in each way that has a name.

use super::*;
use crate::Ttl;
use crate::zone::load::LoadError;
use proptest::prelude::*;

const ID: u16 = 0x1234;
const HAVE: Serial = Serial(5);

fn apex() -> Name {
    Name::parse(b"Example.", None).unwrap()
}

/// A record in wire form; `@` is the zone.
fn record(owner: &str, rtype: RrType, rdata: &[u8]) -> Vec<u8> {
    let owner = Name::parse(owner.as_bytes(), Some(&apex())).unwrap();
    let head = [rtype.0, 1, 0, 60, rdata.len() as u16].map(u16::to_be_bytes).concat();
    [owner.as_wire(), &head, rdata].concat()
}

fn soa(serial: u32) -> Vec<u8> {
    soa_of("@", serial)
}

fn soa_of(owner: &str, serial: u32) -> Vec<u8> {
    let numbers = [serial, 2, 3, 4, 5].map(u32::to_be_bytes).concat();
    record(owner, RrType::SOA, &[b"\x02ns\x00\x01h\x00", &numbers[..]].concat())
}

fn a(owner: &str, last: u8) -> Vec<u8> {
    record(owner, RrType::A, &[192, 0, 2, last])
}

/// A message that answers with these records.
fn message(rtype: RrType, records: &[Vec<u8>]) -> Vec<u8> {
    let counts = [1, records.len() as u16, 0, 0].map(u16::to_be_bytes).concat();
    let question = [rtype.0, 1].map(u16::to_be_bytes).concat();
    let head = [&ID.to_be_bytes()[..], &[0x84, 0], &counts].concat();
    [&head[..], apex().as_wire(), &question, &records.concat()].concat()
}

fn reception(wanted: Wanted, carrier: Carrier) -> Reception {
    Reception::new(&apex(), ID, wanted, carrier, Limits::default())
}

const AXFR_ANY: Wanted = Wanted::Axfr { have: None };
const IXFR_WANTED: Wanted = Wanted::Ixfr { from: HAVE };

/// Takes records, so many a message, until one says anything but that there is more.
fn take(
    wanted: Wanted,
    records: &[Vec<u8>],
    per_message: usize,
) -> Result<(Taken, Reception), Fault> {
    let mut reception = reception(wanted, Carrier::Stream);
    for part in records.chunks(per_message) {
        match reception.take(&message(wanted.rtype(), part))? {
            Taken::More => {}
            taken => return Ok((taken, reception)),
        }
    }
    Ok((Taken::More, reception))
}

#[track_caller]
fn check_fault(wanted: Wanted, records: &[Vec<u8>], fault: &Fault) {
    for per_message in [1, 2, 100] {
        // The records after the end of a transfer are seen only in its last message.
        let taken = take(wanted, records, per_message).map(|(taken, _)| taken);
        if *fault != Fault::RecordsAfterEnd || per_message == 100 {
            assert_eq!(taken, Err(fault.clone()), "{per_message} a message");
        }
    }
}

#[test]
fn a_whole_zone_ends_with_its_first_soa() {
    let records = [soa(9), a("www", 1), record("@", RrType(65_305), b"any"), soa(9)];
    for per_message in 1..=4 {
        let (taken, reception) = take(AXFR_ANY, &records, per_message).unwrap();
        assert_eq!((taken, reception.form()), (Taken::Complete, Form::Whole));
        let soa = soa(9)[9 + 10..].to_vec();
        let whole = Received::Whole { serial: Serial(9), record_count: 3, soa };
        assert_eq!(reception.finish(), Some(whole));
    }
    for cut in 1..4 {
        let (taken, reception) = take(AXFR_ANY, &records[..cut], 1).unwrap();
        assert_eq!((taken, reception.finish()), (Taken::More, None));
    }
    // A zone of a SOA alone, and an IXFR that is answered with the whole zone.
    let (taken, _) = take(AXFR_ANY, &[soa(9), soa(9)], 1).unwrap();
    assert_eq!(taken, Taken::Complete);
    let (taken, reception) = take(IXFR_WANTED, &records, 1).unwrap();
    assert_eq!((taken, reception.form()), (Taken::Complete, Form::Whole));
    let (taken, reception) = take(IXFR_WANTED, &[soa(9), soa(9)], 1).unwrap();
    assert_eq!((taken, reception.form()), (Taken::Complete, Form::Whole));
}

#[test]
fn differences_are_a_chain_from_what_we_have() {
    let records = [soa(9), soa(5), a("x", 1), soa(7), a("y", 1), a("y", 2), soa(7), soa(9), soa(9)];
    for per_message in 1..=9 {
        let (taken, reception) = take(IXFR_WANTED, &records, per_message).unwrap();
        assert_eq!((taken, reception.form()), (Taken::Complete, Form::Steps));
        let difference = |removed: &[Vec<u8>], added: &[Vec<u8>]| Difference {
            removed: removed.concat(),
            added: added.concat(),
        };
        let steps = vec![
            difference(&records[1..3], &records[3..6]),
            difference(&records[6..7], &records[7..8]),
        ];
        let received = Received::Steps { from: HAVE, to: Serial(9), steps };
        assert_eq!(reception.finish(), Some(received));
    }
    for cut in 1..9 {
        let (taken, reception) = take(IXFR_WANTED, &records[..cut], 1).unwrap();
        assert_eq!((taken, reception.finish()), (Taken::More, None), "{cut}");
    }
}

#[test]
fn the_first_serial_may_be_the_end() {
    for wanted in [IXFR_WANTED, Wanted::Axfr { have: Some(HAVE) }, Wanted::Soa { have: Some(HAVE) }]
    {
        let first = |serial| take(wanted, &[soa(serial)], 1).unwrap().0;
        assert_eq!(first(5), Taken::UpToDate { serial: HAVE });
        assert_eq!(first(4), Taken::Older { serial: Serial(4) });
        // Neither newer nor older (RFC 1982 §3.2): not newer.
        assert!(matches!(first(0x8000_0005), Taken::Older { .. }));
        match wanted {
            Wanted::Soa { .. } => assert_eq!(first(6), Taken::Newer { serial: Serial(6) }),
            _ => assert_eq!(first(6), Taken::More),
        }
    }
    // Whatever the serial is.
    assert_eq!(take(AXFR_ANY, &[soa(4)], 1).unwrap().0, Taken::More);
}

#[test]
fn each_fault_has_its_name() {
    let wrong_start = Fault::WrongStart { wanted: HAVE, got: Serial(6) };
    check_fault(IXFR_WANTED, &[soa(9), soa(6), soa(9), soa(9)], &wrong_start);
    let gap = Fault::Gap { wanted: Serial(7), got: Serial(8) };
    check_fault(IXFR_WANTED, &[soa(9), soa(5), soa(7), soa(8), soa(9), soa(9)], &gap);
    let stuck = Fault::SerialNotRising { from: HAVE, to: HAVE };
    check_fault(IXFR_WANTED, &[soa(9), soa(5), soa(5), soa(5)], &stuck);
    check_fault(AXFR_ANY, &[soa(9), a("x", 1), soa(10)], &Fault::SoaChanged);
    check_fault(IXFR_WANTED, &[soa(9), soa(5), soa(9), soa(8)], &Fault::SoaChanged);
    check_fault(AXFR_ANY, &[soa(9), a("x", 1), soa(9), a("y", 1)], &Fault::RecordsAfterEnd);
    check_fault(AXFR_ANY, &[a("x", 1), soa(9)], &Fault::NoFirstSoa);
    check_fault(AXFR_ANY, &[soa_of("x", 9), soa(9)], &Fault::NoFirstSoa);
    let owner = Name::parse(b"x.example.", None).unwrap();
    check_fault(AXFR_ANY, &[soa(9), soa_of("x", 9)], &Fault::SoaElsewhere { owner });
    // The owner has 11 octets, the type two.
    let mut chaos = a("x", 1);
    chaos[14] = 3;
    check_fault(AXFR_ANY, &[soa(9), chaos], &Fault::ClassNotIn { class: 3 });
}

#[test]
fn a_message_has_to_be_the_answer() {
    let sound = message(AXFR, &[soa(9)]);
    let fault = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = sound.clone();
        change(&mut message);
        reception(AXFR_ANY, Carrier::Stream).take(&message).unwrap_err()
    };
    assert_eq!(fault(&|message| message[0] ^= 1), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[2] = 4), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[2] = 0xA4), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[5] = 2), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[13] = b'z'), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[22] = 251), Fault::NotTheAnswer);
    assert_eq!(fault(&|message| message[3] = 5), Fault::Refused { rcode: Rcode::REFUSED });
    assert_eq!(fault(&|message| message[2] |= 2), Fault::TruncatedStream);
    assert_eq!(fault(&|message| message[7] = 0), Fault::NoRecords);
    assert_eq!(fault(&|message| message.truncate(11)), Fault::Malformed { at: 11 });
    let length = sound.len();
    assert!(matches!(fault(&|message| message.truncate(length - 1)), Fault::Malformed { .. }));
    assert_eq!(fault(&|message| message[7] = 2), Fault::Malformed { at: length });
    // Without a question, as later messages may be.
    let mut bare = sound.clone();
    bare[5] = 0;
    bare.drain(12..25);
    assert_eq!(reception(AXFR_ANY, Carrier::Stream).take(&bare), Ok(Taken::More));
}

#[test]
fn what_does_not_fit_a_datagram_is_asked_for_by_stream() {
    let taken = |records: &[Vec<u8>], truncated: u8| {
        let mut message = message(IXFR, records);
        message[2] |= truncated;
        reception(IXFR_WANTED, Carrier::Datagram).take(&message)
    };
    let too_short = Ok(Taken::OverStream { is_truncated: false });
    assert_eq!(taken(&[soa(9)], 0), too_short);
    assert_eq!(taken(&[soa(9), soa(5), a("x", 1)], 0), too_short);
    assert_eq!(taken(&[soa(9)], 2), Ok(Taken::OverStream { is_truncated: true }));
    assert_eq!(taken(&[], 2), Ok(Taken::OverStream { is_truncated: true }));
    assert_eq!(taken(&[soa(9), soa(5), soa(9), soa(9)], 0), Ok(Taken::Complete));
    assert_eq!(taken(&[soa(5)], 0), Ok(Taken::UpToDate { serial: HAVE }));
}

#[test]
fn limits_end_a_transfer() {
    let limited = |limits: Limits| {
        let mut reception = Reception::new(&apex(), ID, AXFR_ANY, Carrier::Stream, limits);
        reception.take(&message(AXFR, &[soa(9), a("x", 1)]))?;
        reception.take(&message(AXFR, &[a("y", 1)]))
    };
    let (limit, unit) = (2, LimitUnit::Records);
    let records = Limits { record_count_max: limit, ..Limits::default() };
    assert_eq!(limited(records), Err(Fault::LimitExceeded { limit, unit }));
    let (limit, unit) = (100, LimitUnit::Bytes);
    let bytes = Limits { byte_count_max: limit, ..Limits::default() };
    assert_eq!(limited(bytes), Err(Fault::LimitExceeded { limit, unit }));
    let many = (0..=STEP_COUNT_MAX as u32).flat_map(|step| [soa(5 + step), soa(6 + step)]);
    let records: Vec<Vec<u8>> = std::iter::once(soa(99_999)).chain(many).collect();
    assert_eq!(take(IXFR_WANTED, &records, 500).unwrap_err(), Fault::TooManySteps);
}

#[test]
fn records_are_handed_on_without_compression() {
    // The owner and the target are "example." of the question.
    let compressed = b"\xC0\x0C\x00\x02\x00\x01\x80\x00\x00\x01\x00\x05\x02ns\xC0\x0C";
    let message = message(AXFR, &[soa(9), compressed.to_vec()]);
    let mut seen = Vec::new();
    each_record::<LoadError>(&message, |owner, rtype, ttl, rdata| {
        seen.push((owner.clone(), rtype, ttl, rdata.to_vec()));
        Ok(())
    })
    .unwrap();
    let target = b"\x02ns\x07Example\x00".to_vec();
    assert_eq!(seen[1], (apex(), RrType::NS, Ttl(0), target));
    assert_eq!(seen.len(), 2);
    let stop = LoadError::NoSoa { apex: apex(), foreign_soa: None };
    let stopped = each_record(&message, |_, _, _, _| Err(stop.clone()));
    assert_eq!(stopped, Err(RecordError::Taker(stop)));
}

#[test]
fn bad_rdata_is_found_where_records_are_unpacked() {
    let records = [soa(9), soa(5), soa(9), record("x", RrType::A, b"abc")];
    assert!(matches!(
        take(IXFR_WANTED, &records, 1),
        Err(Fault::BadRdata { rtype: RrType::A, .. })
    ));
    let unpacked = each_record::<LoadError>(&message(AXFR, &records), |_, _, _, _| Ok(()));
    let Err(RecordError::Message(fault)) = unpacked else { panic!() };
    assert!(matches!(*fault, Fault::BadRdata { .. }));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        cut in 0usize..200,
        flips in proptest::collection::vec((0usize..200, any::<u8>()), 0..4),
    ) {
        let records = [soa(9), soa(5), a("x", 1), soa(9), a("y", 1), soa(9)];
        let mut message = message(IXFR, &records);
        for (at, octet) in flips {
            let length = message.len();
            message[at % length] = octet;
        }
        message.truncate(message.len().saturating_sub(cut));
        message.extend(bytes);
        let mut reception = reception(IXFR_WANTED, Carrier::Stream);
        let taken = reception.take(&message);
        let is_complete = taken == Ok(Taken::Complete);
        prop_assert_eq!(is_complete, reception.finish().is_some());
        let _ = each_record::<LoadError>(&message, |_, _, _, _| Ok(()));
    }

    #[test]
    fn a_transfer_is_complete_at_its_last_record_only(
        cuts in proptest::collection::vec(1usize..5, 0..12),
        count in 0usize..20,
    ) {
        let middle = (0..count).map(|number| a(&format!("n{number}"), 1));
        let records: Vec<Vec<u8>> =
            [soa(9)].into_iter().chain(middle).chain([a("z", 1), soa(9)]).collect();
        let mut reception = reception(AXFR_ANY, Carrier::Stream);
        let (mut rest, mut cuts) = (&records[..], cuts.into_iter());
        while !rest.is_empty() {
            let (part, tail) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
            rest = tail;
            let taken = reception.take(&message(AXFR, part)).unwrap();
            prop_assert_eq!(taken == Taken::Complete, rest.is_empty());
        }
    }
}
