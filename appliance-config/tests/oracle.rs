//! kaspcheck against Debian's ods-kaspcheck 2.1 and the RelaxNG schemas of opendnssec-common:
//! same lines and same exit status on every fixture and example, or a reason in [`DEVIATIONS`].
//! Needs the packages that `cargo xtask setup` installs, and fails without them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use appliance_config::{
    Environment, FileKind, Inputs, Severity, check, read_addns, read_conf, read_kasp, read_zonelist,
};

/// Fixtures and examples (by conf, kasp or zonelist file) where ours says something else.
const DEVIATIONS: &[(&str, &str)] = &[
    ("kasp-weeks", "weeks are read (with a warning); the schema refuses them"),
    ("kasp-negative", "a negative duration is an error; the checker computes with it"),
    ("kasp-dsa", "no zone can be signed with DSA (RFC 9904); the checker knows no algorithms"),
    ("kasp-doctype", "a DOCTYPE is refused; libxml reads it"),
    ("kasp-century", "above 2^31-1 seconds is an error; the checker's integer wraps"),
    ("conf-mysql", "MySQL is refused at start, so it is an error here; the check is commented out"),
    ("conf-interval", "1.x to 2.0 form, accepted with a warning"),
    ("conf-label-long", "PKCS#11 labels have 32 octets; the checker does not look"),
    ("zonelist-duplicate-zone", "a zone listed twice is an error; the checker does not look"),
    ("zonelist-adapter-unknown", "only File and DNS exist; the checker does not look"),
    (
        "kasp-zsk-missing",
        "a ZSK without KSK of its algorithm is an error; the checker does not look",
    ),
    ("default/conf", "our own <BuiltIn/> repository"),
    ("lab/conf", "our own <BuiltIn/> repository"),
    ("opendnssec-1.1/conf", "1.x form, accepted with warnings"),
    ("opendnssec-1.1/kasp", "1.x form, accepted with warnings"),
];

struct RealWorld;

impl Environment for RealWorld {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(path).ok()
    }
    fn kind(&self, path: &str) -> FileKind {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => FileKind::File,
            Ok(found) if found.is_dir() => FileKind::Directory,
            Ok(_) => FileKind::Other,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileKind::Missing,
            Err(error) => {
                // The number after it is Rust's own.
                let text = error.to_string();
                let reason = text.split(" (os error").next().unwrap_or_default().to_owned();
                FileKind::Unknown { reason }
            }
        }
    }
    fn datastore_kind(&self, path: &str) -> FileKind {
        self.kind(path)
    }
    fn user_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::User::from_name(name), Ok(Some(_)))
    }
    fn group_exists(&self, name: &str) -> bool {
        matches!(nix::unistd::Group::from_name(name), Ok(Some(_)))
    }
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; run cargo xtask setup"))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

/// (key in the table of deviations, conf, kasp, zonelist) of every comparison.
fn cases() -> Vec<(String, [PathBuf; 3])> {
    let kinds = ["conf", "kasp", "zonelist"];
    let good = kinds.map(|kind| fixtures().join(format!("{kind}-good.xml")));
    let mut cases = Vec::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let key = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let kind = kinds.iter().position(|kind| key.starts_with(kind)).unwrap();
        let mut files = good.clone();
        files[kind] = path;
        cases.push((key, files));
    }
    for example in ["default", "lab", "tld-optout", "opendnssec-1.1"] {
        for (kind, name) in kinds.iter().enumerate() {
            let mut files = good.clone();
            files[kind] = examples().join(example).join(format!("{name}.xml"));
            // A zone list needs the policies that it names.
            if *name != "conf" {
                files[1] = examples().join(example).join("kasp.xml");
                files[2] = examples().join(example).join("zonelist.xml");
            }
            cases.push((format!("{example}/{name}"), files));
        }
    }
    assert!(cases.len() > 60, "only {} comparisons", cases.len());
    cases.sort();
    cases
}

/// What is different between the two, if anything.
fn difference(files: &[PathBuf; 3]) -> Option<String> {
    let [conf, kasp, zonelist] = files.each_ref().map(|path| path.to_str().unwrap());
    let theirs = run("ods-kaspcheck", &["-c", conf, "-k", kasp, "-z", zonelist]);
    let ours = check(&Inputs { conf, kasp: Some(kasp), zonelist: Some(zonelist) }, &RealWorld);
    let status = theirs.status.code().unwrap();
    let their_text = String::from_utf8_lossy(&theirs.stdout).into_owned();
    let their_lines: BTreeSet<&str> = their_text.lines().collect();
    let our_lines: BTreeSet<&str> = ours.lines.iter().map(|line| line.text.as_str()).collect();
    let missing: Vec<&&str> = their_lines.difference(&our_lines).collect();
    // Warnings of our own are welcome; everything else must be theirs too.
    let extra: Vec<&str> = ours
        .lines
        .iter()
        .filter(|line| !matches!(line.severity, Severity::Warning | Severity::Detail))
        .map(|line| line.text.as_str())
        .filter(|text| !their_lines.contains(text))
        .collect();
    if missing.is_empty() && extra.is_empty() && status as usize == ours.error_count() {
        return None;
    }
    let count = ours.error_count();
    Some(format!("status {status} here {count}; missing {missing:#?}; extra {extra:#?}"))
}

