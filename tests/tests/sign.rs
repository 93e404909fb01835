//! What `anchorite sign` writes, before foreign judges: every zone of the repository with NSEC,
//! NSEC3 and opt-out, every algorithm, the same records as in the input, and look-ups that
//! validate with the printed DS.

use anchorite_tests::judges::{self, Expect};
use anchorite_tests::signing::{Workplace, repository_text};

const NSEC: &[&str] = &["--denial", "nsec"];
const NSEC3: &[&str] = &["--denial", "nsec3"];
const OPT_OUT: &[&str] = &["--denial", "nsec3-opt-out"];
const DENIALS: [&[&str]; 3] = [NSEC, NSEC3, OPT_OUT];

const COM: (&str, &str) = ("example.com.", "examples/zones/example.com.zone");
const ORG: (&str, &str) = ("example.org.", "examples/zones/example.org.zone");
const HARD: (&str, &str) = ("hard.example.", "tests/zones/hard-cases.zone");
const BEYOND_KNOT: (&str, &str) = ("beyond.example.", "tests/zones/beyond-knot.zone");
const TYPES: (&str, &str) = ("types.example.", "tests/zones/every-type.zone");

/// Signs the zone with each kind of denial of existence, in one state after the other's.
#[track_caller]
fn check_each_denial(workplace: &Workplace, judge: impl Fn(&Workplace)) {
    for options in DENIALS {
        workplace.sign(options);
        judge(workplace);
    }
}

#[track_caller]
fn all_judges(workplace: &Workplace) {
    judges::all(&workplace.output(), &workplace.origin).unwrap();
}

#[test]
fn all_judges_accept_the_examples() {
    check_each_denial(&Workplace::of_repository(COM.0, COM.1), all_judges);
    check_each_denial(&Workplace::of_repository(ORG.0, ORG.1), all_judges);
}

#[test]
fn all_judges_accept_the_hard_cases() {
    check_each_denial(&Workplace::of_repository(HARD.0, HARD.1), all_judges);
}

#[test]
fn all_judges_accept_every_type() {
    check_each_denial(&Workplace::of_repository(TYPES.0, TYPES.1), all_judges);
}

/// ldns 1.8 reads the RDATA of SINK wrongly and finds its signature bogus; the others are right.
#[test]
fn bind_and_knot_accept_sink() {
    let zone = format!("{}sink.rfc3597 TYPE40 \\# 5 0101010203\n", repository_text(TYPES.1));
    check_each_denial(&Workplace::new(TYPES.0, &zone), |workplace| {
        judges::dnssec_verify(&workplace.output(), TYPES.0).unwrap();
        judges::kzonecheck(&workplace.output(), TYPES.0).unwrap();
    });
}

/// Types that a judge does not know by name stand in bitmaps as TYPEnnn, as the records do.
#[test]
fn bitmaps_name_rare_types_by_number() {
    let workplace = Workplace::of_repository(TYPES.0, TYPES.1);
    workplace.sign(NSEC);
    let signed = workplace.signed();
    let owner = "doa.rfc3597.types.example.";
    let nsec = signed
        .lines()
        .find(|line| line.starts_with(owner) && line.contains("\tNSEC\t"))
        .expect("the name has an NSEC record");
    assert!(nsec.ends_with(" RRSIG NSEC TYPE259"), "{nsec}");
    for unread in [" DOA", " HIP", " WALLET", " DSYNC", " X25", " AMTRELAY"] {
        assert!(!signed.contains(unread), "{unread} is no word for every tool");
    }
}

/// What kzonecheck refuses here is in the head of the zone: records below a DNAME, and an octet
/// of zero that Knot orders against RFC 4034 §6.1.
#[test]
fn bind_and_ldns_accept_what_is_beyond_knot() {
    check_each_denial(&Workplace::of_repository(BEYOND_KNOT.0, BEYOND_KNOT.1), |workplace| {
        judges::dnssec_verify(&workplace.output(), BEYOND_KNOT.0).unwrap();
        judges::ldns_verify_zone(&workplace.output()).unwrap();
        judges::kzonecheck(&workplace.output(), BEYOND_KNOT.0).unwrap_err();
    });
}

