//! The shipped examples say what they promise.

use std::fs;
use std::path::Path;

use appliance_config::{
    Adapter, Datastore, Read, RepositoryKind, TokenSecret, read_addns, read_conf, read_kasp,
    read_zonefetch, read_zonelist,
};
use dnssec::policy::{AuditMode, DenialPolicy, Policy};
use dnssec::zone::load::Limits;
use dnssec::{Algorithm, Name, Seconds};

fn bytes(example: &str, file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(example).join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[track_caller]
fn fine<T, E: std::fmt::Display>(result: Result<Read<T>, E>) -> (T, Vec<String>) {
    let read = result.unwrap_or_else(|faults| panic!("{faults}"));
    (read.value, read.notices.iter().map(|notice| notice.fault.to_string()).collect())
}

#[test]
fn default_is_the_policy_of_anchorite_sign() {
    let (policies, notices) = fine(read_kasp("kasp.xml", &bytes("default", "kasp.xml")));
    assert_eq!(policies, [Policy::anchorite_default("built-in")]);
    assert!(notices.is_empty());
    let (conf, notices) = fine(read_conf("conf.xml", &bytes("default", "conf.xml")));
    assert!(notices.is_empty());
    let token = &conf.repositories[0];
    assert_eq!(token.name, "built-in");
    let directory = "/var/lib/opendnssec/tokens/built-in".into();
    assert_eq!(token.kind, RepositoryKind::BuiltIn { directory });
    assert!(matches!(&token.secret, TokenSecret::Pin(pin) if pin.expose() == "1234"));
    assert!(!format!("{conf:?}").contains("1234"), "a PIN is never printed");
    assert_eq!(conf.enforcer.pid_file, Path::new("/run/opendnssec/enforcerd.pid"));
    assert!(!conf.enforcer.allow_deprecated_algorithms);
}

#[test]
fn every_zone_and_key_finds_its_policy_and_repository() {
    for example in ["default", "lab", "tld-optout", "opendnssec-1.1"] {
        let (conf, _) = fine(read_conf("conf.xml", &bytes(example, "conf.xml")));
        let (policies, _) = fine(read_kasp("kasp.xml", &bytes(example, "kasp.xml")));
        let (list, _) = fine(read_zonelist("zonelist.xml", &bytes(example, "zonelist.xml")));
        assert_eq!(list.zones.len(), 1, "{example}");
        for zone in &list.zones {
            assert!(policies.iter().any(|policy| policy.name == zone.policy), "{example}");
        }
        for key in policies.iter().flat_map(|policy| &policy.keys.keys) {
            let found = conf.repositories.iter().any(|one| one.name == key.repository);
            assert!(found, "{example}: {}", key.repository);
        }
        assert!(matches!(conf.enforcer.datastore, Datastore::Sqlite(_)), "{example}");
    }
}

#[test]
fn tld_opts_out() {
    let (policies, notices) = fine(read_kasp("kasp.xml", &bytes("tld-optout", "kasp.xml")));
    assert!(notices.is_empty());
    assert!(matches!(&policies[0].denial, DenialPolicy::Nsec3(nsec3)
        if nsec3.opt_out && nsec3.iterations == 0 && nsec3.salt_length == 0));
    let (list, _) = fine(read_zonelist("z", &bytes("tld-optout", "zonelist.xml")));
    assert_eq!(list.zones[0].input, Adapter::Dns("/etc/opendnssec/addns.xml".into()));
}

#[test]
fn opendnssec_1_1_works_with_warnings() {
    let (conf, notices) = fine(read_conf("conf.xml", &bytes("opendnssec-1.1", "conf.xml")));
    assert_eq!(conf.enforcer.interval, Some(Seconds(3600)));
    for element in ["Interval", "ToolsDirectory", "Auditor", "ZoneFetchFile"] {
        assert!(notices.iter().any(|text| text.contains(&format!("<{element}>"))), "{element}");
    }
    let (policies, _) = fine(read_kasp("kasp.xml", &bytes("opendnssec-1.1", "kasp.xml")));
    assert_eq!(policies[0].audit, AuditMode::Full);
    assert_eq!(policies[0].keys.keys[0].algorithm, Algorithm::RsaSha1Nsec3Sha1);
    assert_eq!(policies[0].keys.keys[1].length_bits, Some(1024));
    let (list, _) = fine(read_zonelist("z", &bytes("opendnssec-1.1", "zonelist.xml")));
    let zone = &list.zones[0];
    assert_eq!(zone.name, Name::parse(b"example.com.", None).unwrap());
    assert_eq!(zone.output, Adapter::File("/var/lib/opendnssec/signed/example.com".into()));
}

/// Every example of the manual's page on transfers is read without a word.
#[test]
fn transfers_of_the_manual_are_read() {
    let manual = String::from_utf8(bytes("../docs/src", "transfers.md")).unwrap();
    let conf = String::from_utf8(bytes("default", "conf.xml")).unwrap();
    let (before, after) = conf.split_once("<Signer>").unwrap();
    let (_, after) = after.split_once("</Signer>").unwrap();
    let blocks = manual.split("```xml\n").skip(1);
    let examples: Vec<&str> = blocks.map(|block| block.split("```").next().unwrap()).collect();
    let mut listeners = 0;
    for example in &examples {
        let notices = match example.split('>').next().unwrap() {
            "<Adapter" => fine(read_addns("a", example.as_bytes())).1,
            "<ZoneList" => fine(read_zonelist("z", example.as_bytes())).1,
            "<Outbound" => {
                let text = format!("<Adapter><DNS>{example}</DNS></Adapter>");
                fine(read_addns("a", text.as_bytes())).1
            }
            "<Signer" => {
                let text = format!("{before}{example}{after}");
                let (conf, notices) = fine(read_conf("c", text.as_bytes()));
                listeners += conf.signer.listener.unwrap().len();
                notices
            }
            other => panic!("{other}> is no example that is read"),
        };
        assert_eq!(notices, [""; 0], "{example}");
    }
    assert_eq!((examples.len(), listeners), (6, 2));
    fine(read_zonefetch("f", &bytes("opendnssec-1.1", "zonefetch.xml")));
}

/// The manual's example of `<Limits>` and its table of defaults say what the program does.
#[test]
fn limits_of_the_manual_are_read() {
    let conf = String::from_utf8(bytes("default", "conf.xml")).unwrap();
    assert_eq!(fine(read_conf("conf.xml", conf.as_bytes())).0.signer.limits, Limits::default());
    let manual = String::from_utf8(bytes("../docs/src", "configuration.md")).unwrap();
    let (_, example) = manual.split_once("```xml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let (before, after) = conf.split_once("<Signer>").unwrap();
    let (_, after) = after.split_once("</Signer>").unwrap();
    let (conf, notices) = fine(read_conf("c", format!("{before}{example}{after}").as_bytes()));
    assert!(notices.is_empty());
    let expected = Limits {
        record_count_max: 2_000_000,
        byte_count_max: 500_000_000,
        rrset_record_count_max: 1000,
    };
    assert_eq!(conf.signer.limits, expected);
    let Limits { record_count_max, byte_count_max, rrset_record_count_max } = Limits::default();
    for default in [record_count_max, byte_count_max, rrset_record_count_max as u64] {
        let digits = manual.replace(',', "");
        assert!(digits.contains(&format!("| {default} ")), "the manual lacks {default}");
    }
}
