//! Requests and answers: what is understood, what is refused, and any octets without panic.

use proptest::prelude::*;

use super::*;
use crate::Ttl;
use crate::transfer::Rcode;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn longest_name() -> Name {
    let label = "a".repeat(63);
    name(&format!("{label}.{label}.{label}.{}.", "\\000".repeat(61)))
}

#[track_caller]
fn refused(octets: &[u8]) -> (RequestFault, Option<Rcode>) {
    let refused = Request::decode(octets).unwrap_err();
    assert_eq!(refused.answer().is_some(), refused.rcode().is_some());
    if let Some(answer) = refused.answer() {
        assert_eq!(answer[..2], octets[..2]);
        assert_eq!(answer[2] & 0x80, 0x80);
        assert!(Request::decode(&answer).unwrap_err().answer().is_none());
    }
    let rcode = refused.rcode();
    (refused.fault, rcode)
}

#[test]
fn what_we_ask_we_understand() {
    for zone in [name("."), name("Example."), longest_name()] {
        for (rtype, serial) in [(RrType::SOA, None), (AXFR, None), (IXFR, Some(Serial(9)))] {
            let asked = query(7, &zone, rtype, serial);
            let request = Request::decode(&asked.octets).unwrap();
            assert_eq!((request.id, request.opcode, request.serial), (7, Opcode::Query, serial));
            assert_eq!(request.question.name.as_wire(), zone.as_wire(), "in the same case");
            assert_eq!(request.question.rtype, rtype);
            assert_eq!(request.udp_octets_max(), usize::from(EDNS_OCTETS));
            assert_eq!(request.tsig, None);
        }
    }
}

fn soa<'a>(owner: &'a Name, rdata: &'a [u8]) -> RecordData<'a> {
    RecordData { owner, rtype: RrType::SOA, ttl: Ttl(60), rdata }
}

const SOA_RDATA: &[u8] =
    b"\x02ns\x00\x04host\x00\x00\x00\x00\x11\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";

#[test]
fn notify_carries_the_serial_as_a_hint_rfc1996_3_7() {
    let zone = name("example.");
    let told = notify(8, &zone, Some(soa(&zone, SOA_RDATA)));
    let request = Request::decode(&told.octets).unwrap();
    assert_eq!((request.opcode, request.serial), (Opcode::Notify, Some(Serial(17))));
    assert_eq!(request.udp_octets_max(), 512);
    let bare = Request::decode(&notify(8, &zone, None).octets).unwrap();
    assert_eq!(bare.serial, None);
    let other = name("other.");
    let foreign = Request::decode(&notify(8, &zone, Some(soa(&other, SOA_RDATA))).octets);
    assert_eq!(foreign.unwrap().serial, None, "an SOA of another zone says nothing");
}

