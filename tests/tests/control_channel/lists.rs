//! Answers of a running daemon. The texts are those of Debian's OpenDNSSEC 2.1.12, recorded from
//! its daemons; where the table has no such command yet, its lines are left out of lists.

use crate::client::Clients;
use anchorite_tests::daemon::Installation;

const CONTROL_HELP: &str = "Usage:\nstart \nrunning\nreload \nstop \n\nHelp:\n\
    start\t\tStarts the engine and the process. \n\
    running\t\tReturns acknowledgment that the engine is running.\n\
    reload\t\tReload the engine.\n\
    stop\t\tStop the engine and terminate the process.\n\n";

/// Two zones, of which one has a long name.
fn installation() -> Installation {
    let installation = Installation::new("default");
    let zones = [("example.com", "default"), (LONG, "default")];
    for (zone, _) in zones {
        installation.write_small_zone(zone, 1, "");
    }
    installation.write_zonelist(&zones);
    installation
}

const LONG: &str = "a-very-long-zone-name-that-is-longer.example.org";

#[test]
fn the_enforcers_lists() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let clients = Clients::of(&installation);
    let folder = installation.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    clients.enforcer("running").is("Engine running.\n");
    let listed = clients.enforcer("zone list").stdout;
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(
        lines[..3],
        [
            format!("Database set to: {folder}/kasp.db").as_str(),
            "Zones:",
            "Zone:                           Policy:       Next change:               \
             Signer Configuration:             ",
        ],
        "{listed}"
    );
    for (line, zone) in lines[3..].iter().zip(["example.com", LONG]) {
        let begin = format!("{zone:<31} default       ");
        let rest = line.strip_prefix(&begin).expect(&listed);
        let (next, signconf) = rest.split_at(27);
        let is_time = next.trim_end().len() == "Sun Nov 22 10:16:44 2026".len();
        let words = ["as soon as possible", "no changes scheduled"];
        assert!(is_time || words.contains(&next.trim_end()), "{listed}");
        assert_eq!(signconf.trim_end(), format!("{folder}/signer/{zone}.xml"), "{listed}");
    }
    assert_eq!(lines.len(), 5, "{listed}");
    clients
        .enforcer("policy list")
        .is("Policy:                         Description:                                    \n\
         default                         ECDSA P-256, NSEC3 as RFC 9276 asks             \n");
    clients
        .enforcer("repository list")
        .is("Repositories:\nName:                           Capacity:     RequireBackup:\n\
         built-in                        -             No           \n");
    clients
        .enforcer("verbosity")
        .is("Current verbosity is set to 6.\nAvailable modes:\n  0 - Critical\n  1 - Error\n\
         \x20 2 - Warning\n  3 - Notice\n  4 - Info\n  5 - Debug\n");
    clients.enforcer("help reload").is(CONTROL_HELP);
    clients.enforcer("help verbosity").is("Usage:\nverbosity <nr>\n\nHelp:\nSet verbosity.\n\n");
    clients.enforcer("help zone").ends(
        "Help: command 'zone' unknown. Type 'help' without arguments to get a list of supported \
         commands.\n",
        "",
        2,
    );
    clients.enforcer("start").ends("Engine already running.\n", "", 1);
    let list = clients.enforcer("help");
    assert!(list.stdout.starts_with("\nCommands:\n"), "{list:?}");
    let unknown = clients.enforcer("zone lits");
    assert_eq!(unknown.stdout, list.stdout.trim_start());
    assert_eq!((unknown.stderr.as_str(), unknown.code), ("Unknown command zone lits.\n", Some(1)));
    clients.enforcer("verbosity x").ends(
        "Error parsing verbosity value: No digits were found.\nUsage:\n\nverbosity <nr>\n",
        "Error parsing arguments verbosity command line verbosity x\n",
        255,
    );
    clients.enforcer("verbosity 3 4").ends(
        "Too many arguments.\nUsage:\n\nverbosity <nr>\n",
        "Error parsing arguments verbosity command line verbosity 3 4\n",
        255,
    );
    daemon.stop();
}

#[test]
fn the_signers_lists() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for_all(&[&["[STATS] example.com "], &["[STATS]", LONG]]);
    let clients = Clients::of(&installation);
    clients.signer("zones").is(&format!("There are 2 zones configured\n- example.com\n- {LONG}\n"));
    let queue = clients.signer("queue").stdout;
    let lines: Vec<&str> = queue.lines().collect();
    let is_time = |text: &str| text.len() == "Sun Nov 22 10:16:44 2026".len();
    assert!(lines[0].strip_prefix("It is now ").is_some_and(is_time), "{queue}");
    assert_eq!(lines[1..3], ["", "There are 2 tasks scheduled."], "{queue}");
    for line in &lines[3..] {
        let (time, zone) = line.split_once(" I will [sign] zone ").expect(&queue);
        assert!(time.strip_prefix("On ").is_some_and(is_time), "{queue}");
        assert!(["example.com", LONG].contains(&zone), "{queue}");
    }
    assert_eq!(lines.len(), 5, "{queue}");
    clients.signer("sign nosuch").ends("Error: Zone nosuch not found.\n", "", 1);
    clients.signer("sign").ends("Error: Zone  not found.\n", "", 1);
    clients.signer("clear nosuch").is("Cannot clear zone nosuch, zone not found");
    clients.signer("update nosuch").ends(
        "Error: Zone nosuch not found.\n\
         Zone list has not changed. Signer configurations updated.\n",
        "",
        1,
    );
    clients
        .signer("update --all")
        .is("Zone list has not changed. Signer configurations updated.\n");
    clients.signer("update example.com").is("Zone example.com config being updated.\n");
    clients.signer("bogus").ends("Unknown command bogus.\nCommands:\n", "", 1);
    clients.signer("start").is("Engine already running.\n");
    clients.signer("running").is("Engine running.\n");
    clients.signer("verbosity 5").is("Verbosity level set to 5.\n");
    let help = clients.signer("help").stdout;
    assert!(help.starts_with("Commands:\nzones                       Show the"), "{help}");
    daemon.stop();
}

#[test]
fn the_interactive_mode_is_debians() {
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let clients = Clients::of(&installation);
    let said = clients.enforcer_typed("reload\n\nhelp verbosity\nexit\nstop\n");
    said.ends(
        "cmd> reload\nReloading engine.\ncmd> \ncmd> help verbosity\nUsage:\nverbosity <nr>\n\n\
         Help:\nSet verbosity.\n\ncmd> exit\n",
        "Command exit code: 0\nCommand exit code: 0\n",
        0,
    );
    let said = clients.signer_typed("  running  \nbogus");
    said.ends(
        "cmd> running\nEngine running.\ncmd> bogus\nUnknown command bogus.\nCommands:\ncmd> \n",
        "Daemon exit code: 0\nDaemon exit code: 1\n",
        0,
    );
    daemon.stop();
}
