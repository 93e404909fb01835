//! `config list|get|put`: files of the configuration through the daemon, for whoever has no other
//! way to them.

use crate::client::Clients;
use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::program::anchorite;

const ADDNS: &str = "<?xml version=\"1.0\"?>\n<Adapter><DNS>\n<Inbound><RequestTransfer><Remote>\
    <Address>192.0.2.1</Address></Remote></RequestTransfer></Inbound>\n</DNS></Adapter>\n";

#[test]
fn a_file_is_taken_when_nothing_is_wrong_with_all_of_them_and_else_nothing_changes() {
    let installation = Installation::new("default");
    installation.write_small_zone("a.example", 1, "");
    installation.write_zonelist(&[("a.example", "default")]);
    // Wherever it was started, what it writes into zonelist.xml is found later.
    let mut command = std::process::Command::new(anchorite());
    command.args(["run", "--verbosity", "3", "--config", "conf.xml"]);
    command.current_dir(installation.path(""));
    let mut daemon = Daemon::spawn(command);
    daemon.wait_for(&["[STATS] a.example "]);
    let clients = Clients::of(&installation);
    let read = |name: &str| std::fs::read_to_string(installation.path(name)).unwrap();

    let listed = clients.anchorite("config list").stdout;
    for name in ["conf.xml", "kasp.xml", "zonelist.xml"] {
        assert!(listed.lines().any(|line| line.starts_with(name)), "{listed}");
    }
    clients.anchorite("config get kasp.xml").is(&read("kasp.xml"));

    let conf = clients.anchorite("config get conf.xml").stdout;
    assert!(conf.contains("<PIN>(left out)</PIN>") && conf.contains("<PolicyFile>"), "{conf}");

    // A new addns.xml, with which a zone is then added.
    let put = clients.anchorite_reads("config put addns.xml", ADDNS);
    put.is("addns.xml was changed; it is in force after: reload\n");
    assert_eq!(read("addns.xml"), ADDNS);
    let added = clients.anchorite("zone add -z b.example -p default -j DNS");
    assert!(added.stdout.contains("Zone b.example added successfully"), "{added:?}");
    let place = installation.path("addns.xml").display().to_string();
    assert!(added.stdout.contains(&format!("input is set to {place}")), "{added:?}");

    let wrong = ADDNS.replace("192.0.2.1<", "192.0.2.300<");
    let refused = clients.anchorite_reads("config put addns.xml", &wrong);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("addns.xml:3:"), "{refused:?}");
    assert_eq!(read("addns.xml"), ADDNS);

    // Right by itself, but a zone has the policy that is gone.
    let kasp = read("kasp.xml");
    let other = kasp.replace("<Policy name=\"default\">", "<Policy name=\"other\">");
    assert_ne!(kasp, other);
    let refused = clients.anchorite_reads("config put kasp.xml", &other);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.ends_with("nothing was changed\n"), "{refused:?}");
    assert!(refused.stderr.contains("default"), "{refused:?}");
    assert_eq!(read("kasp.xml"), kasp);
    let longer = kasp.replacen("<Policy ", "<!-- ours --><Policy ", 1);
    let put = clients.anchorite_reads("config put kasp.xml", &longer);
    put.is("kasp.xml was changed; it is in force after: policy import\n");
    assert_eq!(read("kasp.xml"), longer);

    for (words, input, expected) in [
        ("config put conf.xml", "<Configuration/>", "conf.xml says which programs are run"),
        ("config put ../x.xml", ADDNS, "expected the name of a file beside conf.xml"),
        ("config put addns.xml", "", "the text of addns.xml is missing"),
        ("config put addns.xml", "no XML", "addns.xml:1:"),
        ("config get none.xml", "", "none.xml"),
        ("config put addns.xml", &" ".repeat(60_000), "more than 57344 octets"),
    ] {
        let refused = clients.anchorite_reads(words, input);
        assert_eq!(refused.code, Some(1), "{words}: {refused:?}");
        assert!(refused.stderr.contains(expected), "{words}: {refused:?}");
    }
    assert_eq!(read("addns.xml"), ADDNS);
    let log = daemon.stop();
    assert!(!log.contains("192.0.2.300"), "what is put may be secret: {log}");
}