#[test]
fn kaspcheck_says_what_opendnssec_says() {
    let mut wrong = String::new();
    for (key, files) in cases() {
        // A list of zones is judged together with its policies, which may deviate themselves.
        let listed = |key: &str| DEVIATIONS.iter().any(|(name, _)| *name == key);
        let with_policies = key.replace("zonelist", "kasp");
        let deviates = listed(&key) || (key.contains('/') && listed(&with_policies));
        match difference(&files) {
            Some(text) if !deviates => wrong += &format!("{key}: {text}\n"),
            None if deviates => wrong += &format!("{key} is listed, but does not deviate\n"),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Where the schema and our tables differ without a word of ours.
const SCHEMA_DEVIATIONS: &[&str] = &[
    // Values that the schema cannot judge, and the DOCTYPE that it does not see.
    "kasp-century",
    "kasp-doctype",
    "kasp-dsa",
    "kasp-duplicate-policy",
    "kasp-fraction",
    "kasp-negative",
    "kasp-nsec3-hash",
    "conf-label-long",
    "conf-same-name",
    "zonelist-adapter-unknown",
    "zonelist-duplicate-zone",
];

#[test]
fn tables_accept_what_the_schemas_accept() {
    let mut wrong = String::new();
    for (key, files) in cases() {
        let kinds = ["conf", "kasp", "zonelist"];
        let kind = kinds.into_iter().find(|kind| key.contains(kind)).unwrap();
        let path = &files[kinds.iter().position(|other| *other == kind).unwrap()];
        let file = path.to_str().unwrap();
        let schema = format!("/usr/share/opendnssec/{kind}.rng");
        assert!(Path::new(&schema).exists(), "{schema} is missing; run cargo xtask setup");
        let schema_accepts =
            run("xmllint", &["--noout", "--relaxng", &schema, file]).status.success();
        let bytes = fs::read(path).unwrap();
        let notices = match kind {
            "conf" => read_conf(file, &bytes).map(|read| read.notices.len()),
            "kasp" => read_kasp(file, &bytes).map(|read| read.notices.len()),
            _ => read_zonelist(file, &bytes).map(|read| read.notices.len()),
        };
        let is_ours = String::from_utf8_lossy(&bytes).contains("<BuiltIn/>");
        let agrees = match notices {
            Ok(0) => schema_accepts || is_ours,
            Ok(_) => true,
            Err(_) => !schema_accepts,
        };
        if agrees == SCHEMA_DEVIATIONS.contains(&key.as_str()) {
            wrong += &format!("{key}: schema accepts: {schema_accepts}, ours: {notices:?}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// addns.xml: what of the package's own sample is replaced, by what.
const ADDNS_EDITS: &[(&str, &str)] = &[
    ("", ""),
    ("<Port>5353</Port>", "<Port>0</Port>"),
    ("<Port>5353</Port>", "<Port>65536</Port>"),
    ("<Port>5353</Port>", "<Port> 65535 </Port>"),
    ("<Address>1.2.3.4</Address>", ""),
    ("<Prefix>1.2.3.4</Prefix>", ""),
    ("<Algorithm>hmac-sha256</Algorithm>", ""),
    ("sw0nMPCs", "sw0nMPC*"),
    ("sw0nMPCs", "sw0nMPCs\n\t"),
    ("BwQ=", "BwQ"),
    ("<Inbound>", "<Inbound/><Inbound>"),
    ("</Inbound>", "</Inbound><TSIG/>"),
    ("<Name>", "<Key/><Name>"),
    ("</Outbound>", "<Notify/></Outbound>"),
    ("<AllowNotify>", "<AllowNotify/><AllowNotify>"),
    ("<DNS>", "<DNS/><DNS>"),
    ("<DNS>", "<DNS mode='x'>"),
    ("Adapter>", "Adaptor>"),
];

/// OpenDNSSEC's sample of an addns.xml works as it is, and whatever the schema refuses is refused.
#[test]
fn addns_is_accepted_as_the_schema_accepts_it() {
    let folder = Path::new("/usr/share/opendnssec");
    let sample = fs::read_to_string(folder.join("addns.xml"))
        .unwrap_or_else(|error| panic!("addns.xml: {error}; run cargo xtask setup"));
    assert_eq!(read_addns("addns.xml", sample.as_bytes()).unwrap().notices, []);
    let schema = folder.join("addns.rng");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("addns-edited.xml");
    let mut accepted = 0;
    for (from, to) in ADDNS_EDITS {
        assert!(sample.contains(from), "{from}");
        let text = sample.replacen(from, to, if from.starts_with("Adapter") { 2 } else { 1 });
        fs::write(&path, &text).unwrap();
        let arguments = ["--noout", "--relaxng", schema.to_str().unwrap(), path.to_str().unwrap()];
        let schema_accepts = run("xmllint", &arguments).status.success();
        let ours = read_addns("addns.xml", text.as_bytes());
        assert_eq!(schema_accepts, ours.is_ok(), "{to}: {ours:?}");
        accepted += usize::from(schema_accepts);
    }
    assert!((3..ADDNS_EDITS.len() - 3).contains(&accepted), "{accepted} are accepted");
}