#[test]
fn all_judges_accept_the_root_zone() {
    let workplace = Workplace::of_root_zone();
    check_each_denial(&workplace, all_judges);
    check_same_records(&workplace);
}

#[test]
fn validns_accepts_rsa_zones() {
    for (origin, zone) in [COM, ORG] {
        // validns does not know CAA.
        let zone = repository_text(zone);
        let zone: String =
            zone.split_inclusive('\n').filter(|line| !line.contains("CAA")).collect();
        let workplace = Workplace::new(origin, &zone);
        for denial in DENIALS {
            workplace.sign(&[denial, &["--algorithm", "8"]].concat());
            judges::validns(&workplace.output(), origin).unwrap();
        }
    }
}

#[test]
fn all_judges_accept_every_algorithm() {
    for algorithm in ["8", "10", "13", "14", "15"] {
        let workplace = Workplace::of_repository(COM.0, COM.1);
        let summary = workplace.sign(&["--algorithm", algorithm]);
        all_judges(&workplace);
        assert!(summary.ds().contains(&format!(" {algorithm} 2 ")), "{}", summary.text);
        // The same keys and signatures serve the next run.
        let again = workplace.sign(&["--algorithm", algorithm]);
        assert_eq!(again.counts().0, 0, "algorithm {algorithm}");
        assert_eq!(again.keys(), summary.keys());
    }
}

#[test]
fn algorithms_have_names_too() {
    let workplace = Workplace::of_repository(ORG.0, ORG.1);
    let summary = workplace.sign(&["--algorithm", "ed25519"]);
    assert!(summary.field("keys").ends_with("ED25519"), "{}", summary.text);
    let refusal = workplace.refuse(&["--algorithm", "ED25520"]);
    assert!(refusal.contains("ED25520 is no algorithm to sign with; known: "), "{refusal}");
}

#[test]
fn sha1_needs_the_switch_rfc9905() {
    for (algorithm, denial) in [("5", NSEC), ("7", NSEC3)] {
        let workplace = Workplace::of_repository(ORG.0, ORG.1);
        let options = [denial, &["--algorithm", algorithm]].concat();
        let refusal = workplace.refuse(&options);
        assert!(refusal.contains("SHA-1 must not be used for new keys (RFC 9905)"), "{refusal}");
        assert!(refusal.contains("--allow-deprecated"), "{refusal}");
        workplace.sign(&[&options[..], &["--allow-deprecated"]].concat());
        all_judges(&workplace);
        // Keys that exist go on signing without the switch.
        workplace.edit_zone("192.0.2.91", "192.0.2.92");
        assert!(workplace.sign(&options).counts().0 > 0);
        all_judges(&workplace);
    }
}

/// RFC 5155 §2: resolvers that know nothing of NSEC3 must not know the algorithm either.
#[test]
fn algorithm_5_is_refused_with_nsec3() {
    let workplace = Workplace::of_repository(ORG.0, ORG.1);
    let refusal = workplace.refuse(&["--algorithm", "5", "--allow-deprecated"]);
    assert!(refusal.contains("RSASHA1 cannot be used with NSEC3 (RFC 5155"), "{refusal}");
}

#[test]
fn ed448_is_refused_with_the_reason() {
    let refusal = Workplace::of_repository(ORG.0, ORG.1).refuse(&["--algorithm", "16"]);
    assert!(refusal.contains("ED448 is not available here"), "{refusal}");
}

