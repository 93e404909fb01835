//! `ssh BOX COMMAND`.

use crate::front::{Front, said};

const KEYS: &[(&str, &str)] = &[
    ("ann", "role=\"admin,officer\""),
    ("bo", "role=\"operator\""),
    ("mo", ""),
    ("nagios", "role=\"monitor\",restrict,command=\"running\""),
    ("typo", "role=\"root\""),
    ("from", "role=\"admin\",from=\"192.0.2.1\""),
];

#[test]
fn output_is_apart_and_exit_codes_come_through() {
    let front = Front::new(KEYS);
    let mut daemon = front.installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let mut host = front.host();
    let (code, out, err) = front.run(&host, "ann", "zone list");
    assert!(out.contains("a.example") && err.is_empty() && code == 0, "{code} {out} {err}");
    host.process.wait_for(&["ann (admin,officer) is in, SHA256:"]);
    // The same words as on the machine itself, and nothing added.
    let mut local = std::process::Command::new(anchorite_tests::program::anchorite());
    let arguments = ["-s", &front.installation.socket(), "key", "list", "-p"];
    let local = said(local.args(arguments).output().unwrap());
    assert_eq!(front.run(&host, "ann", "key list -p"), local);
    assert_eq!(front.run(&host, "ann", "ods-enforcer key list -p").1, local.1);
    let (code, out, _) = front.run(&host, "ann", "ods-signer zones");
    assert!(code == 0 && out.contains("a.example"), "{out}");
    let (code, out, err) = front.run(&host, "ann", "zone lst");
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(err, "Unknown command zone lst.\nDid you mean \"zone list\"?\n");
    let (code, out, err) = front.run(&host, "ann", "zone show 'a b");
    assert!(code == 2 && out.is_empty() && err.contains("has no partner"), "{err}");
    let (code, _, err) = front.run(&host, "ann", "zone delete -z nowhere.example");
    assert!(code != 0 && code < 200 && !err.is_empty(), "{code} {err}");
    let (code, out, _) = front.run(&host, "ann", "help key list");
    assert!(code == 0 && out.contains("--parsable"), "{out}");

    // What each may, and that the daemon knows who it was.
    let (code, _, err) = front.run(&host, "mo", "zone list");
    assert!(code == 1 && err.contains("mo") && err.contains("operator"), "{err}");
    let (code, _, err) = front.run(&host, "bo", "stop");
    assert!(code == 1 && err.contains("admin") && err.contains("bo"), "{err}");
    let (code, _, _) = front.run(&host, "bo", "sign a.example");
    assert_eq!(code, 0);
    daemon.wait_for(&["received command", "bo by ssh 127.0.0.1"]);
    for line in ["stop", "running", "zone list; stop"] {
        let (code, out, _) = front.run(&host, "nagios", line);
        assert_eq!((code, out.trim_end()), (0, "Engine running."), "{line}");
    }
    for name in ["typo", "from"] {
        let (code, _, err) = front.run(&host, name, "running");
        assert!(code == 255 && err.contains("Permission denied (publickey)"), "{code} {err}");
    }
    host.process.wait_for(&["authorized_keys: line 5: there is no role root"]);
    host.process.wait_for(&["authorized_keys: line 6: there is no option from here"]);

    // A question is answered by what is typed, and by nothing with no.
    let purge = "zone delete --all";
    let (code, out, _) = front.run(&host, "ann", purge);
    assert_eq!(code, 0, "{out}");
    let log = daemon.stop();
    assert!(log.contains("ann by ssh 127.0.0.1"), "{log}");

    // The daemon is away.
    let (code, out, err) = front.run(&host, "ann", "zone list");
    assert_eq!((code, out.as_str()), (201, ""));
    assert!(err.contains("Unable to connect") && err.contains("is not running"), "{err}");
}

/// On a box there is no other way for files.
#[test]
fn a_file_of_the_configuration_goes_through_standard_input() {
    let front = Front::new(KEYS);
    let mut daemon = front.installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let host = front.host();
    let addns = "<Adapter><DNS><Inbound><RequestTransfer><Remote><Address>192.0.2.1</Address>\
                 </Remote></RequestTransfer></Inbound></DNS></Adapter>\n";
    front.installation.write("new.text", addns);
    let put = |name: &str, file: &str| {
        let input = std::fs::File::open(front.installation.path(file)).unwrap();
        let mut client = front.client(&host, name, &["127.0.0.1", "config put addns.xml"]);
        said(client.stdin(input).output().unwrap())
    };
    let (code, out, err) = put("ann", "new.text");
    let expected = "addns.xml was changed; it is in force after: reload\n";
    assert_eq!((code, out.as_str(), err.as_str()), (0, expected, ""));
    assert_eq!(front.run(&host, "ann", "config get addns.xml").1, addns);
    for name in ["bo", "mo"] {
        let (code, _, err) = put(name, "new.text");
        assert!(code == 1 && err.contains("needs the role admin"), "{code} {err}");
        let (code, _, err) = front.run(&host, name, "config get addns.xml");
        assert!(code == 1 && err.contains("needs the role admin"), "{code} {err}");
    }
    front.installation.write("large.text", &" ".repeat(100_000));
    let (code, _, err) = put("ann", "large.text");
    assert!(code == 1 && err.contains("nothing was changed"), "{code} {err}");
    let (code, _, err) = put("ann", "conf.xml");
    assert!(code == 1 && err.contains("addns.xml:"), "{code} {err}");
    assert_eq!(front.run(&host, "ann", "config get addns.xml").1, addns);
    daemon.stop();
}

#[test]
fn an_end_by_kill_is_not_noticed_by_the_signer_and_the_host_stays_the_same() {
    let front = Front::new(&KEYS[..1]);
    front.installation.let_zones_grow();
    let mut daemon = front.installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let host = front.host();
    let said = front.run(&host, "ann", "zone list");
    assert_eq!(said.0, 0, "{said:?}");
    host.process.kill();
    front.installation.write_small_zone("a.example", 2, "new IN A 192.0.2.3");
    let socket = front.installation.socket();
    let mut local = std::process::Command::new(anchorite_tests::program::anchorite());
    assert!(local.args(["-s", &socket, "sign", "a.example"]).status().unwrap().success());
    daemon.wait_for(&["[STATS] a.example"]);
    // With the same host key: the client would refuse another under the same name.
    let host = front.host();
    assert_eq!(front.run(&host, "ann", "zone list").0, 0);
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        front.installation.path(name).metadata().unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("host_key"), 0o600);
}
