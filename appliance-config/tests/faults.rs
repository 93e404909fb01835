//! Every fault is reached, at the right place and with the right words; no bytes make us panic.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use appliance_config::{
    ATTRIBUTES_MAX, ELEMENTS_MAX, FAULTS_MAX, FILE_BYTES_MAX, FileFaults, add_zone, read_addns,
    read_conf, read_kasp, read_zonefetch, read_zonelist, remove_zone,
};
use expect_test::expect;
use proptest::prelude::*;

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    fs::read_to_string(path).unwrap()
}

/// Long lines broken at spaces, to fit into this file.
fn wrap(text: &str) -> String {
    let mut wrapped = String::new();
    for line in text.lines() {
        let mut width = 0;
        for word in line.split_inclusive(' ') {
            if width > 0 && width + word.len() > 84 && line.trim_start().len() > 84 {
                wrapped.truncate(wrapped.trim_end().len());
                wrapped += "\n      ";
                width = 6;
            }
            wrapped += word;
            width += word.len();
        }
        wrapped += "\n";
    }
    wrapped
}

/// Faults and notices of a file of any kind, told by its name.
fn read(file: &str, bytes: &[u8]) -> FileFaults {
    let notices = match file {
        "conf.xml" => read_conf(file, bytes).map(|read| read.notices),
        "kasp.xml" => read_kasp(file, bytes).map(|read| read.notices),
        "addns.xml" => read_addns(file, bytes).map(|read| read.notices),
        "zonefetch.xml" => read_zonefetch(file, bytes).map(|read| read.notices),
        _ => read_zonelist(file, bytes).map(|read| read.notices),
    };
    notices.map_or_else(|faults| faults, |notices| FileFaults { faults: Vec::new(), notices })
}

/// The example with the first `from` replaced.
fn edited(file: &str, from: &str, to: &str) -> Vec<u8> {
    let folder =
        if file == "kasp.xml" || file == "zonelist.xml" { "default" } else { "tld-optout" };
    let text = example(&format!("{folder}/{file}"));
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1).into_bytes()
}

const NINE_CHECKERS: &str = "<Checker><Command>1</Command></Checker>\
    <Checker><Command>2</Command></Checker><Checker><Command>3</Command></Checker>\
    <Checker><Command>4</Command></Checker><Checker><Command>5</Command></Checker>\
    <Checker><Command>6</Command></Checker><Checker><Command>7</Command></Checker>\
    <Checker><Command>8</Command></Checker><Checker><Command>9</Command></Checker></Signer>";

