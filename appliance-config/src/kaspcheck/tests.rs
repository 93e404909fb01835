//! kaspcheck in a world made up for the test; Debian's own checker judges in tests/oracle.rs.

use std::collections::BTreeMap;

use super::*;
use expect_test::{Expect, expect};

const CONF: &str = r#"<Configuration><RepositoryList>
<Repository name="x"><BuiltIn/><KeyFile>/key</KeyFile></Repository></RepositoryList>
<Common><PolicyFile>/kasp</PolicyFile>
<ZoneListFile>/zones</ZoneListFile></Common>
<Enforcer><Datastore><SQLite>/db</SQLite></Datastore></Enforcer></Configuration>"#;
const KASP: &str = include_str!("../../../examples/default/kasp.xml");
const ZONES: &str = "<ZoneList/>";

/// The same with a second repository and a group of both.
const GROUP: &str = r#"<Repository name="y"><BuiltIn/><KeyFile>/key</KeyFile></Repository>
<RepositoryGroup name="pair"><Member>x</Member><Member>y</Member></RepositoryGroup>
</RepositoryList>"#;

/// Files by path; a text that ends in `/` is a directory.
struct World(BTreeMap<&'static str, String>);

impl World {
    fn new() -> World {
        let kasp = KASP.replace("built-in", "x");
        let texts =
            [("/conf", CONF), ("/kasp", &kasp), ("/zones", ZONES), ("/key", ""), ("/db", "")];
        let mut files: BTreeMap<_, _> =
            texts.into_iter().map(|(path, text)| (path, text.to_owned())).collect();
        for path in ["/var/lib/opendnssec/enforcer", "/var/lib/opendnssec/signer"] {
            files.insert(path, "/".to_owned());
        }
        World(files)
    }

    fn with(mut self, path: &'static str, edit: impl Fn(&str) -> String) -> World {
        let text = self.0.get(path).cloned().unwrap_or_default();
        self.0.insert(path, edit(&text));
        self
    }

    fn without(mut self, path: &str) -> World {
        self.0.remove(path);
        self
    }

    #[track_caller]
    fn says(&self, errors: usize, expected: Expect) {
        let report = check(&Inputs { conf: "/conf", kasp: None, zonelist: None }, self);
        let lines: Vec<&str> = report.lines.iter().map(|line| line.text.as_str()).collect();
        expected.assert_eq(&wrap(&lines.join("\n")));
        assert_eq!(report.error_count(), errors);
    }
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

impl Environment for World {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).map(|text| text.as_bytes().to_vec())
    }
    fn kind(&self, path: &str) -> FileKind {
        match self.0.get(path).map(String::as_str) {
            None if path.starts_with("/denied") => {
                FileKind::Unknown { reason: "Permission denied".to_owned() }
            }
            None => FileKind::Missing,
            Some("/") => FileKind::Directory,
            Some(_) => FileKind::File,
        }
    }
    fn datastore_kind(&self, path: &str) -> FileKind {
        self.kind(path)
    }
    fn user_exists(&self, name: &str) -> bool {
        name == "known"
    }
    fn group_exists(&self, name: &str) -> bool {
        name == "known"
    }
}

