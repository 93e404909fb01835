//! Prefixes in their four forms, at their edges; who is permitted what.

use super::*;
use crate::transfer::tsig::TsigAlgorithm;
use proptest::prelude::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[track_caller]
fn check(prefix: &str, inside: &[&str], outside: &[&str]) {
    let parsed: Prefix = prefix.parse().unwrap_or_else(|error| panic!("{prefix}: {error}"));
    for text in inside {
        assert!(parsed.contains(address(text)), "{text} is in {prefix}");
    }
    for text in outside {
        assert!(!parsed.contains(address(text)), "{text} is not in {prefix}");
    }
    assert_eq!(parsed.to_string().parse::<Prefix>(), Ok(parsed), "{prefix}");
}

#[test]
fn four_forms_of_both_families() {
    check("192.0.2.1", &["192.0.2.1", "::ffff:192.0.2.1"], &["192.0.2.2", "::1", "2001:db8::1"]);
    check("2001:DB8::1", &["2001:db8::1"], &["2001:db8::2", "192.0.2.1"]);
    check("192.0.2.0/25", &["192.0.2.0", "192.0.2.127"], &["192.0.2.128", "192.0.1.255"]);
    check("192.0.2.77/25", &["192.0.2.0", "192.0.2.127"], &["192.0.2.128"]);
    check("2001:db8::/33", &["2001:db8:7fff::1"], &["2001:db8:8000::", "2001:db7::"]);
    check("10.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "2001:db8::1"]);
    check("::/0", &["::", "ffff::"], &["192.0.2.1", "::ffff:192.0.2.1"]);
    check("192.0.2.1/32", &["192.0.2.1"], &["192.0.2.0"]);
    check("2001:db8::1/128", &["2001:db8::1"], &["2001:db8::"]);
    check("10.1.0.7&255.255.0.255", &["10.1.0.7", "10.1.9.7"], &["10.1.0.8", "10.2.0.7"]);
    check("2001:db8::5&ffff::f", &["2001:9::15"], &["2001:9::16", "2002::5"]);
    check("192.0.2.9-192.0.3.1", &["192.0.2.9", "192.0.2.255", "192.0.3.1"], &["192.0.2.8"]);
    check("192.0.2.9-192.0.3.1", &["192.0.3.0"], &["192.0.3.2", "::192.0.2.10"]);
    check("2001:db8::1-2001:db8::2", &["2001:db8::1", "2001:db8::2"], &["2001:db8::3"]);
    check("::ffff:192.0.2.1", &["192.0.2.1"], &["192.0.2.2"]);
    check(" 192.0.2.1 - 192.0.2.2 ", &["192.0.2.2"], &["192.0.2.3"]);
}

#[track_caller]
fn check_refused(prefix: &str, words: &str) {
    let error = prefix.parse::<Prefix>().unwrap_err().to_string();
    assert!(error.contains(words), "{prefix}: {error}");
}

#[test]
fn what_is_no_prefix_is_told() {
    check_refused("", "'' is not an IP address; a prefix is an address, address/bits");
    check_refused("ns1.example", "'ns1.example' is not an IP address");
    check_refused("192.0.2.256", "is not an IP address");
    check_refused("192.0.2/24", "'192.0.2' is not an IP address");
    check_refused("192.0.2.0/33", "/33 is not a number of bits from 0 to 32");
    check_refused("192.0.2.0/", "/ is not a number of bits from 0 to 32");
    check_refused("192.0.2.0/+8", "/+8 is not a number of bits");
    check_refused("2001:db8::/129", "from 0 to 128");
    check_refused("192.0.2.0&ffff::", "192.0.2.0 and ffff:: are not of the same family");
    check_refused("192.0.2.2-192.0.2.1", "192.0.2.2 is above 192.0.2.1");
    check_refused("192.0.2.2-::1", "not of the same family");
}

fn key(name: &str) -> Arc<TsigKey> {
    let name = Name::parse(name.as_bytes(), Some(&Name::root())).unwrap();
    Arc::new(TsigKey::new(name, TsigAlgorithm::HmacSha256, vec![1; 32].into()))
}

fn peer(prefix: Option<&str>, key: Option<&Arc<TsigKey>>) -> Peer {
    Peer { prefix: prefix.map(|text| text.parse().unwrap()), key: key.cloned() }
}

#[test]
fn peers_permit_what_they_name_and_nothing_else() {
    let (one, other) = (key("one.example"), key("other.example"));
    let (inside, outside) = (address("192.0.2.1"), address("198.51.100.1"));
    let check = |peers: &[Peer], expected: [bool; 6]| {
        let asked = [None, Some(one.name()), Some(other.name())];
        let got = [inside, outside].map(|from| asked.map(|key| permits(peers, from, key)));
        assert_eq!(got.concat(), expected, "{peers:?}");
    };
    check(&[], [false; 6]);
    check(&[peer(None, None)], [true, false, false, true, false, false]);
    check(&[peer(Some("192.0.2.0/24"), None)], [true, false, false, false, false, false]);
    check(&[peer(None, Some(&one))], [false, true, false, false, true, false]);
    let both = [peer(Some("192.0.2.1"), Some(&one)), peer(Some("198.51.100.1"), Some(&other))];
    check(&both, [false, true, false, false, false, true]);
    let either = [peer(Some("192.0.2.1"), Some(&one)), peer(Some("192.0.2.1"), None)];
    check(&either, [true, true, false, false, false, false]);
    assert_eq!(key_named(&both, &key("OTHER.example").name().clone()), Some(&other));
    assert_eq!(key_named(&either, other.name()), None);
    assert!(lists(&both, inside) && !lists(&[peer(None, Some(&one))], inside));
}

proptest! {
    /// The four forms mean the same sets where they can say the same.
    #[test]
    fn forms_agree(base: u32, asked: u32, bits in 0_u8..=32, near in 0_u32..64) {
        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
        let [base_ip, mask_ip, first, last] =
            [base, mask, base & mask, base | !mask].map(Ipv4Addr::from);
        let forms: Vec<Prefix> = [
            format!("{base_ip}/{bits}"),
            format!("{base_ip}&{mask_ip}"),
            format!("{first}-{last}"),
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        for asked in [asked, base.wrapping_add(near), last.to_bits().wrapping_add(1)] {
            let asked = IpAddr::from(Ipv4Addr::from(asked));
            let in_first = forms[0].contains(asked);
            prop_assert!(forms.iter().all(|form| form.contains(asked) == in_first), "{forms:?}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,60}") {
        if let Ok(prefix) = text.parse::<Prefix>() {
            prop_assert_eq!(prefix.to_string().parse::<Prefix>(), Ok(prefix));
        }
    }
}