/// (file, replaced, by, the message without file and line).
const EDITS: &[(&str, &str, &str, &str)] = &[
    (
        "conf.xml",
        "</Signer>",
        "<Checker><Command>/bin/true</Command><Timeout>PT0S</Timeout></Checker></Signer>",
        "a checker's <Timeout> is longer than nothing, and 1800 seconds at most",
    ),
    ("conf.xml", "</Signer>", NINE_CHECKERS, "more than 8 <Checker>s"),
    ("kasp.xml", "<KASP>", "<!DOCTYPE x><KASP>", "a DOCTYPE is not accepted"),
    ("kasp.xml", "ECDSA", "&day;", "entity &day; is not accepted"),
    ("kasp.xml", "ECDSA", "&#1;", "&#1; is not a character"),
    ("kasp.xml", "ECDSA", "\u{1}", "control character 0x01"),
    ("kasp.xml", "</Keys>", "</Keyz>", "expected `</Keys>`"),
    ("kasp.xml", "</KASP>", "", "<KASP> is never closed"),
    ("kasp.xml", "</KASP>", "</KASP>x", "text outside of the top element"),
    ("kasp.xml", "</KASP>", "</KASP><KASP/>", "only one element may stand at the top"),
    ("kasp.xml", "UTF-8\"?>", "latin1\"?><!-- \u{e9} -->", "encoding latin1 is not supported"),
    ("kasp.xml", "<Keys>", "<Keys><Foo/>", "unknown element <Foo> in <Keys>; allowed here: <TTL>,"),
    (
        "kasp.xml",
        "<Policy name",
        "<Policy nam",
        "unknown attribute nam in <Policy>; allowed here: name",
    ),
    ("kasp.xml", "<Policy name", "<Policy nam", "missing attribute name in <Policy>"),
    ("kasp.xml", "<TTL>PT3600S</TTL>", "", "missing element <TTL> in <Keys>"),
    ("kasp.xml", "<NSEC3>", "<NSEC/><NSEC3>", "only one of <NSEC>, <NSEC3> may stand in <Denial>"),
    ("kasp.xml", "<Resign>", "<Resign>P1D</Resign><Resign>", "<Resign> may stand only once"),
    (
        "kasp.xml",
        "<Refresh>",
        "<Jitter>P1D</Jitter><Refresh>",
        "<Refresh> in <Signatures> must stand before <Jitter>",
    ),
    ("kasp.xml", "<Keys>", "<Keys>text", "text is not allowed in <Keys>"),
    (
        "kasp.xml",
        "P3D",
        "three days",
        "'three days' is not allowed in <Refresh>; expected a duration",
    ),
    ("kasp.xml", "P3D", "-P3D", "Signatures/Refresh (-P3D): a duration cannot be negative"),
    ("kasp.xml", ">13<", ">6<", "zones cannot be signed with algorithm 6: DSA"),
    ("kasp.xml", "<Algorithm length=\"256\">13", "<Algorithm>8", "algorithm 8 needs a key length"),
    ("kasp.xml", "<Algorithm>1<", "<Algorithm>2<", "NSEC3 hash algorithm 2 does not exist"),
    ("kasp.xml", "<Algorithm length=\"256\">", "<Algorithm>", "missing attribute length"),
    ("kasp.xml", "P14D", "P2W", "weeks are understood here"),
    (
        "kasp.xml",
        "</Parent>",
        "</Parent><Audit/>",
        "element <Audit> in <Policy> is of OpenDNSSEC 1.1",
    ),
    ("zonelist.xml", "example.com", "a..b", "'a..b' is not a zone name"),
    ("zonelist.xml", "\"File\"", "\"Pigeon\"", "adapter type 'Pigeon' is unknown"),
    (
        "conf.xml",
        "<SQLite>/var/lib/opendnssec/kasp.db</SQLite>",
        "",
        "missing one of <SQLite>, <MySQL> in <Datastore>",
    ),
    ("conf.xml", "/etc/opendnssec/kasp.xml", "", "<PolicyFile> is empty"),
    ("conf.xml", "<Module>", "<KeyFile>x</KeyFile><Module>", "<KeyFile> goes only with <BuiltIn/>"),
    ("conf.xml", "<PIN>", "<Network>maybe</Network><PIN>", "one of allow, deny"),
    ("conf.xml", "<PIN>", "<KeyFile>x</KeyFile><PIN>", "<PIN> and <KeyFile> exclude each other"),
    ("conf.xml", "OpenDNSSEC<", "A token label of more than 32 octets<", "at most 32 octets"),
    (
        "conf.xml",
        "</RepositoryList>",
        "<Repository name='../x'><BuiltIn/></Repository></RepositoryList>",
        "cannot be a folder name",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<Repository name='SoftHSM'><BuiltIn/></Repository></RepositoryList>",
        "second repository with the name SoftHSM",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<RepositoryGroup name='g'><Member>SoftHSM</Member><Member>B</Member></RepositoryGroup>\
         </RepositoryList>",
        "'B' is no <Repository> of this list, so it cannot be a member; there are: SoftHSM",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<RepositoryGroup name='g'><Member>SoftHSM</Member><Member>SoftHSM</Member>\
         </RepositoryGroup></RepositoryList>",
        "repository SoftHSM is a member of the group g already",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<RepositoryGroup name='g'><Member>SoftHSM</Member></RepositoryGroup></RepositoryList>",
        "a repository group has at least 2 members; g has 1",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<RepositoryGroup name='g'><Member>SoftHSM</Member><Member>SoftHSM</Member>\
         <Quorum>3</Quorum></RepositoryGroup></RepositoryList>",
        "a quorum of 3 is never reached by 2 members; expected at most 2",
    ),
    (
        "conf.xml",
        "</RepositoryList>",
        "<RepositoryGroup name='SoftHSM'/></RepositoryList>",
        "second repository or repository group with the name SoftHSM",
    ),
    ("conf.xml", "127.0.0.1", "localhost", "'localhost' is not an IP address"),
    ("conf.xml", "<TokenLabel>OpenDNSSEC</TokenLabel>", "", "missing element <TokenLabel>"),
    (
        "conf.xml",
        "<SQLite>/var/lib/opendnssec/kasp.db</SQLite>",
        "<MySQL><Host port='1'/><Database>d</Database><Username>u</Username><Password/></MySQL>",
        "attribute port in <Host> is of OpenDNSSEC 1.x",
    ),
    (
        "conf.xml",
        "<Port>53</Port>",
        "<TLS><CertificateFile>c</CertificateFile><KeyFile>/k</KeyFile></TLS>",
        "the path in <CertificateFile> is not absolute",
    ),
    ("addns.xml", "hmac-sha256", "hmac-sha3", "TSIG algorithm 'hmac-sha3' is unknown; allowed:"),
    ("addns.xml", "hmac-sha256", "hmac-md5", "hmac-md5 is only for partners that know no better"),
    ("addns.xml", "sw0nMPCs", "s*0nMPCs", "<Secret> is not base64: invalid symbol at 1"),
    ("addns.xml", "sw0nMPCswVbes1tmQTm1pcMmpNRK+oGMYN+qKNR/BwQ=", "AAAA", "<Secret> has 3 octets"),
    ("addns.xml", "distribution.example<", "a..b<", "'a..b' is not the name of a key"),
    (
        "addns.xml",
        "distribution.example<",
        "other<",
        "no <TSIG> with the <Name> distribution.example in this file; there are: other",
    ),
    ("addns.xml", "192.0.2.1</Prefix>", "192.0.2.1/99</Prefix>", "/99 is not a number of bits"),
    (
        "addns.xml",
        "</AllowNotify>",
        "</AllowNotify><AllowUpdate><Peer><Prefix>::1</Prefix></Peer></AllowUpdate>",
        "a <Peer> of <AllowUpdate> needs a <Key>",
    ),
    ("addns.xml", "<Prefix>192.0.2.1</Prefix>", "", "<AllowNotify> without <Prefix> and <Key> is"),
];

