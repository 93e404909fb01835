//! What we produce: BIND and Knot DNS have the zones that the catalog lists, and no others.

use crate::lab::{answer, installation, soa_status};
use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::peers::{Key, axfr, free_address, soa_serial};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

const CATALOG: &str = "out.example";

/// Our daemon with zones that go out by transfer, and a catalog of those of a policy.
fn produce(listener: SocketAddr, told: SocketAddr, key: &Key) -> Installation {
    let installation = installation(listener);
    let (tsig, name) = Key::in_addns(Some(key));
    let (ip, port) = (told.ip(), told.port());
    installation.write(
        "out.xml",
        &format!(
            "<Adapter><DNS>{tsig}<Outbound><ProvideTransfer><Peer><Prefix>127.0.0.0/8</Prefix>\
             {name}</Peer></ProvideTransfer><Notify><Remote><Address>{ip}</Address>\
             <Port>{port}</Port>{name}</Remote></Notify></Outbound></DNS></Adapter>\n"
        ),
    );
    let path = installation.path("out.xml");
    let list = format!(
        "<CatalogList>\n<Producer name=\"{CATALOG}\">\n\t<Adapter>{}</Adapter>\n\
         \t<Policy>default</Policy>\n</Producer>\n</CatalogList>\n</Configuration>",
        path.display()
    );
    installation.edit("conf.xml", "</Configuration>", &list);
    installation.write_zonelist(&[
        ("a.test", "default"),
        ("b.test", "default"),
        ("c.test", "nsec"),
    ]);
    for zone in ["a.test", "b.test", "c.test", "d.test"] {
        installation.write_small_zone(zone, 1, "");
        let file = format!("<Adapter type=\"File\">{}", installation.signed(zone).display());
        let transfer = format!("<Adapter type=\"DNS\">{}", path.display());
        if zone != "d.test" {
            installation.edit("zonelist.xml", &file, &transfer);
        }
    }
    installation
}

fn named(folder: &tempfile::TempDir, address: SocketAddr, ours: SocketAddr, key: &Key) -> Command {
    let text = format!(
        "options {{ directory \"{0}\"; pid-file none; session-keyfile none; recursion no;\n\
         listen-on-v6 {{ none; }}; dnssec-validation no; listen-on port {1} {{ 127.0.0.1; }};\n\
         catalog-zones {{ zone \"{CATALOG}\" default-primaries {{ {2} port {3} key \"{4}\"; }}\n\
         in-memory yes min-update-interval 1; }}; }};\ncontrols {{ }};\n\
         key \"{4}\" {{ algorithm {5}; secret \"{6}\"; }};\n\
         zone \"{CATALOG}\" {{ type secondary; file \"catalog\"; masterfile-format text;\n\
         min-refresh-time 1; min-retry-time 1; allow-notify {{ key \"{4}\"; }};\n\
         primaries {{ {2} port {3} key \"{4}\"; }}; }};\n",
        folder.path().display(),
        address.port(),
        ours.ip(),
        ours.port(),
        key.name,
        key.algorithm,
        key.secret
    );
    std::fs::write(folder.path().join("named.conf"), text).unwrap();
    let mut command = Command::new("named");
    command.args(["-g", "-c"]).arg(folder.path().join("named.conf"));
    command
}

fn knotd(folder: &tempfile::TempDir, address: SocketAddr, ours: SocketAddr, key: &Key) -> Command {
    let text = format!(
        "server:\n  rundir: \"{0}\"\n  listen: {1}@{2}\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n  storage: \"{0}\"\n  journal-db-max-size: 64M\n\
         key:\n  - id: {5}\n    algorithm: {6}\n    secret: {7}\n\
         remote:\n  - id: ours\n    address: {3}@{4}\n    key: {5}\n\
         acl:\n  - id: all\n    address: 127.0.0.0/8\n    key: {5}\n    action: notify\n\
         template:\n  - id: member\n    storage: \"{0}\"\n    master: ours\n    acl: all\n\
         zone:\n  - domain: {CATALOG}\n    storage: \"{0}\"\n    master: ours\n    acl: all\n\
         \x20   catalog-role: interpret\n    catalog-template: member\n",
        folder.path().display(),
        address.ip(),
        address.port(),
        ours.ip(),
        ours.port(),
        key.name,
        key.algorithm,
        key.secret
    );
    std::fs::write(folder.path().join("knot.conf"), text).unwrap();
    let mut command = Command::new("knotd");
    command.arg("-c").arg(folder.path().join("knot.conf"));
    command
}