#[test]
fn nothing_is_wrong() {
    World::new().says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn new_serials_break_what_somebody_else_signed() {
    let passed = |serial: &str| {
        let serial = format!("<Serial>{serial}</Serial>");
        World::new().with("/kasp", |kasp| {
            let kasp = kasp.replacen("<Description>", "<Passthrough/><Description>", 1);
            let (before, rest) = kasp.split_once("<Serial>").unwrap();
            let (_, after) = rest.split_once("</Serial>").unwrap();
            format!("{before}{serial}{after}")
        })
    };
    passed("keep").says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
    passed("unixtime").says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            WARNING: In /kasp, policy default, zones are passed through with new serials: that
                  breaks the SOA's signature of those that are signed already, which are
                  refused then. Use serial type keep for such zones.
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn a_missing_file_counts_once() {
    World::new().without("/kasp").says(
        1,
        expect![[r#"
            INFO: The XML in /conf is valid
            ERROR: unable to parse file "/kasp"
            ERROR: Configuration file (/kasp) does not exist
            INFO: The XML in /zones is valid
        "#]],
    );
    World::new().without("/conf").says(
        3,
        expect![[r#"
            ERROR: unable to parse file "/conf"
            ERROR: Configuration file (/conf) does not exist
            ERROR: No location for kasp.xml set
            ERROR: No location for zonelist.xml set
        "#]],
    );
}

#[test]
fn a_conf_that_fails_still_says_where_the_others_are() {
    let world = World::new().with("/conf", |conf| conf.replace("<Common>", "<Odd/><Common>"));
    world.says(
        1,
        expect![[r#"
        /conf:3:1: unknown element <Odd> in <Configuration>; allowed here:
              <RepositoryList>, <Common>, <Enforcer>, <Signer>, <CatalogList>
          <Odd/><Common><PolicyFile>/kasp</PolicyFile>
          ^^^^^^
        ERROR: /conf fails to validate
        INFO: The XML in /kasp is valid
        INFO: The XML in /zones is valid
    "#]],
    );
}

#[test]
fn empty_locations_k10() {
    let empty = |conf: &str| conf.replace("/kasp", "").replace("/zones", " ");
    World::new().with("/conf", empty).says(
        2,
        expect![[r#"
            INFO: The XML in /conf is valid
            ERROR: No location for kasp.xml set
            ERROR: No location for zonelist.xml set
        "#]],
    );
}

#[test]
fn a_repository_of_our_own_is_checked_k2_k3_k4() {
    let second = r#"<Repository name="x"><BuiltIn/><KeyFile>/denied/key</KeyFile></Repository></R"#;
    let world =
        World::new().with("/conf", |conf| conf.replace("</R", second).replacen(second, "</R", 1));
    world.says(
        3,
        expect![[r#"
            INFO: The XML in /conf is valid
            ERROR: Multiple Repositories (x and x) in /conf have the same Directory
                  (/var/lib/opendnssec/tokens/x) and TokenLabel (x)
            ERROR: Two repositories exist with the same name (x)
            ERROR: cannot stat file /denied/key: Permission denied
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn mysql_and_directories_k6_k9() {
    let mysql = "<MySQL><Database>a</Database><Username>b</Username><Password/></MySQL>";
    let world = World::new()
        .with("/conf", |conf| conf.replace("<SQLite>/db</SQLite>", mysql))
        .with("/var/lib/opendnssec/signer", |_| String::new())
        .without("/var/lib/opendnssec/enforcer");
    world.says(
        3,
        expect![[r#"
            INFO: The XML in /conf is valid
            ERROR: compiled for sqlite3 but conf.xml configured for MySQL: /conf
            ERROR: default Enforcer WorkingDirectory (/var/lib/opendnssec/enforcer) does not
                  exist
            ERROR: default Signer WorkingDirectory (/var/lib/opendnssec/signer) is not a
                  directory
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn warnings_of_our_own_rfc9276_rfc9905_and_refresh() {
    let world = World::new().with("/kasp", |kasp| {
        kasp.replace("<Iterations>0", "<Iterations>5")
            .replace("length=\"0\"", "length=\"8\"")
            .replace("length=\"256\">13", "length=\"2048\">7")
            .replace("<MaxZoneTTL>P1D", "<MaxZoneTTL>P4D")
    });
    world.says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            WARNING: In policy default, NSEC3 iterations is 5 in /kasp; it should be 0 (RFC
                  9276)
            WARNING: In policy default, NSEC3 salt length is 8 in /kasp; it should be 0 (RFC
                  9276)
            WARNING: In policy default, algorithm 7 used for KSK in /kasp rests on SHA-1 and is
                  deprecated (RFC 9905); new keys need <AllowDeprecatedAlgorithms/> in conf.xml
            WARNING: In policy default, algorithm 7 used for ZSK in /kasp rests on SHA-1 and is
                  deprecated (RFC 9905); new keys need <AllowDeprecatedAlgorithms/> in conf.xml
            WARNING: In policy default, the Refresh interval (259200 seconds) is smaller than
                  the largest TTL (345600 seconds) in /kasp: signatures may expire in caches
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn timing_that_lets_signatures_run_short_w8() {
    let world = World::new().with("/kasp", |kasp| {
        kasp.replace("<MaxZoneTTL>P1D", "<MaxZoneTTL>P2DT13H")
            .replace("<Jitter>PT12H", "<Jitter>P5D")
            .replace("<Default>P14D", "<Default>P8D")
    });
    world.says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            WARNING: In policy default, the Refresh interval (259200 seconds) is smaller than
                  the Resign interval (7200 seconds) plus Zone/PropagationDelay (43200 seconds)
                  plus the largest TTL (219600 seconds) in /kasp: signatures may expire in
                  caches
            WARNING: In policy default, Validity/Default (691200 seconds) less Jitter (432000
                  seconds) is smaller than Refresh plus Resign (266400 seconds) in /kasp: some
                  signatures are made anew in every run
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn a_group_is_a_repository_and_its_members_are_none_for_keys() {
    let world = || World::new().with("/conf", |conf| conf.replace("</RepositoryList>", GROUP));
    let pair = |kasp: &str| kasp.replace(">x<", ">pair<");
    world().with("/kasp", pair).says(
        0,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
    world().says(
        2,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            ERROR: Repository (x) defined for KSK in default policy is a member of the
                  repository group pair; a key in it alone would be in no other member: name
                  the group
            ERROR: Repository (x) defined for ZSK in default policy is a member of the
                  repository group pair; a key in it alone would be in no other member: name
                  the group
            INFO: The XML in /zones is valid
        "#]],
    );
    let one = |conf: &str| conf.replace("<Member>y</Member>", "");
    world().with("/conf", one).with("/kasp", pair).says(
        1,
        expect![[r#"
            INFO: The XML in /conf is valid
            ERROR: /conf:3:1: a repository group has at least 2 members; pair has 1
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
        "#]],
    );
}

#[test]
fn policies_that_could_not_end_a_roll_w8() {
    let limited = |conf: &str| conf.replace("</KeyFile>", "</KeyFile><Capacity>2</Capacity>");
    World::new().with("/conf", limited).says(
        1,
        expect![[r#"
        INFO: The XML in /conf is valid
        INFO: The XML in /kasp is valid
        ERROR: Repository (x) has a Capacity of 2 keys; a zone of policy default in /kasp
              has 2 in it, and one more during a roll: none could ever be rolled
        INFO: The XML in /zones is valid
    "#]],
    );
    let rolls_soon = |kasp: &str| {
        kasp.replace("<Lifetime>P90D", "<Lifetime>P13D")
            .replace("<Lifetime>P365D", "<Lifetime>P1DT6H")
    };
    World::new().with("/kasp", rolls_soon).says(
        0,
        expect![[r#"
        INFO: The XML in /conf is valid
        INFO: The XML in /kasp is valid
        WARNING: ZSK/Lifetime (1123200 seconds) for policy 'default' is less than
              Validity/Default (1209600 seconds), this might be a configuration error.
        WARNING: KSK minimum lifetime (108000 seconds) is less than ZSK minimum lifetime
              (1123200 seconds) for default Policy in /kasp
        WARNING: In policy default, ZSK/Lifetime (1123200 seconds) in /kasp is less than a
              roll takes (1180800 seconds, with all TTLs, delays and lives of signatures):
              each roll begins late
        INFO: The XML in /zones is valid
    "#]],
    );
    let zsk_alone = |kasp: &str| {
        let begin = kasp.find("<KSK>").unwrap();
        let end = kasp.find("</KSK>").unwrap() + "</KSK>".len();
        format!("{}{}", &kasp[..begin], &kasp[end..])
    };
    World::new().with("/kasp", zsk_alone).says(
        1,
        expect![[r#"
        INFO: The XML in /conf is valid
        INFO: The XML in /kasp is valid
        ERROR: In policy default in /kasp, KSK with algorithm 13 not found: no DS would
              lead to its ZSK
        INFO: The XML in /zones is valid
    "#]],
    );
    let twice = |kasp: &str| {
        let begin = kasp.find("<ZSK>").unwrap();
        let end = kasp.find("</ZSK>").unwrap() + "</ZSK>".len();
        format!("{}{}{}", &kasp[..end], &kasp[begin..end], &kasp[end..])
    };
    World::new().with("/kasp", twice).says(
        0,
        expect![[r#"
        INFO: The XML in /conf is valid
        INFO: The XML in /kasp is valid
        WARNING: In policy default, ZSK of algorithm 13 in repository x is in /kasp twice:
              both are one and the same key, rolled by either's Lifetime
        INFO: The XML in /zones is valid
    "#]],
    );
}

/// The lines about addns.xml and zonefetch.xml that are not OpenDNSSEC's.
#[test]
fn adapter_files_are_checked_once_each() {
    let adapter = |path: &str| format!(r#"<Adapter type="DNS">{path}</Adapter>"#);
    let zone = |name: &str, input: &str, output: &str| {
        format!(
            "<Zone name=\"{name}\"><Policy>default</Policy><SignerConfiguration>s\
             </SignerConfiguration><Adapters><Input>{}</Input><Output>{}</Output></Adapters></Zone>",
            adapter(input),
            adapter(output)
        )
    };
    let zones = zone("a", "/good", "/bad") + &zone("b", "missing.xml", "/bad");
    let fetch = "</ZoneListFile><ZoneFetchFile>/fetch</ZoneFetchFile>";
    let world = World::new()
        .with("/zones", |_| format!("<ZoneList>{zones}</ZoneList>"))
        .with("/conf", |conf| conf.replace("</ZoneListFile>", fetch))
        .with("/fetch", |_| "<ZoneFetch/>".to_owned())
        .with("/good", |_| include_str!("../../../examples/tld-optout/addns.xml").to_owned())
        .with("/bad", |_| "<Adapter><DNS><Outbond/></DNS></Adapter>".to_owned());
    let report = check(&Inputs { conf: "/conf", kasp: None, zonelist: None }, &world);
    let text: Vec<&str> = report.lines.iter().map(|line| line.text.as_str()).collect();
    let text = text.join("\n");
    for (words, count) in [
        ("/bad:1:15: unknown element <Outbond> in <DNS>", 1),
        ("ERROR: /bad fails to validate", 1),
        ("ERROR: /fetch fails to validate", 1),
        ("ERROR: unable to parse file \"/var/lib/opendnssec/signer/missing.xml\"", 1),
        ("/good", 0),
    ] {
        assert_eq!(text.matches(words).count(), count, "{words} in {text}");
    }
    assert_eq!(report.error_count(), 3, "{text}");
}

/// `<CatalogList>` is our own: its policies are those of kasp.xml, its addns.xml are looked at.
#[test]
fn what_catalogs_name_has_to_be_there() {
    let list = "<CatalogList>\n<Consumer name='catz.example'><Adapter>/masters</Adapter>\n\
        <Policy>default</Policy><Group name='gold'><Policy> glod </Policy></Group>\n\
        <Adapters><Input><Adapter type='DNS'>/members</Adapter></Input>\n\
        <Output><Adapter type='File'>/signed/%zone</Adapter></Output></Adapters></Consumer>\n\
        <Producer name='out.example'><Adapter>/masters</Adapter><Policy>tin</Policy></Producer>\n\
        </CatalogList></Configuration>";
    let world = World::new()
        .with("/conf", |conf| conf.replace("</Configuration>", list))
        .with("/masters", |_| "<Adapter><DNS/></Adapter>".to_owned());
    world.says(
        3,
        expect![[r#"
            INFO: The XML in /conf is valid
            INFO: The XML in /kasp is valid
            INFO: The XML in /zones is valid
            ERROR: unable to parse file "/members"
            ERROR: Configuration file (/members) does not exist
            ERROR: /conf:7:52: there is no policy glod in kasp.xml; there are: default
            ERROR: /conf:10:65: there is no policy tin in kasp.xml; there are: default
        "#]],
    );
}
