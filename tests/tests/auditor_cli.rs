//! `anchorite audit` and `ods-auditor` on files: verdicts, exit codes, texts, JSON, bad input.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anchorite_tests::judges;
use anchorite_tests::program::anchorite;
use anchorite_tests::signing::Workplace;

const COM: (&str, &str) = ("example.com.", "examples/zones/example.com.zone");

fn audit(words: &[&str]) -> Output {
    judges::run(Command::new(anchorite()).arg("audit").args(words))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Exit code and standard output.
#[track_caller]
fn verdict(words: &[&str]) -> (i32, String) {
    let output = audit(words);
    assert_eq!(text(&output.stderr), "");
    (output.status.code().unwrap(), text(&output.stdout))
}

/// Is not judged: exit code and standard error.
#[track_caller]
fn refused(words: &[&str]) -> (i32, String) {
    let output = audit(words);
    assert_eq!(text(&output.stdout), "");
    (output.status.code().unwrap(), text(&output.stderr))
}

fn signed(denial: &str) -> Workplace {
    let workplace = Workplace::of_repository(COM.0, COM.1);
    workplace.sign(&["--denial", denial]);
    workplace
}

#[test]
fn good_zones_are_good() {
    for denial in ["nsec", "nsec3", "nsec3-opt-out"] {
        let workplace = signed(denial);
        let (output, zone) = (workplace.output(), workplace.zone_file());
        let (code, printed) = verdict(&[path(&output)]);
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("Verdict: good; 0 errors"), "{printed}");
        let with_source = [path(&output), "--unsigned", path(&zone), "--zone", "example.com"];
        let (code, printed) = verdict(&with_source);
        assert_eq!(code, 0, "{printed}");
        assert!(printed.contains("Compared with "), "{printed}");
    }
}

#[test]
fn one_changed_address_is_found_by_signature_and_by_source() {
    let workplace = signed("nsec3");
    let tampered = workplace.path("tampered");
    fs::write(&tampered, workplace.signed().replacen("192.0.2.25", "192.0.2.26", 1)).unwrap();
    let (code, printed) = verdict(&[path(&tampered)]);
    assert_eq!(code, 1);
    assert!(printed.contains("A302 error"), "{printed}");
    let zone = workplace.zone_file();
    let words = [path(&tampered), "--unsigned", path(&zone), "--zone", "example.com", "--json"];
    let (code, printed) = verdict(&words);
    assert_eq!(code, 1);
    let ids: Vec<&str> = ["A302", "A601", "A602"]
        .into_iter()
        .filter(|id| printed.contains(&format!("\"id\":\"{id}\"")))
        .collect();
    assert_eq!(ids, ["A302", "A601", "A602"], "{printed}");
    assert!(printed.contains("\"verdict\":\"reject\""), "{printed}");
    let mut python = Command::new("python3");
    python.args(["-c", "import json,sys; json.loads(sys.argv[1])", &printed]);
    assert!(judges::run(&mut python).status.success());
}

#[test]
fn another_moment_finds_expired_signatures() {
    let workplace = signed("nsec");
    let output = workplace.output();
    let (code, printed) = verdict(&[path(&output), "--at", "20500101000000"]);
    assert_eq!(code, 1);
    assert!(printed.contains("A309 error"), "{printed}");
}

#[test]
fn the_parent_must_have_the_ds_of_a_key_that_signs() {
    let workplace = Workplace::of_repository(COM.0, COM.1);
    let summary = workplace.sign(&[]);
    let output = workplace.output();
    let lines = summary.text.lines();
    let ds = lines.filter_map(|line| line.split_once(" IN DS ")).map(|(_, data)| data.trim());
    let ds = ds.map(str::to_owned).next().expect("the summary has the DS");
    let (code, printed) = verdict(&[path(&output), "--ds", &ds]);
    assert_eq!(code, 0, "{printed}");
    let (head, _) = ds.rsplit_once(' ').unwrap();
    let wrong = format!("{head} {}", "0".repeat(64));
    let (code, printed) = verdict(&[path(&output), "--ds", &wrong]);
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("A70"), "{printed}");
}

#[test]
fn what_is_no_zone_is_refused_with_its_place() {
    let workplace = signed("nsec");
    let file = workplace.path("broken");
    let check = |content: &[u8], expected: &str| {
        fs::write(&file, content).unwrap();
        let (code, error) = refused(&[path(&file)]);
        assert_eq!(code, 1);
        assert!(error.contains(expected), "{error}");
    };
    check(b"", "there are no records in it");
    check(b"example.com. 1 A 192.0.2.1\n", "no SOA record was found");
    check(b"example.com. 1 A 192.0.2.1\nwww 1 A 192.0.2.1\n", ":2:1: a relative name needs");
    check(b"example.com. 1 A 192.0.2\n", ":1:18: this is not an IPv4 address");
    check(&[0xff; 4096], ":1:1: a name has labels");
    check(&[b'a'; 5 << 20], ":1:1: a name has labels");
    let missing = workplace.path("missing");
    assert!(refused(&[path(&missing)]).1.contains("cannot read"));
    let output = workplace.output();
    assert!(refused(&[path(&output), "--at", "noon"]).1.contains("expected YYYYMMDDHHmmSS"));
    assert!(refused(&[path(&output), "--zone", "a..b"]).1.contains("is not a zone name"));
    let (code, _) = refused(&[path(&output), "--zonk"]);
    assert_eq!(code, 2);
}