/// Waits until a server has a zone, or has it no more.
#[track_caller]
fn wait(daemon: &mut Daemon, address: SocketAddr, zone: &str, is_there: bool) {
    let until = Instant::now() + WAIT;
    while soa_serial(address, zone, None).is_some() != is_there {
        assert!(Instant::now() < until, "{zone}: {}", daemon.log());
        daemon.next_line(Duration::from_millis(20));
    }
}

/// The unique labels of the catalog that is served, sorted by zone.
fn labels(address: SocketAddr, key: &Key) -> Vec<(String, String)> {
    let records = axfr(address, CATALOG, Some(key));
    let member = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let label = words[0].split('.').next().unwrap_or_default();
        (words[3] == "PTR").then(|| (words[4].to_owned(), label.to_owned()))
    };
    let mut labels: Vec<(String, String)> = records.iter().filter_map(member).collect();
    labels.sort_unstable();
    labels
}

type Make = fn(&tempfile::TempDir, SocketAddr, SocketAddr, &Key) -> Command;

fn check(make: Make) {
    let (ours, theirs) = (free_address(), free_address());
    let key = Key::new("catalog.key", "hmac-sha256");
    let installation = produce(ours, theirs, &key);
    let mut daemon = installation.start();
    daemon.wait_for_all(&[
        &["catalog out.example serial", ": 2 zones listed"],
        &["[STATS] a.test "],
        &["[STATS] b.test "],
    ]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = make(&folder, theirs, ours, &key);
    command.current_dir(folder.path());
    let mut peer = Daemon::spawn(command);
    wait(&mut peer, theirs, "a.test", true);
    wait(&mut peer, theirs, "b.test", true);
    assert_eq!(soa_serial(theirs, "c.test", None), None, "it has another policy");
    // Nobody else gets it.
    assert_eq!(soa_status(ours, CATALOG), "REFUSED");
    let records = axfr(ours, CATALOG, Some(&key)).join("\n");
    assert!(records.contains("version.out.example.") && records.contains("\"2\""), "{records}");
    assert_eq!(records.matches("\"default\"").count(), 2, "{records}");
    assert!(!records.contains("RRSIG"), "{records}");
    let before = labels(ours, &key);

    // One goes, one comes.
    let serial = soa_serial(ours, CATALOG, Some(&key)).unwrap();
    answer(&installation, "enforcer zone delete -z b.test --force");
    daemon.wait_for(&["catalog out.example serial", ": 1 zones listed"]);
    wait(&mut peer, theirs, "b.test", false);
    let out = installation.path("out.xml");
    let add = format!("enforcer zone add -z b.test -q DNS -o {}", out.display());
    answer(&installation, &add);
    daemon.wait_for(&["catalog out.example serial", ": 2 zones listed"]);
    wait(&mut peer, theirs, "b.test", true);
    assert!(soa_serial(ours, CATALOG, Some(&key)).unwrap() > serial);
    let after = labels(ours, &key);
    assert_eq!(before[0], after[0], "a zone that stays keeps its label");
    assert_eq!(before[1].0, after[1].0);
    assert_ne!(before[1].1, after[1].1, "one that comes again has another");
    let shown = answer(&installation, "catalog show out.example");
    assert!(shown.starts_with("out.example (producer): served\n") && shown.contains("b.test"));

    // A restart changes nothing.
    let serial = soa_serial(ours, CATALOG, Some(&key));
    daemon.stop();
    let mut daemon = installation.start();
    daemon.wait_for(&["catalog out.example serial", ": 2 zones listed"]);
    assert_eq!(soa_serial(ours, CATALOG, Some(&key)), serial);
    assert_eq!(labels(ours, &key), after);
    daemon.stop();
}

#[test]
fn bind_has_the_zones_of_our_catalog() {
    check(named);
}

#[test]
fn knot_has_the_zones_of_our_catalog() {
    check(knotd);
}