/// How many variants `Fault` has.
const VARIANTS: usize = 59;

#[test]
fn every_fault_is_reached() {
    let mut reached = BTreeSet::new();
    let mut note = |found: &FileFaults| {
        for one in found.faults.iter().chain(&found.notices) {
            let debug = format!("{:?}", one.fault);
            reached.insert(debug.split([' ', '{']).next().unwrap().to_owned());
        }
    };
    for (file, from, to, message) in EDITS {
        let found = read(file, &edited(file, from, to));
        let texts: Vec<String> =
            found.faults.iter().chain(&found.notices).map(|one| one.fault.to_string()).collect();
        assert!(texts.iter().any(|text| text.contains(message)), "{message}: {texts:#?}");
        note(&found);
    }
    let attributes: String = (0..=ATTRIBUTES_MAX).map(|index| format!(" a{index}=''")).collect();
    for (bytes, message) in [
        (vec![b' '; FILE_BYTES_MAX + 1], "the file has 4194305 bytes; at most 4194304 are read"),
        (b"<KASP>\xFF</KASP>".to_vec(), "not UTF-8 text"),
        (b"<Policy/>".to_vec(), "the top element is <Policy>; expected <KASP>"),
        (b"<!-- nothing -->".to_vec(), "no element in the file; expected <KASP>"),
        (format!("<KASP{attributes}/>").into_bytes(), "more than 16 attributes in one element"),
        ("<a>".repeat(65).into_bytes(), "elements nested deeper than 64"),
    ] {
        let found = read("kasp.xml", &bytes);
        assert_eq!(found.faults[0].fault.to_string(), message);
        note(&found);
    }
    let many = format!("<ZoneList>{}</ZoneList>", "<a/>".repeat(ELEMENTS_MAX));
    let found = read("zonelist.xml", many.as_bytes());
    assert_eq!(found.faults[0].fault.to_string(), "more than 2000000 elements in one file");
    note(&found);
    assert_eq!(reached.len(), VARIANTS, "{reached:#?}");
}

