//! Scripts for the shell, roles, and the commands about the box.

use anchorite_tests::daemon::Installation;
use anchorite_tests::program::anchorite;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn run(words: &[&str], input: &str) -> Output {
    let mut command = Command::new(anchorite());
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_small_zone("example.com", 1, "");
    installation.write_zonelist(&[("example.com", "default")]);
    installation
}

#[test]
fn scripts_have_exit_codes_and_both_streams() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let socket = installation.socket();
    let shell = |input: &str| run(&["shell", "-s", &socket], input);
    let said = shell("zones | count\n");
    assert_eq!((text(&said.stdout), said.status.code()), ("2\n", Some(0)));
    let said = shell("zone lis\n");
    assert_eq!(said.status.code(), Some(2), "short words are for hands only");
    assert!(text(&said.stderr).ends_with("Did you mean \"zone list\"?\n"));
    let said = shell("show zones | json\n");
    let zones: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(zones[0]["zone"], "example.com");
    let said = shell("show zones | csv\n");
    assert!(text(&said.stdout).lines().count() == 2, "{}", text(&said.stdout));
    let said = shell(&format!("{}\nzones | first 1\n", "x".repeat(1 << 20)));
    assert_eq!(text(&said.stdout), "There are 1 zones configured\n");
    assert!(text(&said.stderr).contains("this one was not run"));
    daemon.stop();
}

#[test]
fn somebody_else_has_the_roles_that_were_said_and_a_name_in_the_log() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let socket = installation.socket();
    let on_behalf = |roles: &str, input: &str| {
        let words = ["shell", "-s", &socket, "--name", "alice", "--roles", roles, "--via", "test"];
        run(&words, input)
    };
    let said = on_behalf("monitor", "zones\n");
    let refused = "zones: this needs the role auditor or operator or admin or officer, and alice \
                   is monitor\n";
    assert_eq!((text(&said.stderr), said.status.code()), (refused, Some(1)));
    assert_eq!(on_behalf("monitor", "show status\n").status.code(), Some(0));
    assert_eq!(on_behalf("auditor", "zones\n").status.code(), Some(0));
    assert_eq!(on_behalf("auditor", "flush\n").status.code(), Some(1));
    assert_eq!(on_behalf("operator", "flush\n").status.code(), Some(0));
    let said = on_behalf("operator", "key rollover -z example.com -t KSK\n");
    assert!(text(&said.stderr).contains("this needs the role officer"), "{}", text(&said.stderr));
    assert_eq!(on_behalf("operator", "stop\n").status.code(), Some(1));
    let log = daemon.stop();
    assert!(log.contains("received command flush from alice by test through user"), "{log}");
}

#[test]
fn the_box_shows_itself_at_once() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let socket = installation.socket();
    let ask = |line: &str| {
        let words: Vec<&str> = ["-s", &*socket].into_iter().chain(line.split(' ')).collect();
        run(&words, "")
    };
    for line in
        ["show status", "show alarms", "show keys", "show hsm", "show tasks", "show version"]
    {
        let said = ask(&format!("{line} --json"));
        assert_eq!(said.status.code(), Some(0), "{line}: {}", text(&said.stderr));
        serde_json::from_slice::<Value>(&said.stdout).unwrap();
        let quickest = (0..5).map(|_| {
            let begin = Instant::now();
            ask(line);
            begin.elapsed()
        });
        // With the start of a process around it.
        assert!(quickest.min().unwrap() < Duration::from_millis(300), "{line}");
    }
    let said = ask("show zone exampel.com");
    assert_eq!(said.status.code(), Some(2));
    let said = ask("explain zone exampel.com");
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).ends_with("Did you mean \"example.com\"?\n"));
    assert_eq!(text(&ask("names zones ex").stdout), "example.com\n");
    let said = ask("request reboot --yes");
    assert_eq!(said.status.code(), Some(1));
    assert!(text(&said.stderr).contains("this is not the appliance image"));
    daemon.stop();
}

#[test]
fn a_support_bundle_has_no_secrets() {
    let installation = installation();
    let pin = installation.read("conf.xml");
    let pin = pin.split_once("<PIN>").and_then(|(_, rest)| rest.split_once("</PIN>"));
    let pin = pin.map_or("", |(pin, _)| pin).to_owned();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let socket = installation.socket();
    let listed = run(&["-s", &socket, "request", "support-bundle"], "");
    let listed = text(&listed.stdout).to_owned();
    assert!(listed.contains("conf.xml") && listed.contains("version.txt"), "{listed}");
    let bundle = run(&["-s", &socket, "request", "support-bundle", "--tar"], "");
    std::fs::write(installation.path("bundle.tar"), &bundle.stdout).unwrap();
    let mut tar = Command::new("tar");
    let output = tar.args(["-xOf"]).arg(installation.path("bundle.tar")).output().unwrap();
    let all = text(&output.stdout);
    assert!(output.status.success() && all.contains("example.com: "), "{all}");
    assert!(pin.is_empty() || !all.contains(&format!(">{pin}<")), "the PIN is in it");
    daemon.stop();
}

#[test]
fn scripts_and_pages_come_out_of_the_binary() {
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&["completions", shell], "");
        assert!(text(&said.stdout).contains("anchorite names"), "{shell}");
    }
    assert_eq!(run(&["completions", "tcsh"], "").status.code(), Some(2));
    assert!(text(&run(&["man", "zone", "add"], "").stdout).contains(".SH SYNOPSIS"));
    let folder = tempfile::tempdir().unwrap();
    let said = run(&["man", "--write", &folder.path().to_string_lossy()], "");
    assert_eq!(said.status.code(), Some(0));
    assert!(folder.path().join("anchorite.1").exists());
    assert!(std::fs::read_dir(folder.path()).unwrap().count() > 60);
}
