//! Later runs of `anchorite sign`: what is kept, what is made anew, what the serial does, and what
//! becomes of a state folder that lost a part. Policies from kasp.xml too.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anchorite_tests::judges::{self, repository_file};
use anchorite_tests::signing::{Workplace, repository_text};

const COM: (&str, &str) = ("example.com.", "examples/zones/example.com.zone");

fn example() -> Workplace {
    Workplace::of_repository(COM.0, COM.1)
}

#[track_caller]
fn judged(workplace: &Workplace) {
    judges::all(&workplace.output(), &workplace.origin).unwrap();
}

/// Everything that a write or a replacement would change.
fn look(file: &Path) -> (u64, i64, i64, Vec<u8>) {
    let metadata = fs::metadata(file).unwrap();
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), fs::read(file).unwrap())
}

#[test]
fn a_second_run_touches_nothing() {
    let workplace = example();
    let first = workplace.sign(&[]);
    assert_eq!(first.counts(), (39, 0));
    let before = look(&workplace.output());
    let second = workplace.sign(&[]);
    assert_eq!(second.counts(), (0, 39));
    assert!(look(&workplace.output()) == before);
    assert_eq!((second.serial(), second.keys(), second.ds()), {
        (first.serial(), first.keys(), first.ds())
    });
}

/// The input's serial alone is no reason for a new version, except in mode `keep`.
#[test]
fn an_input_that_says_the_same_in_other_words_touches_nothing() {
    let workplace = example();
    workplace.sign(&[]);
    let before = look(&workplace.output());
    workplace.edit_zone("2026010100", "2026010101");
    workplace.edit_zone("$TTL 1h", "$TTL 3600");
    workplace.edit_zone("192.0.2.25\n", "192.0.2.25 ; a comment\nmail A 192.0.2.25\n");
    workplace.sign(&[]);
    assert!(look(&workplace.output()) == before);
}

/// Changes one thing, and expects so many new signatures, the SOA's counted.
#[track_caller]
fn check_change(workplace: &Workplace, from: &str, to: &str, made: usize) {
    let before = workplace.sign(&[]);
    workplace.edit_zone(from, to);
    let after = workplace.sign(&[]);
    assert_eq!(after.counts().0, made, "{from:?} to {to:?}");
    assert!(after.serial() > before.serial(), "{from:?} to {to:?}");
    assert_eq!(after.keys(), before.keys());
    judged(workplace);
}

#[test]
fn a_change_makes_exactly_the_signatures_it_needs() {
    let workplace = example();
    check_change(&workplace, "192.0.2.25\n", "192.0.2.26\n", 2);
    // TTL of an RRset, a record more in it, a record less.
    check_change(&workplace, "mail               AAAA", "mail 300 AAAA", 2);
    check_change(&workplace, "ns2                A  ", "ns2 A 198.51.100.54\nns2 A ", 2);
    check_change(&workplace, "ns2 A 198.51.100.54\n", "", 2);
    // Glue and the delegation's own NS are not signed; the zone is another one all the same.
    check_change(&workplace, "203.0.113.54", "203.0.113.55", 1);
    check_change(&workplace, "ns.example.net.", "ns2.example.net.", 1);
    // A DS: signed itself, and in the bitmap of the delegation's NSEC3.
    let ds =
        "workshop DS 1 13 2 0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6\n";
    check_change(&workplace, "workshop           NS    ns1", &format!("{ds}workshop NS ns1"), 3);
    // A type more at a name: its RRset and the bitmap.
    check_change(&workplace, "mail2 ", "mail2 TXT \"new\"\nmail2 ", 3);
    // A name more: its RRset, its NSEC3, and the NSEC3 before it.
    check_change(&workplace, "mail2 ", "mail3 A 192.0.2.27\nmail2 ", 4);
    check_change(&workplace, "mail3 A 192.0.2.27\n", "", 2);
    // The SOA alone.
    check_change(&workplace, "4h  ", "5h  ", 1);
    check_change(&workplace, "SOA   ns1", "SOA   ns2", 1);
}

#[test]
fn a_lost_output_is_written_again_as_it_was() {
    let workplace = example();
    let first = workplace.sign(&[]);
    let before = fs::read(workplace.output()).unwrap();
    fs::remove_file(workplace.output()).unwrap();
    let second = workplace.sign(&[]);
    assert!(fs::read(workplace.output()).unwrap() == before);
    assert_eq!((second.serial(), second.counts()), (first.serial(), (0, 39)));
    assert!(second.field("audit").starts_with("approved: 39 signatures verified"));
}