/// The records as BIND reads them, without those that a signer makes, and without what the
/// policy sets in the SOA: TTL, serial, minimum. Owner names in lower case: the case of a name
/// that the input writes in several ways is the signer's choice.
fn own_records(file: &std::path::Path, origin: &str) -> Vec<String> {
    let made = ["RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "DNSKEY"];
    let compiled = judges::named_compilezone(file, origin).unwrap();
    let mut records = Vec::new();
    // Comments tell when BIND would sign again.
    for line in compiled.lines().filter(|line| !line.starts_with(';')) {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words[0].make_ascii_lowercase();
        match words[3].as_str() {
            rr_type if made.contains(&rr_type) => continue,
            "SOA" => {
                words[1] = "TTL".into();
                words[6] = "SERIAL".into();
                words[10] = "MINIMUM".into();
                records.push(words.join(" "));
            }
            // RDATA as it stands: text may hold several spaces.
            _ => {
                let rdata = line.split_whitespace().nth(4).map_or("", |word| {
                    let start = word.as_ptr() as usize - line.as_ptr() as usize;
                    &line[start..]
                });
                records.push(format!("{} {rdata}", words[..4].join(" ")));
            }
        }
    }
    records.sort();
    records
}

#[track_caller]
fn check_same_records(workplace: &Workplace) {
    let own = |file| own_records(file, &workplace.origin);
    let (input, output) = (own(&workplace.zone_file()), own(&workplace.output()));
    assert!(input.len() > 9, "{input:?}");
    let lost: Vec<_> = input.iter().filter(|record| !output.contains(record)).take(5).collect();
    let gained: Vec<_> = output.iter().filter(|record| !input.contains(record)).take(5).collect();
    assert!(input == output, "lost {lost:#?} gained {gained:#?}");
}

#[test]
fn bind_reads_the_same_records_from_the_output() {
    for (origin, zone) in [COM, ORG, HARD, BEYOND_KNOT, TYPES] {
        check_each_denial(&Workplace::of_repository(origin, zone), check_same_records);
    }
}

/// Signs and asks, with the printed DS as the only trust anchor.
#[track_caller]
fn check_answers(workplace: &Workplace, options: &[&str], questions: &[(&str, &str, Expect)]) {
    let ds = workplace.sign(options).ds();
    let file = workplace.output();
    judges::resolve_secure(&workplace.origin, &file, &ds, questions).unwrap();
}

use Expect::{Insecure, NoDataSecure, NxDomainSecure, Secure};

#[test]
fn answers_of_the_example_validate() {
    let questions = [
        ("example.com.", "SOA", Secure),
        ("example.com.", "NS", Secure),
        ("example.com.", "DNSKEY", Secure),
        ("example.com.", "CAA", Secure),
        ("mail.example.com.", "AAAA", Secure),
        ("www.example.com.", "A", Secure),
        ("www.example.com.", "CNAME", Secure),
        ("_25._tcp.mail.example.com.", "TLSA", Secure),
        ("anybody.customers.example.com.", "A", Secure),
        ("two.labels.customers.example.com.", "AAAA", Secure),
        ("anybody.customers.example.com.", "TXT", NoDataSecure),
        ("lab.example.com.", "DS", Secure),
        ("mail.example.com.", "TXT", NoDataSecure),
        ("example.com.", "PTR", NoDataSecure),
        ("customers.example.com.", "A", NoDataSecure),
        ("_tcp.mail.example.com.", "A", NoDataSecure),
        ("nobody.example.com.", "A", NxDomainSecure),
        ("no.such.mail.example.com.", "A", NxDomainSecure),
    ];
    let workplace = Workplace::of_repository(COM.0, COM.1);
    let cut = |expect| ("workshop.example.com.", "DS", expect);
    check_answers(&workplace, NSEC, &[&questions[..], &[cut(NoDataSecure)]].concat());
    check_answers(&workplace, NSEC3, &[&questions[..], &[cut(NoDataSecure)]].concat());
    // With opt-out a name that has no NSEC3 record may be an insecure delegation (RFC 5155 §9.2),
    // so neither its absence nor a wildcard in its place is proved.
    let opted_out = questions.map(|(name, rr_type, expect)| match expect {
        NxDomainSecure => (name, rr_type, Insecure),
        _ if name.ends_with(".customers.example.com.") => (name, rr_type, Insecure),
        _ => (name, rr_type, expect),
    });
    check_answers(&workplace, OPT_OUT, &[&opted_out[..], &[cut(Insecure)]].concat());
}

#[test]
fn answers_of_the_hard_cases_validate() {
    let questions = [
        ("hard.example.", "TXT", Secure),
        ("two.one.hard.example.", "A", NoDataSecure),
        ("five.four.three.two.one.hard.example.", "A", NoDataSecure),
        ("any.thing.wild.hard.example.", "A", Secure),
        ("here.wild.hard.example.", "A", Secure),
        ("here.wild.hard.example.", "TXT", NoDataSecure),
        ("below.here.wild.hard.example.", "A", NxDomainSecure),
        ("q.a.b.went.hard.example.", "TXT", Secure),
        ("b.went.hard.example.", "TXT", NoDataSecure),
        ("q.cnamewild.hard.example.", "A", Secure),
        ("sub.*.middle.hard.example.", "TXT", Secure),
        ("dname.hard.example.", "DNAME", Secure),
        ("dname.hard.example.", "TXT", Secure),
        ("here.alias.hard.example.", "A", Secure),
        ("q.alias.hard.example.", "A", Secure),
        ("secure.hard.example.", "DS", Secure),
        ("upper.hard.example.", "A", Secure),
        ("case.rdata.hard.example.", "MX", Secure),
        ("q.z.example.hard.example.", "A", Secure),
        ("many.txt.hard.example.", "TXT", Secure),
        ("octets.txt.hard.example.", "TXT", Secure),
        ("ttl.max.hard.example.", "A", Secure),
    ];
    let workplace = Workplace::of_repository(HARD.0, HARD.1);
    // No name below an empty non-terminal is asked for: libunbound's own authority takes the wrong
    // closest encloser there and then rejects its answer, with zones that BIND signed too.
    check_answers(&workplace, NSEC, &questions);
    check_answers(&workplace, NSEC3, &questions);
}

#[test]
fn answers_of_the_root_zone_validate() {
    let questions = [
        (".", "NS", Secure),
        (".", "SOA", Secure),
        (".", "DNSKEY", Secure),
        (".", "MX", NoDataSecure),
        ("com.", "DS", Secure),
        ("xn--p1ai.", "DS", Secure),
        ("zuerich.", "DS", Secure),
    ];
    let workplace = Workplace::of_root_zone();
    // Two insecure delegations and two names that are not there.
    let without_ds = [("aero.", "DS", NoDataSecure), ("ae.", "DS", NoDataSecure)];
    let nothing = [("anchorite.", "A", NxDomainSecure), ("a.b.zzzz.", "A", NxDomainSecure)];
    check_answers(&workplace, NSEC, &[&questions[..], &without_ds, &nothing].concat());
    let opted_out = without_ds.map(|(name, rr_type, _)| (name, rr_type, Insecure));
    check_answers(&workplace, OPT_OUT, &[&questions[..], &opted_out].concat());
}

/// Keys, digests and signatures that come in with the input, as from a zone that was signed before.
#[test]
fn dnssec_records_of_the_input_do_not_spoil_the_output() {
    let other = Workplace::of_repository(ORG.0, ORG.1);
    other.sign(&[]);
    let signed = other.signed();
    let mut keys = signed.lines().filter_map(|line| line.split_once("\tDNSKEY\t"));
    let key = keys.next().expect("a signed zone has keys").1;
    let digest = "0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6";
    let zonemd = format!("ZONEMD 17 1 1 {digest}0c72ac70b745ac19998811b131d662c9");
    let more = format!(
        "{ORG} DNSKEY {key}\n{ORG} {zonemd}\nold DNSKEY {key}\nold {zonemd}\n\
         www RRSIG A 13 3 86400 20300101000000 20200101000000 1 {ORG} AAAA\n",
        ORG = ORG.0
    );
    let workplace = Workplace::new(ORG.0, &(repository_text(ORG.1) + &more));
    for options in DENIALS {
        let summary = workplace.sign(options);
        // BIND takes no DNSKEY below the apex at all.
        judges::kzonecheck(&workplace.output(), ORG.0).unwrap();
        judges::ldns_verify_zone(&workplace.output()).unwrap();
        for dropped in ["type=ZONEMD", "type=RRSIG"] {
            assert!(summary.text.contains(dropped), "{}", summary.text);
        }
    }
    // A key of somebody else stays beside ours: that is how zones move between signers.
    assert!(workplace.signed().contains(&format!("\n{}\t3600\tIN\tDNSKEY\t{key}\n", ORG.0)));
    assert_eq!(workplace.signed().matches("\tZONEMD\t").count(), 1);
    // A second signing of what was signed before, with other keys.
    let again = Workplace::new(ORG.0, &signed);
    again.sign(NSEC);
    all_judges(&again);
    assert!(!again.signed().contains("NSEC3"));
}