/// A file of several sections, cut anywhere: what is left is judged as what it is.
#[test]
fn a_truncated_zone_is_not_good() {
    let workplace = signed("nsec3");
    let whole = workplace.signed();
    let file = workplace.path("short");
    for part in [3, 5, 9] {
        fs::write(&file, &whole.as_bytes()[..whole.len() * part / 10]).unwrap();
        assert_eq!(audit(&[path(&file)]).status.code(), Some(1));
    }
}

/// A configuration with one zone, which is signed by `anchorite sign` with the same policy.
fn site(folder: &Path) -> String {
    let kasp = fs::read_to_string(judges::repository_file("examples/default/kasp.xml")).unwrap();
    fs::write(folder.join("kasp.xml"), kasp).unwrap();
    let unsigned = folder.join("zone");
    fs::copy(judges::repository_file(COM.1), &unsigned).unwrap();
    let zonelist = format!(
        "<ZoneList><Zone name=\"example.com\"><Policy>default</Policy>\
         <SignerConfiguration>{}</SignerConfiguration><Adapters>\
         <Input><Adapter type=\"File\">{}</Adapter></Input>\
         <Output><Adapter type=\"File\">{}</Adapter></Output></Adapters></Zone></ZoneList>",
        folder.join("signconf.xml").display(),
        unsigned.display(),
        folder.join("signed").display()
    );
    fs::write(folder.join("zonelist.xml"), zonelist).unwrap();
    let conf = fs::read_to_string(judges::repository_file("examples/default/conf.xml")).unwrap();
    let conf = conf.lines().map(|line| {
        let set = |element: &str, file: &str| {
            format!("<{element}>{}</{element}>", folder.join(file).display())
        };
        match line.trim() {
            line if line.starts_with("<PolicyFile>") => set("PolicyFile", "kasp.xml"),
            line if line.starts_with("<ZoneListFile>") => set("ZoneListFile", "zonelist.xml"),
            _ => line.to_owned(),
        }
    });
    let file = folder.join("conf.xml");
    fs::write(&file, conf.collect::<Vec<_>>().join("\n")).unwrap();
    path(&file).to_owned()
}

fn ods_auditor(words: &[&str]) -> (Option<i32>, String, String) {
    let output = judges::run(Command::new(anchorite()).arg("ods-auditor").args(words));
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn ods_auditor_judges_the_zones_of_a_configuration() {
    let workplace = Workplace::of_repository(COM.0, COM.1);
    let conf = site(workplace.path("").as_path());
    let kasp = workplace.path("kasp.xml");
    let (code, printed, error) = ods_auditor(&["-c", &conf]);
    assert_eq!(code, Some(1), "{error}");
    assert!(printed.starts_with("Auditor started\nAuditor starting on example.com\n"), "{printed}");
    assert!(printed.contains("cannot read"), "{printed}");
    workplace.sign(&["--kasp", path(&kasp), "--policy", "default"]);
    let (code, printed, error) = ods_auditor(&["-c", &conf]);
    let good = "Auditor started\nAuditor starting on example.com\nAuditor found no errors\n";
    assert_eq!((code, printed.as_str(), error.as_str()), (Some(0), good, ""));
    let (code, printed, _) = ods_auditor(&["-c", &conf, "-z", "example.com.", "--partial"]);
    assert_eq!((code, printed.as_str()), (Some(0), good));

    let tampered = workplace.path("tampered");
    fs::write(&tampered, workplace.signed().replacen("192.0.2.25", "192.0.2.26", 1)).unwrap();
    let words = ["-c", &conf, "-z", "example.com", "-s", path(&tampered), "-f"];
    let (code, printed, _) = ods_auditor(&words);
    assert_eq!(code, Some(1));
    assert!(printed.contains("example.com: A302 error"), "{printed}");
    assert!(printed.ends_with("Auditor found errors - check log for details\n"), "{printed}");

    let (code, _, error) = ods_auditor(&["-c", &conf, "-z", "example.net"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("zone example.net is not in the configuration"), "{error}");
    let (code, _, error) = ods_auditor(&["-c", &conf, "-s", "x"]);
    assert_eq!(code, Some(1));
    assert!(error.contains("name it with --zone"), "{error}");
    assert_eq!(ods_auditor(&["-h"]).0, Some(0));
}