/// One serial never has two contents, not even when all is lost but the file that everybody has.
#[test]
fn a_lost_state_folder_means_new_keys_and_a_newer_serial() {
    let workplace = example();
    let first = workplace.sign(&[]);
    fs::remove_dir_all(workplace.state()).unwrap();
    let second = workplace.sign(&[]);
    assert_ne!(first.ds(), second.ds());
    assert_eq!(second.counts(), (39, 0));
    assert!(second.serial() > first.serial(), "{} {}", first.serial(), second.serial());
    judged(&workplace);
}

/// The file under the output's name may be anything: it is replaced, and nothing is taken from it.
#[test]
fn an_output_that_is_no_zone_is_replaced() {
    for stranger in ["", "<html>", "www.example.net. 1 IN A 192.0.2.1\n"] {
        let workplace = example();
        fs::write(workplace.output(), stranger).unwrap();
        assert_eq!(workplace.sign(&[]).serial(), 2_026_010_101);
        judged(&workplace);
    }
    let workplace = example();
    let other = "example.net. 1 IN SOA ns. host. 4000000000 1 1 1 1\n";
    fs::write(workplace.output(), other).unwrap();
    assert_eq!(workplace.sign(&[]).serial(), 2_026_010_101);
}

#[test]
fn a_lost_snapshot_means_a_full_signing_with_the_same_keys() {
    let workplace = example();
    let first = workplace.sign(&[]);
    fs::remove_dir_all(workplace.state().join("snapshots")).unwrap();
    let second = workplace.sign(&[]);
    assert_eq!(second.counts(), (39, 0));
    assert_eq!(second.keys(), first.keys());
    assert!(second.serial() > first.serial());
    judged(&workplace);
}

#[test]
fn denial_changes_in_the_same_state() {
    let workplace = example();
    let nsec3 = workplace.sign(&[]);
    let nsec = workplace.sign(&["--denial", "nsec"]);
    judged(&workplace);
    assert!(!workplace.signed().contains("NSEC3"));
    // What has no NSEC3 bit in it is kept: all but the chain and the SOA.
    assert_eq!(nsec.counts().1, nsec3.counts().0 - 16 - 2, "NSEC3PARAM and SOA");
    assert!(nsec.serial() > nsec3.serial());
    workplace.sign(&[]);
    judged(&workplace);
}

const LAB: [&str; 3] = ["--policy", "lab", "--kasp"];

#[test]
fn the_lab_policy_of_the_examples_signs() {
    let kasp = repository_file("examples/lab/kasp.xml");
    let workplace = example();
    let options = [&LAB[..], &[kasp.to_str().unwrap()]].concat();
    let summary = workplace.sign(&options);
    judged(&workplace);
    assert_eq!(summary.field("denial"), "NSEC");
    // <TTL>PT2M</TTL>, <Minimum>PT2M</Minimum>, <Serial>unixtime</Serial>.
    let signed = workplace.signed();
    let soa = signed.lines().next().unwrap();
    assert!(soa.starts_with("example.com.\t120\tIN\tSOA\t") && soa.ends_with(" 120"), "{soa}");
    assert_eq!(workplace.sign(&options).counts().0, 0);
}

#[test]
fn the_tld_policy_of_the_examples_signs() {
    let kasp = repository_file("examples/tld-optout/kasp.xml");
    let workplace = Workplace::of_root_zone();
    let summary = workplace.sign(&["--policy", "tld", "--kasp", kasp.to_str().unwrap()]);
    judged(&workplace);
    assert!(summary.field("denial").starts_with("NSEC3 with opt-out"));
}

/// The lab policy with something else in it.
fn edited_lab(workplace: &Workplace, from: &str, to: &str) -> Vec<String> {
    let kasp = repository_text("examples/lab/kasp.xml");
    assert!(kasp.contains(from));
    let path = workplace.path("kasp.xml");
    fs::write(&path, kasp.replace(from, to)).unwrap();
    let path = path.to_str().unwrap();
    [&LAB[..], &[path]].concat().into_iter().map(str::to_owned).collect()
}

fn words(options: &[String]) -> Vec<&str> {
    options.iter().map(String::as_str).collect()
}

