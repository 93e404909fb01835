//! Settings out of the examples, and out of files with one thing wrong each.

use super::*;
use dnssec::zone::load::Limits;
use std::fs;
use tempfile::TempDir;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");

/// A folder with the files of an example, which name each other there.
fn installation(example: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().to_str().unwrap();
    for name in ["conf.xml", "kasp.xml", "zonelist.xml", "addns.xml", "zonefetch.xml"] {
        let Ok(text) = fs::read_to_string(format!("{EXAMPLES}/{example}/{name}")) else { continue };
        let text = text.replace("/etc/opendnssec", there).replace("/var/lib/opendnssec", there);
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Replaces text that must be there.
fn edit(folder: &TempDir, name: &str, from: &str, to: &str) {
    let path = folder.path().join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn good(folder: &TempDir) -> (Settings, Vec<Notice>) {
    read_settings(&folder.path().join("conf.xml")).unwrap_or_else(|error| panic!("{error}"))
}

/// The error, with the folder's name taken out.
fn error(folder: &TempDir) -> (SettingsError, String) {
    let error = read_settings(&folder.path().join("conf.xml")).unwrap_err();
    let text = error.to_string().replace(folder.path().to_str().unwrap(), "");
    (error, text)
}

#[track_caller]
fn check_notice(folder: &TempDir, zones: usize, expected: &str) {
    let (settings, notices) = good(folder);
    assert_eq!(settings.zones.len(), zones);
    let here = folder.path().to_str().unwrap();
    let texts: Vec<String> = notices.iter().map(|one| one.to_string().replace(here, "")).collect();
    assert!(texts.iter().any(|text| text == expected), "{texts:#?}");
    assert!(notices.iter().any(Notice::is_error));
}

#[test]
fn default_example() {
    let folder = installation("default");
    let at = |name: &str| folder.path().join(name);
    let (settings, notices) = good(&folder);
    assert_eq!(notices, []);
    assert_eq!(settings.state_file, at("kasp.db.redb"));
    assert_eq!(settings.snapshot_folder, at("signer/snapshots"));
    assert_eq!(settings.verbosity, 3);
    assert!(settings.worker_count >= 1 && !settings.allow_deprecated);
    assert_eq!(settings.notify_command, None);
    let [repository] = settings.repositories.as_slice() else { panic!("one repository") };
    let TokenSettings::BuiltIn { label, folder: token_folder, unlock } = &repository.token else {
        panic!("{repository:?}")
    };
    assert_eq!((repository.name.as_str(), label.as_str()), ("built-in", "Anchorite"));
    assert_eq!(token_folder, &at("tokens/built-in"));
    assert!(matches!(unlock, Unlock::Pin(_)));
    let [zone] = settings.zones.as_slice() else { panic!("one zone") };
    assert_eq!(
        (zone_text(&zone.name).as_str(), zone.policy.name.as_str()),
        ("example.com", "default")
    );
    assert_eq!(
        (zone.input_file(), zone.output_file()),
        (Some(at("unsigned/example.com").as_path()), Some(at("signed/example.com").as_path()))
    );
}

#[test]
fn other_examples() {
    for example in ["lab", "opendnssec-1.1"] {
        let (settings, notices) = good(&installation(example));
        assert_eq!(settings.zones.len(), 1, "{example}: {notices:?}");
        assert!(!notices.iter().any(Notice::is_error), "{example}: {notices:?}");
    }
    let (settings, notices) = good(&installation("opendnssec-1.1"));
    assert!(!notices.is_empty());
    assert!(matches!(settings.repositories[0].token, TokenSettings::Pkcs11 { .. }));
}

/// The folder, with a zone more whose adapters are as given.
fn with_zone(folder: &TempDir, input: &str, output: &str) {
    let zone = format!(
        "<Zone name=\"example.net\">\n<Policy>default</Policy><SignerConfiguration>s.xml\
         </SignerConfiguration><Adapters><Input>{input}</Input><Output>{output}</Output>\
         </Adapters></Zone></ZoneList>"
    );
    edit(folder, "zonelist.xml", "</ZoneList>", &zone);
}

const FILE: &str = "<Adapter type=\"File\">in</Adapter>";

#[test]
fn zones_with_dns_adapters_are_transferred() {
    let (settings, notices) = good(&installation("tld-optout"));
    assert!(!notices.iter().any(Notice::is_error), "{notices:?}");
    let [zone] = settings.zones.as_slice() else { panic!("{:?}", settings.zones) };
    let ZoneInput::Transfer(inbound) = &zone.input else { panic!("{zone:?}") };
    let ZoneOutput::Dns(outbound) = &zone.output else { panic!("{zone:?}") };
    assert_eq!((inbound.masters.len(), outbound.notify.len()), (2, 2));
    assert_eq!((zone.input_file(), zone.output_file()), (None, None));
    let [listener] = settings.listeners.as_slice() else { panic!("{:?}", settings.listeners) };
    assert_eq!((listener.address, listener.port), (Some([127, 0, 0, 1].into()), 53));
}

/// Both directions of a zone may be of another kind, and nobody listens by default.
#[test]
fn transfers_without_listener_are_noticed() {
    let folder = installation("default");
    fs::write(folder.path().join("addns.xml"), "<Adapter><DNS/></Adapter>").unwrap();
    let addns = format!("<Adapter type=\"DNS\">{}/addns.xml</Adapter>", folder.path().display());
    with_zone(&folder, FILE, &addns);
    let (settings, notices) = good(&folder);
    let zone = &settings.zones[1];
    assert_eq!(zone.input_file(), Some(folder.path().join("signer/in").as_path()));
    assert_eq!(zone.output, ZoneOutput::Dns(Arc::default()));
    assert!(settings.listeners.is_empty());
    let [notice] = notices.as_slice() else { panic!("{notices:?}") };
    assert!(!notice.is_error());
    assert!(notice.to_string().starts_with("no dnshandler/listener configured, but zones are"));
}

#[test]
fn a_fault_in_addns_xml_leaves_its_zones_out() {
    let folder = installation("default");
    let addns = folder.path().join("addns.xml");
    let adapter = format!("<Adapter type=\"DNS\">{}</Adapter>", addns.display());
    with_zone(&folder, &adapter, FILE);
    let left_out = "/zonelist.xml: zone example.net is left out: ";
    let missing = format!("{left_out}cannot read /addns.xml: entity not found");
    check_notice(&folder, 1, &missing);
    fs::write(&addns, "<Adapter><DNS><Inbound/></DNS></Adapter>").unwrap();
    let no_master = "its <Input> /addns.xml has neither <RequestTransfer> nor <AllowUpdate> in \
                     <Inbound>, so it would never get any content";
    check_notice(&folder, 1, &format!("{left_out}{no_master}"));
    let peers = "<Peer><Prefix>x</Prefix></Peer><Peer><Key>k</Key></Peer>";
    let inbound = format!("<Inbound>\n<AllowNotify>{peers}</AllowNotify></Inbound>");
    fs::write(&addns, format!("<Adapter><DNS>{inbound}</DNS></Adapter>")).unwrap();
    let faults = "/addns.xml:2:28: 'x' is not an IP address; a prefix is an address, \
                  address/bits, address&mask or first-last (and 1 more)";
    check_notice(&folder, 1, &format!("{left_out}{faults}"));
}

/// As in 1.x: what is fetched takes the place of every input file.
#[test]
fn zonefetch_is_the_input_of_every_zone() {
    let (settings, _) = good(&installation("opendnssec-1.1"));
    let [zone] = settings.zones.as_slice() else { panic!("{:?}", settings.zones) };
    let ZoneInput::Transfer(inbound) = &zone.input else { panic!("{zone:?}") };
    assert_eq!(inbound.masters[0].address, "192.0.2.2:53".parse().unwrap());
    assert!(zone.output_file().is_some());
    let [listener] = settings.listeners.as_slice() else { panic!("{:?}", settings.listeners) };
    assert_eq!((listener.address, listener.port), (None, 53));
    let folder = installation("opendnssec-1.1");
    edit(&folder, "zonefetch.xml", "192.0.2.2", "ns.example");
    let (error, text) = error(&folder);
    assert!(matches!(error, SettingsError::ZoneFetch(_)), "{error:?}");
    assert!(text.contains("'ns.example' is not an IP address"), "{text}");
}

#[test]
fn a_repository_without_pin_takes_its_zones_with_it() {
    let folder = installation("default");
    edit(&folder, "conf.xml", "<PIN>1234</PIN>", "");
    check_notice(
        &folder,
        0,
        "/conf.xml: repository built-in has no <PIN> and nobody has logged in, so it is left out; \
         run \"ods-hsmutil login\" as the daemon's user and start again, or give a <PIN> (or, with \
         <BuiltIn/>, a <KeyFile>)",
    );
    check_notice(
        &folder,
        0,
        "/zonelist.xml: zone example.com is left out: its policy default has a key in the \
         repository built-in, which is left out",
    );
}

#[test]
fn key_file_opens_the_built_in_token() {
    let folder = installation("default");
    edit(&folder, "conf.xml", "<PIN>1234</PIN>", "<KeyFile>/k</KeyFile>");
    let (settings, _) = good(&folder);
    let TokenSettings::BuiltIn { unlock: Unlock::KeyFile(path), .. } =
        &settings.repositories[0].token
    else {
        panic!("{:?}", settings.repositories)
    };
    assert_eq!(path, Path::new("/k"));
}

#[test]
fn limits_reach_every_zone() {
    let folder = installation("default");
    let (settings, _) = good(&folder);
    assert_eq!(settings.zones[0].limits, Limits::default());
    let given = "<Signer><Limits><Bytes>5000000</Bytes><Records>70000</Records>\
                 <RecordsPerRRset>99</RecordsPerRRset></Limits>";
    edit(&folder, "conf.xml", "<Signer>", given);
    let (settings, _) = good(&folder);
    let expected =
        Limits { record_count_max: 70_000, byte_count_max: 5_000_000, rrset_record_count_max: 99 };
    assert_eq!(settings.zones[0].limits, expected);
}

#[test]
fn output_over_input_is_refused() {
    let folder = installation("default");
    edit(&folder, "zonelist.xml", "/signed/", "/unsigned/");
    check_notice(
        &folder,
        0,
        "/zonelist.xml: zone example.com is left out: <Input> and <Output> are the same file, \
         /unsigned/example.com; give the output another path",
    );
}

#[test]
fn relative_zone_files_are_below_the_signers_working_directory() {
    let folder = installation("default");
    let here = folder.path().to_str().unwrap();
    edit(&folder, "zonelist.xml", &format!("{here}/signed/"), "out/");
    let (settings, _) = good(&folder);
    let output = folder.path().join("signer/out/example.com");
    assert_eq!(settings.zones[0].output, ZoneOutput::File(output));
}

#[test]
fn unknown_policy() {
    let folder = installation("default");
    edit(&folder, "zonelist.xml", "<Policy>default<", "<Policy>gold<");
    let (error, text) = error(&folder);
    assert!(matches!(error, SettingsError::UnknownPolicy { .. }));
    assert_eq!(
        text,
        "/zonelist.xml: zone example.com has the policy gold, which /kasp.xml does not have; it \
         has: default"
    );
}

#[test]
fn unknown_repository() {
    let folder = installation("default");
    edit(&folder, "conf.xml", "name=\"built-in\"", "name=\"other\"");
    let (error, text) = error(&folder);
    assert!(matches!(error, SettingsError::UnknownRepository { .. }));
    assert_eq!(
        text,
        "/kasp.xml: policy default has a key in the repository built-in, which /conf.xml does not \
         have; it has: other"
    );
}

#[test]
fn mysql_is_refused() {
    let folder = installation("default");
    let sqlite = format!("<SQLite>{}/kasp.db</SQLite>", folder.path().display());
    let mysql = "<MySQL><Host>db.example</Host><Database>ods</Database>\
        <Username>u</Username><Password>p</Password></MySQL>";
    edit(&folder, "conf.xml", &sqlite, mysql);
    let (error, text) = error(&folder);
    assert!(matches!(error, SettingsError::MySql { .. }));
    assert!(text.contains("(database ods on db.example) is not supported"), "{text}");
}

#[test]
fn missing_files_are_named() {
    for name in ["conf.xml", "kasp.xml", "zonelist.xml"] {
        let folder = installation("default");
        fs::remove_file(folder.path().join(name)).unwrap();
        let (error, text) = error(&folder);
        assert!(matches!(error, SettingsError::File(_)));
        assert_eq!(text, format!("cannot read /{name}: No such file or directory (os error 2)"));
    }
}

#[track_caller]
fn check_faults(name: &str, from: &str, to: &str, expected: &str) {
    let folder = installation("default");
    edit(&folder, name, from, to);
    let (error, text) = error(&folder);
    assert!(matches!(error, SettingsError::Faults(_)), "{error}");
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with('^'), "{text}");
}

#[test]
fn faults_have_a_place_and_a_caret() {
    check_faults("conf.xml", "<Common>", "<Commons>", "/conf.xml:");
    let zone = fs::read_to_string(format!("{EXAMPLES}/default/zonelist.xml")).unwrap();
    let zone = &zone[zone.find("<Zone ").unwrap()..];
    check_faults("zonelist.xml", "</ZoneList>", zone, "/zonelist.xml:16:1: ");
    let policies = fs::read_to_string(format!("{EXAMPLES}/default/kasp.xml")).unwrap();
    let policy = &policies[policies.find("<Policy ").unwrap()..];
    check_faults("kasp.xml", "</KASP>", policy, "/kasp.xml:");
}

#[test]
fn long_lists_are_cut() {
    let names: Vec<String> = (0..25).map(|number| format!("p{number}")).collect();
    let text = listed(names.iter().map(String::as_str));
    assert!(text.ends_with("p18, p19 and 5 more"), "{text}");
    assert_eq!(listed([].into_iter()), "none");
}

/// The default example with its repository and a second one in the group `pair`.
fn pair(folder: &TempDir) {
    let second = "<Repository name=\"second\"><BuiltIn/><PIN>1234</PIN></Repository>\
        <RepositoryGroup name=\"pair\"><Member>built-in</Member><Member>second</Member>\
        </RepositoryGroup></RepositoryList>";
    edit(folder, "conf.xml", "</RepositoryList>", second);
}

#[test]
fn members_are_in_their_group_and_nowhere_else() {
    let folder = installation("default");
    pair(&folder);
    let (wrong, text) = error(&folder);
    assert!(matches!(wrong, SettingsError::MemberRepository { .. }));
    assert_eq!(
        text,
        "/kasp.xml: policy default has a key in the repository built-in, which is a member of the \
         repository group pair; a key in it alone would be in no other member: name the group"
    );
    edit(&folder, "kasp.xml", ">built-in<", ">pair<");
    let (settings, notices) = good(&folder);
    assert_eq!((settings.zones.len(), notices.len()), (1, 0));
    let [group] = settings.repositories.as_slice() else { panic!("{:?}", settings.repositories) };
    let TokenSettings::Group { members, quorum, recorded } = &group.token else {
        panic!("{group:?}")
    };
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!((group.name.as_str(), names), ("pair", vec!["built-in", "second"]));
    assert_eq!((*quorum, recorded.len()), (2, 0));

    // A member that cannot be opened is missed in the quorum, and the zone still is signed.
    edit(&folder, "conf.xml", "<BuiltIn/><PIN>1234</PIN>", "<BuiltIn/>");
    let (settings, notices) = good(&folder);
    assert!(matches!(notices.as_slice(), [Notice::RepositoryWithoutPin { .. }]), "{notices:?}");
    let TokenSettings::Group { members, quorum, .. } = &settings.repositories[0].token else {
        panic!("{:?}", settings.repositories)
    };
    assert_eq!((members.len(), *quorum, settings.zones.len()), (1, 2, 1));
}