#[test]
fn answers_are_told_from_other_messages() {
    let zone = name("example.");
    let asked = query(7, &zone, RrType::SOA, None);
    let request = Request::decode(&asked.octets).unwrap();
    let answer = Answer::new(&request, Rcode::NOERROR)
        .authoritative()
        .answer(soa(&zone, SOA_RDATA))
        .finish(1232);
    let response = asked.response(&answer).unwrap();
    assert_eq!(response.serial, Some(Serial(17)));
    assert!(response.is_authoritative && !response.is_truncated);
    let refused = Answer::new(&request, Rcode::REFUSED).finish(1232);
    assert_eq!(asked.response(&refused).unwrap().rcode, Rcode::REFUSED);
    let other_id = query(6, &zone, RrType::SOA, None);
    assert_eq!(other_id.response(&answer), Err(NotTheAnswer::OtherExchange));
    assert_eq!(notify(7, &zone, None).response(&answer), Err(NotTheAnswer::OtherExchange));
    let other_zone = query(7, &name("other."), RrType::SOA, None);
    assert_eq!(other_zone.response(&answer), Err(NotTheAnswer::OtherQuestion));
    assert_eq!(asked.response(&asked.octets), Err(NotTheAnswer::OtherExchange));
    assert_eq!(asked.response(&answer[..11]), Err(NotTheAnswer::Torn));
    assert_eq!(asked.response(&answer[..answer.len() - 1]), Err(NotTheAnswer::Torn));
    let empty_acknowledgement = [0, 8, 0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let acknowledged = notify(8, &zone, None).response(&empty_acknowledgement).unwrap();
    assert_eq!(acknowledged.rcode, Rcode::NOERROR);
}

#[test]
fn what_does_not_fit_is_cut_with_tc() {
    let zone = longest_name();
    let asked = query(7, &zone, RrType::SOA, None);
    let request = Request::decode(&asked.octets).unwrap();
    let text = [&[250][..], &[b'x'; 250]].concat();
    let record = RecordData { owner: &zone, rtype: RrType::TXT, ttl: Ttl(1), rdata: &text };
    let answer = |count: usize, limit: usize| {
        let whole = Answer::new(&request, Rcode::NOERROR).authoritative();
        (0..count).fold(whole, |answer, _| answer.answer(record)).finish(limit)
    };
    let cut = asked.response(&answer(5, 1232)).unwrap();
    assert!(cut.is_truncated);
    assert!(answer(5, 1232).len() <= 512);
    assert!(!asked.response(&answer(1, 1232)).unwrap().is_truncated);
    assert!(asked.response(&answer(400, 65_535)).unwrap().is_truncated, "no message holds it");
}

#[test]
fn forms_that_are_refused() {
    let good = query(7, &name("example."), AXFR, None).octets;
    let with = |at: usize, value: u8| {
        let mut octets = good.clone();
        octets[at] = value;
        octets
    };
    assert_eq!(refused(&good[..11]), (RequestFault::TooShort { octets: 11 }, None));
    assert_eq!(refused(&with(2, 0x80)), (RequestFault::IsResponse, None));
    for opcode in [1, 2, 3, 6, 15] {
        let fault = RequestFault::Opcode { opcode };
        assert_eq!(refused(&with(2, opcode << 3)), (fault, Some(Rcode::NOTIMP)));
    }
    let form_error = Some(Rcode::FORMERR);
    assert_eq!(refused(&with(2, 2)), (RequestFault::Truncated, form_error));
    for (at, value) in [(5, 0), (5, 2), (4, 255), (7, 1), (6, 255), (9, 2), (8, 255), (11, 5)] {
        let (fault, rcode) = refused(&with(at, value));
        assert!(matches!(fault, RequestFault::Counts { .. }), "{at} {fault}");
        assert_eq!(rcode, form_error);
    }
    assert_eq!(refused(&with(11, 2)), (RequestFault::Tsig, form_error));
    assert_eq!(refused(&with(12, 0xC0)).1, form_error);
    // The class, after the name and the type.
    let refusal = (RequestFault::Class { class: 255 }, Some(Rcode::REFUSED));
    let mut any_class = good.clone();
    any_class[23..25].copy_from_slice(&[0, 255]);
    assert_eq!(refused(&any_class), refusal);
    // The version of OPT, which is the last record: owner, type, class, extended code, version.
    let version = good.len() - 11 + 6;
    let refusal = (RequestFault::EdnsVersion { version: 1 }, Some(Rcode::BADVERS));
    assert_eq!(refused(&with(version, 1)), refusal);
    let no_serial = query(7, &name("example."), IXFR, None).octets;
    assert_eq!(refused(&no_serial), (RequestFault::NoSerial, form_error));
}

#[test]
fn an_update_keeps_its_records_for_their_reader_rfc2136_2_3() {
    let mut update = query(7, &name("example."), RrType::SOA, None).octets;
    update[2] = 5 << 3;
    let request = Request::decode(&update).unwrap();
    assert_eq!((request.opcode, request.question.name), (Opcode::Update, name("example.")));
    assert!(request.edns.is_some());
    // An OPT behind the records: whoever speaks EDNS is answered so, and nobody else.
    let mut speaks = update[..update.len() - 11].to_vec();
    speaks[11] = 0;
    assert_eq!(Request::decode(&speaks).unwrap().edns, None);
    speaks[7] = 1;
    speaks[11] = 1;
    speaks.extend([0, 0, 16, 0, 1, 0, 0, 0, 60, 0, 1, b'x']);
    speaks.extend([0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0]);
    let edns = Request::decode(&speaks).unwrap().edns;
    assert_eq!(edns, Some(EdnsOffer { udp_octets: 1232, dnssec_ok: true, wants_expire: false }));
    let version = speaks.len() - 5;
    speaks[version] = 1;
    let fault = RequestFault::EdnsVersion { version: 1 };
    assert_eq!(refused(&speaks), (fault, Some(Rcode::BADVERS)));
    update[22] = 1;
    let fault = RequestFault::ZoneType { rtype: RrType::A };
    assert_eq!(refused(&update), (fault, Some(Rcode::FORMERR)));
    update[24] = 254;
    assert_eq!(refused(&update).1, Some(Rcode::REFUSED));
    assert_eq!(refused(&update[..20]).1, Some(Rcode::FORMERR));
}

proptest! {
    #[test]
    fn any_octets_are_decoded_without_panic(
        octets: Vec<u8>,
        opcode in 0..16_u8,
        counts: [u8; 4],
        cut: proptest::sample::Index,
    ) {
        let asked = query(7, &name("example."), IXFR, Some(Serial(1)));
        let head = [0, 7, opcode << 3, 0];
        let counts = counts.map(|count| [0, count % 4]).concat();
        let at = cut.index(asked.octets.len());
        for octets in [
            octets.clone(),
            [&head[..], &counts, &octets].concat(),
            [&asked.octets[..at], &octets].concat(),
        ] {
            match Request::decode(&octets) {
                Ok(request) => {
                    Answer::new(&request, Rcode::REFUSED).finish(512);
                }
                Err(refused) => {
                    let answer = refused.answer();
                    prop_assert!(answer.is_none_or(|answer| answer.len() <= 12 + 255 + 4 + 11));
                }
            }
            prop_assert!(asked.response(&octets).is_err());
        }
    }
}
