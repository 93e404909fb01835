//! Trust anchors in the forms that validators have them in.

use super::*;
use proptest::prelude::*;

const DS: &str = "com. IN DS 19718 13 2 \
                  8acbb0cd28f41250a80a491389424d341522d946b0da0c0291f2d3d771d7805a";
const KEY: &str = "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3";

fn read(text: &str) -> Result<Vec<String>, String> {
    let anchors = read_anchors(text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(anchors.iter().map(TrustAnchor::to_string).collect())
}

#[test]
fn a_record_is_written_as_it_is_read() {
    assert_eq!(TrustAnchor::parse(DS).unwrap().to_string(), DS);
    let short = format!("COM 3600 ds {}", DS.split_once("DS ").unwrap().1);
    assert_eq!(TrustAnchor::parse(&short).unwrap().to_string(), DS);
    let key = format!(". IN DNSKEY 257 3 8 {KEY}");
    assert_eq!(TrustAnchor::parse(&key).unwrap().to_string(), key);
}

#[test]
fn what_could_never_validate_is_refused() {
    let check = |text: &str, words: &str| {
        let error = TrustAnchor::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    };
    check("", "expected a DS or DNSKEY record");
    check("com.", "expected a DS or DNSKEY record");
    check("com. IN A 192.0.2.1", "'A' where DS or DNSKEY");
    check("c..om. DS 1 8 2 00", "is not the name of a zone");
    check("com. DS 1 8 1 8ACBB0CD28F41250A80A491389424D341522D946", "digest type 1");
    let digest = DS.split(' ').next_back().unwrap();
    check(&format!("com. DS 1 5 2 {digest}"), "algorithm 5");
    check(&format!("com. DS 1 16 2 {digest}"), "algorithm 16");
    check("com. DS 1 8 2 8ACB", "length of its digest type");
    check("com. DS 1 8 2 zz", "expected");
    check(&format!("com. DNSKEY 0 3 8 {KEY}"), "flags 0");
    check(&format!("com. DNSKEY 385 3 8 {KEY}"), "flags 385");
}

#[test]
fn a_zone_file_of_anchors_is_read_with_unbounds_states() {
    let text = format!(
        "; autotrust trust anchor file\n;;id: . 1\n\
         . 86400 IN DNSKEY 257 3 8 {KEY} ;{{id = 1 (ksk)}} ;;state=2 [  VALID  ] ;;count=0\n\
         a. 86400 IN DNSKEY 257 3 8 {KEY} ;{{id = 1 (ksk)}} ;;state=1 [ ADDPEND ] ;;count=0\n\
         b. 86400 IN DNSKEY 257 3 8 {KEY} ;{{id = 1 (ksk)}} ;;state=3 [ MISSING ] ;;count=0\n\
         c. 86400 IN DNSKEY 257 3 8 {KEY} ;{{id = 1 (ksk)}} ;;state=4 [ REVOKED ] ;;count=0\n\
         d. IN DNSKEY ( 257 3 8 ; a comment\n  {KEY} )\n{DS}\n"
    );
    let anchors = read(&text).unwrap();
    let zones: Vec<&str> = anchors.iter().map(|one| one.split(' ').next().unwrap()).collect();
    assert_eq!(zones, [".", "b.", "d.", "com."]);
    assert_eq!(read("; nothing\n"), Ok(Vec::new()));
}

#[test]
fn binds_statements_are_read() {
    let digest = DS.split(' ').next_back().unwrap();
    let (one, two) = KEY.split_at(20);
    let text = format!(
        "# anchors\n/* of\n several */\ntrust-anchors {{\n\
         \tcom. static-ds 19718 13 2 \"{digest}\"; // DS\n\
         \t. initial-key 257 3 8 \"{one}\n\t\t{two}\";\n}};\n\
         managed-keys {{ org. initial-key 257 3 8 \"{KEY}\"; }};\n\
         trusted-keys {{ \"net.\" 257 3 8 \"{KEY}\"; }};\n\
         options {{ directory \"/tmp\"; }};\n"
    );
    let key = |zone: &str| format!("{zone} IN DNSKEY 257 3 8 {KEY}");
    assert_eq!(read(&text), Ok(vec![DS.to_owned(), key("."), key("org."), key("net.")]));
}

#[test]
fn a_fault_says_its_line() {
    let check = |text: &str, words: &str| {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(words), "{error}");
    };
    check(&format!("{DS}\n\ncom. IN MX 1 2\n"), "line 3: 'MX'");
    check("com. IN DS ( 1\n", "line 1: the text ends within");
    check("trust-anchors {\n com. maybe 1 2 3 \"\"; };\n", "line 2: 'maybe'");
    check("trust-anchors {\n com. static-ds 1 13 2 \"00\";\n", "line 2:");
    check("trust-anchors { com. static-ds 1 13 2 \"00\n", "line 1: the text ends");
    check(&format!("{DS}\n").repeat(ANCHORS_MAX + 1), "line 1: there are more than 64");
    check(&" ".repeat(ANCHOR_TEXT_MAX + 1), "line 1: the text has more than");
}

proptest! {
    /// Text of any kind is read or refused.
    #[test]
    fn any_text_is_survived(
        words in proptest::collection::vec(
            prop_oneof![
                Just("com."), Just("DS"), Just("DNSKEY"), Just("257"), Just("13"), Just("2"),
                Just("\""), Just("{"), Just("}"), Just(";"), Just("("), Just(")"), Just("\n"),
                Just("trust-anchors"), Just("static-ds"), Just("//"), Just("/*"), Just("é"),
                Just("\u{2003}"), Just("AwEAAQ=="), Just(";;state="),
            ],
            0..40,
        ),
        joint in prop_oneof![Just(""), Just(" ")],
    ) {
        if let Ok(anchors) = read_anchors(words.join(joint).as_bytes()) {
            for anchor in anchors {
                prop_assert_eq!(TrustAnchor::parse(&anchor.to_string()), Ok(anchor));
            }
        }
    }
}