#[test]
fn a_policy_with_salt_keeps_its_salt() {
    let workplace = example();
    let nsec3 = "<NSEC3><Resalt>P100D</Resalt><Hash><Algorithm>1</Algorithm>\
                 <Iterations>5</Iterations><Salt length=\"8\"/></Hash></NSEC3>";
    let options = edited_lab(&workplace, "<NSEC/>", nsec3);
    let summary = workplace.sign(&words(&options));
    judged(&workplace);
    assert_eq!(summary.field("denial"), "NSEC3, 5 iterations, salt of 8 octets");
    let parameters = |signed: String| {
        let line = signed.lines().find(|line| line.contains("\tNSEC3PARAM\t")).map(str::to_owned);
        line.expect("the apex has its NSEC3PARAM")
    };
    let before = parameters(workplace.signed());
    let salt = before.rsplit(' ').next().unwrap();
    assert!(before.contains("1 0 5 ") && salt.len() == 16, "{before}");
    workplace.edit_zone("192.0.2.25\n", "192.0.2.26\n");
    assert_eq!(workplace.sign(&words(&options)).counts().0, 2);
    assert_eq!(parameters(workplace.signed()), before);
}

#[test]
fn keep_takes_the_serial_of_the_input_and_wants_it_to_rise() {
    let workplace = example();
    let options = edited_lab(&workplace, "unixtime", "keep");
    let keep = words(&options);
    assert_eq!(workplace.sign(&keep).serial(), 2_026_010_100);
    assert_eq!(workplace.sign(&keep).counts().0, 0);
    workplace.edit_zone("192.0.2.25\n", "192.0.2.26\n");
    let refusal = workplace.refuse(&keep);
    assert!(refusal.contains("cannot keep SOA SERIAL from input zone (2026010100)"), "{refusal}");
    workplace.edit_zone("2026010100", "2026010107");
    assert_eq!(workplace.sign(&keep).serial(), 2_026_010_107);
    judged(&workplace);
    // A new serial and nothing else: secondaries are to see it.
    workplace.edit_zone("2026010107", "2026010108");
    assert_eq!(workplace.sign(&keep).serial(), 2_026_010_108);
}

#[test]
fn a_csk_signs_everything() {
    let workplace = example();
    let kasp = repository_text("examples/lab/kasp.xml");
    let (start, end) = (kasp.find("<ZSK>").unwrap(), kasp.find("</ZSK>").unwrap() + 6);
    let csk = kasp.replace(&kasp[start..end], "").replace("KSK>", "CSK>");
    let path = workplace.path("kasp.xml");
    fs::write(&path, csk).unwrap();
    let summary = workplace.sign(&[&LAB[..], &[path.to_str().unwrap()]].concat());
    assert!(summary.field("keys").starts_with("CSK ") && summary.keys().len() == 1);
    judges::dnssec_verify_csk(&workplace.output(), COM.0).unwrap();
    judges::kzonecheck(&workplace.output(), COM.0).unwrap();
    judges::ldns_verify_zone(&workplace.output()).unwrap();
    judges::resolve_secure(
        COM.0,
        &workplace.output(),
        &summary.ds(),
        &[("mail.example.com.", "A", judges::Expect::Secure)],
    )
    .unwrap();
}

/// OpenDNSSEC once forgot the ancestors (OPENDNSSEC-353).
#[test]
fn a_ds_brings_and_takes_the_nsec3_of_its_empty_ancestors() {
    let zone = "$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n\
                x.y.z NS ns\nbelow.x.y.z NS ns\nother.z NS ns\n";
    let workplace = Workplace::new("cuts.example.", zone);
    let opt_out = ["--denial", "nsec3-opt-out"];
    let chain_length = |counts: (usize, usize)| {
        let signed = workplace.signed();
        judged(&workplace);
        (signed.lines().filter(|line| line.contains("\tNSEC3\t")).count(), counts)
    };
    // Apex and ns. Signatures: SOA, NS, DNSKEY, NSEC3PARAM, A and the chain.
    assert_eq!(chain_length(workplace.sign(&opt_out).counts()), (2, (7, 0)));
    let digest = "0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6";
    let ds = format!("x.y.z DS 1 13 2 {digest}\n");
    workplace.write_zone(&format!("{zone}{ds}"));
    let (length, (made, kept)) = chain_length(workplace.sign(&opt_out).counts());
    assert_eq!((length, made + kept), (5, 11), "x.y.z, y.z and z have come");
    assert!(kept >= 4, "NS, DNSKEY, NSEC3PARAM, A are kept");
    workplace.write_zone(zone);
    let (length, (made, kept)) = chain_length(workplace.sign(&opt_out).counts());
    assert_eq!((length, made + kept), (2, 7), "they have gone again");
}