#[test]
fn a_fault_shows_its_place() {
    let conf = "<Configuration>\n\t<PIN>1<![CDATA[é]]>2</PIN><Foo/>\n</Configuration>";
    let found = read("conf.xml", conf.as_bytes());
    expect![[r#"
        conf.xml:1:1: missing element <RepositoryList> in <Configuration>
          <Configuration>
          ^^^^^^^^^^^^^^^
        conf.xml:1:1: missing element <Common> in <Configuration>
          <Configuration>
          ^^^^^^^^^^^^^^^
        conf.xml:1:1: missing element <Enforcer> in <Configuration>
          <Configuration>
          ^^^^^^^^^^^^^^^
        conf.xml:2:2: unknown element <PIN> in <Configuration>; allowed here:
              <RepositoryList>, <Common>, <Enforcer>, <Signer>, <CatalogList>
           <PIN>***************</PIN><Foo/>
           ^^^^^
        conf.xml:2:28: unknown element <Foo> in <Configuration>; allowed here:
              <RepositoryList>, <Common>, <Enforcer>, <Signer>, <CatalogList>
           <PIN>***************</PIN><Foo/>
                                     ^^^^^^
    "#]]
    .assert_eq(&wrap(&found.to_string()));
}

/// A conf.xml whose `<Signer>` begins, on line 28, with these limits.
fn with_limits(limits: &str) -> Vec<u8> {
    edited("conf.xml", "<Signer>", &format!("<Signer><Limits>{limits}</Limits>"))
}

#[test]
fn limits_that_cannot_be_are_refused_at_their_place() {
    for (limits, column, message) in [
        ("<Records>0</Records>", 27, "'0' is not allowed in <Records>; expected a number from 1"),
        ("<Records>many</Records>", 27, "'many' is not allowed in <Records>"),
        ("<Records>-1</Records>", 27, "'-1' is not allowed in <Records>"),
        ("<Records>4000000001</Records>", 27, "expected a number from 1 to 4000000000"),
        ("<Records>99999999999999999999</Records>", 27, "expected a number from 1 to 4000000000"),
        ("<Bytes>4095</Bytes>", 25, "expected a number from 4096 to 1099511627776"),
        ("<Bytes>16G</Bytes>", 25, "'16G' is not allowed in <Bytes>"),
        ("<Bytes>1099511627777</Bytes>", 25, "expected a number from 4096 to 1099511627776"),
        ("<RecordsPerRRset>0</RecordsPerRRset>", 35, "expected a number from 1 to 65535"),
        ("<RecordsPerRRset>65536</RecordsPerRRset>", 35, "expected a number from 1 to 65535"),
        ("<Records/>", 18, "'' is not allowed in <Records>"),
        (
            "<Names>1</Names>",
            18,
            "unknown element <Names> in <Limits>; allowed here: <Records>, <Bytes>, \
             <RecordsPerRRset>",
        ),
    ] {
        let found = read("conf.xml", &with_limits(limits));
        let [fault] = found.faults.as_slice() else { panic!("{limits}: {found}") };
        assert!(fault.fault.to_string().contains(message), "{limits}: {found}");
        assert_eq!((fault.line, fault.column), (28, column), "{limits}: {found}");
    }
    let found = read("conf.xml", &with_limits("<Bytes>5000</Bytes><Bytes>5000</Bytes>"));
    assert!(found.to_string().contains("<Bytes> may stand only once in <Limits>"), "{found}");
}

/// A conf.xml with two repositories more, `b` and `c`, and on line 3 these groups.
fn with_groups(groups: &str) -> Vec<u8> {
    let more = |name: &str| format!("<Repository name='{name}'><BuiltIn/></Repository>");
    let text = format!("<Configuration>\n<RepositoryList>{}{}\n{groups}", more("b"), more("c"));
    let bytes = String::from_utf8(edited("conf.xml", "", "")).unwrap();
    let (_, rest) = bytes.split_once("<RepositoryList>").unwrap();
    (text + rest).into_bytes()
}

#[test]
fn groups_that_cannot_be_are_refused_at_their_place() {
    let group = |name: &str, inner: &str| {
        format!("<RepositoryGroup name='{name}'>{inner}</RepositoryGroup>")
    };
    let both = "<Member>b</Member><Member>c</Member>";
    for (groups, column, message) in [
        (group("g", "<Member>b</Member><Member>x</Member>"), 53, "'x' is no <Repository>"),
        (group("g", "<Member>b</Member><Member>b</Member>"), 53, "b is a member of the group g"),
        (
            group("g", both) + &group("h", "<Member>SoftHSM</Member><Member>c</Member>"),
            139,
            "repository c is a member of the group g already",
        ),
        (group("g", "<Member>b</Member>"), 1, "a repository group has at least 2 members; g has 1"),
        (group("b", both), 1, "second repository or repository group with the name b"),
        (group("", both), 1, "<RepositoryGroup name> is empty"),
        (group("g", &format!("{both}<Quorum>3</Quorum>")), 71, "a quorum of 3 is never reached"),
        (group("g", &format!("{both}<Quorum>1</Quorum>")), 71, "expected a number from 2"),
        (group("g", &format!("{both}<Quorum>x</Quorum>")), 71, "expected a number from 2"),
    ] {
        let found = read("conf.xml", &with_groups(&groups));
        let [fault] = found.faults.as_slice() else { panic!("{groups}: {found}") };
        assert!(fault.fault.to_string().contains(message), "{groups}: {found}");
        assert_eq!((fault.line, fault.column), (3, column), "{groups}: {found}");
    }
    let good = with_groups(&group("g", &format!("{both}<Quorum>2</Quorum>")));
    let conf = read_conf("conf.xml", &good).unwrap().value;
    let [group] = conf.groups.as_slice() else { panic!("{:?}", conf.groups) };
    assert_eq!((group.name.as_str(), group.quorum), ("g", 2));
    assert_eq!(group.members, ["b", "c"]);
}

#[test]
fn faults_are_bounded_and_all_are_found() {
    let many = format!("<ZoneList>{}</ZoneList>", "<a/>\n".repeat(1000));
    assert_eq!(read("zonelist.xml", many.as_bytes()).faults.len(), FAULTS_MAX);
    let bytes = String::from_utf8(edited("kasp.xml", "P3D", "x")).unwrap().replace("PT2H", "y");
    assert_eq!(read("kasp.xml", bytes.as_bytes()).faults.len(), 2);
}

#[test]
fn one_huge_line_full_of_secrets_is_shown_in_part() {
    let start = Instant::now();
    let line = "<PIN>é1</PIN>".repeat(250_000);
    let found = read("conf.xml", format!("<Configuration>{line}</Configuration>").as_bytes());
    assert_eq!(found.faults.len(), FAULTS_MAX);
    let last = found.faults.last().map(ToString::to_string).unwrap_or_default();
    assert!(last.contains("<PIN>**</PIN>") && !last.contains('é'), "{last}");
    assert!(last.lines().all(|line| line.chars().count() < 200), "{last}");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_million_nested_elements_are_refused_at_once() {
    let start = Instant::now();
    let deep = "<a>".repeat(1_000_000) + &"</a>".repeat(1_000_000);
    let found = read("zonelist.xml", deep.as_bytes());
    assert_eq!(found.faults[0].fault.to_string(), "elements nested deeper than 64");
    assert_eq!((found.faults[0].line, found.faults[0].column), (1, 193));
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn files_cut_short_anywhere_are_refused() {
    for name in ["conf.xml", "kasp.xml", "zonelist.xml", "zonefetch.xml", "addns.xml"] {
        let folder = if name == "addns.xml" { "tld-optout" } else { "opendnssec-1.1" };
        let text = example(&format!("{folder}/{name}"));
        let whole = text.trim_end().len();
        for end in 0..whole {
            let found = read(name, &text.as_bytes()[..end]);
            assert!(!found.faults.is_empty(), "{name} cut at {end}");
        }
        assert!(read(name, &text.as_bytes()[..whole]).faults.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn mutated_files_never_panic(
        which in 0_usize..5,
        edits in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u8>(), 0_usize..8),
            1..6,
        ),
        pieces in prop::collection::vec(any::<prop::sample::Index>(), 2),
    ) {
        let paths = ["default/conf.xml", "default/kasp.xml", "default/zonelist.xml",
            "tld-optout/addns.xml", "opendnssec-1.1/zonefetch.xml"];
        let name = paths[which].split_once('/').unwrap().1;
        let mut bytes = example(paths[which]).into_bytes();
        for (at, octet, cut) in edits {
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, [octet]);
        }
        // Some piece of the file once more, somewhere else.
        let (from, to) = (pieces[0].index(bytes.len()), pieces[1].index(bytes.len()));
        let piece = bytes[from..(from + 60).min(bytes.len())].to_vec();
        bytes.splice(to..to, piece);
        let found = read(name, &bytes);
        let _ = found.to_string();
        let name = dnssec::Name::parse(b"example.com.", None).unwrap();
        if let Ok(removed) = remove_zone(&bytes, &name) {
            prop_assert!(removed.len() < bytes.len());
        }
        if let Ok(list) = read_zonelist("z", &bytes) {
            for zone in &list.value.zones {
                prop_assert!(add_zone(&bytes, zone).is_err());
            }
        }
    }
    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for name in ["conf.xml", "kasp.xml", "zonelist.xml", "addns.xml", "zonefetch.xml"] {
            prop_assert!(!read(name, &bytes).faults.is_empty());
        }
    }
}
