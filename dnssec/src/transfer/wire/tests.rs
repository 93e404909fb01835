//! Names and records by their place: pointers, limits, torn messages.

use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

/// A head for one question, then `octets`.
fn message(octets: &[u8]) -> Vec<u8> {
    [&[0, 7, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], octets].concat()
}

#[test]
fn names_are_read_through_pointers() {
    let octets = message(b"\x01b\x07example\x00\x01a\xC0\x0C\xC0\x15");
    assert_eq!(read_name(&octets, 12), Some((name("b.example."), 23)));
    assert_eq!(read_name(&octets, 23), Some((name("a.b.example."), 27)));
    assert_eq!(skip_name(&octets, 23), Some(27));
    // A pointer into the middle of labels is a label's end or a name, by what stands there.
    assert_eq!(read_name(&message(b"\x01a\xC0\x0E"), 14), None);
}

#[test]
fn pointers_go_back_only_rfc1035_4_1_4() {
    for looped in [&b"\xC0\x0C"[..], b"\x01a\xC0\x0C", b"\x01a\xC0\x0E\x00", b"\xC0\x0E\xC0\x0C"] {
        assert_eq!(read_name(&message(looped), 12), None, "{looped:?}");
    }
    assert_eq!(read_name(&message(b"\x80a\x00"), 12), None, "no such kind of label");
    assert_eq!(read_name(&message(b"\x05abc"), 12), None, "torn label");
    assert_eq!(read_name(&message(b"\xC0"), 12), None, "torn pointer");
}

#[test]
fn a_name_has_255_octets_at_most() {
    let label = [&[63][..], &[b'a'; 63]].concat();
    let longest = [&label[..], &label, &label, &[61], &[b'a'; 61], &[0]].concat();
    assert_eq!(read_name(&message(&longest), 12).unwrap().0.as_wire().len(), 255);
    let longer = [&label[..], &label, &label, &[62], &[b'a'; 62], &[0]].concat();
    assert_eq!(read_name(&message(&longer), 12), None);
}

#[test]
fn records_are_found_by_their_lengths() {
    let octets = message(
        b"\x01a\x00\x00\x01\x00\x01\xC0\x0C\x00\x01\x00\x01\0\0\0\x05\x00\x04\xC0\0\x02\x01",
    );
    let head = Head::read(&octets).unwrap();
    let at = skip_questions(&octets, &head).unwrap();
    let place = record_at(&octets, at).unwrap();
    assert_eq!((place.rtype, place.class, place.ttl), (RrType::A, 1, 5));
    assert_eq!(octets[place.rdata.clone()], [192, 0, 2, 1]);
    assert_eq!(record_at(&octets[..octets.len() - 1], at), None);
    assert_eq!(record_at(&octets, place.rdata.end), None);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets: Vec<u8>, at in 0..600_usize) {
        let skipped = skip_name(&octets, at);
        if let Some((read, end)) = read_name(&octets, at) {
            prop_assert_eq!(skipped, Some(end));
            prop_assert!(read.as_wire().len() <= NAME_LENGTH_MAX);
        }
        record_at(&octets, at);
        if let Some(head) = Head::read(&octets) {
            skip_questions(&octets, &head);
        }
    }
}
