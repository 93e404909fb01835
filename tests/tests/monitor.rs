//! `monitor`, `check_anchorite` and the metrics at a running daemon: the same text and the same
//! exit code from both, at once although the token hangs; the examples of the manual's page;
//! wrong arguments; the way by HTTP.

use anchorite_tests::daemon::{Daemon, Installation};
use anchorite_tests::fault_module::FaultyToken;
use anchorite_tests::peers::{Setup, Software};
use anchorite_tests::program::anchorite;
use anchorite_tests::signing::repository_text;
use nix::sys::signal::{Signal, kill};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ZONE: &str = "example.com";

fn installation() -> Installation {
    let installation = Installation::new("default");
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.80");
    installation.write_zonelist(&[(ZONE, "default")]);
    installation
}

/// What a program says to these words, and its exit code. `name` is `anchorite` or
/// `check_anchorite`.
fn said(installation: &Installation, name: &str, words: &[&str]) -> (String, i32) {
    let mut command = Command::new(anchorite());
    command.arg0(name).args(["-s", &installation.socket()]).args(words);
    let output = command.output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

/// Waits until a check has this beginning.
#[track_caller]
fn wait_for(installation: &Installation, check: &str, beginning: &str, most: Duration) -> String {
    let begin = Instant::now();
    loop {
        let (text, _) = said(installation, "check_anchorite", &[check]);
        if text.starts_with(beginning) {
            return text;
        }
        assert!(begin.elapsed() < most, "{check}: {text}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn started(installation: &Installation) -> Daemon {
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]", ZONE]);
    // What is shown may be some seconds old.
    wait_for(installation, "signatures", "SIGNATURES OK - first", Duration::from_secs(30));
    wait_for(installation, "health", "HEALTH OK", Duration::from_secs(30));
    daemon
}

#[test]
fn plugin_and_command_say_the_same() {
    let installation = installation();
    let daemon = started(&installation);
    let checks = ["signatures", "audit", "keys", "ds", "input", "output", "clock"];
    for check in checks {
        // Seconds pass between the two.
        let without_numbers =
            |text: String| -> String { text.chars().filter(|it| !it.is_ascii_digit()).collect() };
        for verbosity in [&[][..], &["-v"], &["-vvv"]] {
            let words = [&[check][..], verbosity].concat();
            let (plugin, code) = said(&installation, "check_anchorite", &words);
            assert_eq!(code, 0, "{plugin}");
            assert!(plugin.starts_with(&format!("{} OK - ", check.to_uppercase())), "{plugin}");
            let words = [&["monitor", check][..], verbosity].concat();
            let (command, again) = said(&installation, "anchorite", &words);
            assert_eq!(again, code);
            assert_eq!(without_numbers(command), without_numbers(plugin));
        }
    }
    daemon.stop();
}

/// Every command of the page says the state that stands below it.
#[test]
fn the_examples_of_the_manual_are_true() {
    let installation = installation();
    let daemon = started(&installation);
    let page = repository_text("docs/src/monitoring.md");
    let (_, page) = page.split_once("```console\n").unwrap();
    let (examples, _) = page.split_once("```").unwrap();
    let mut lines = examples.lines();
    let mut count = 0;
    while let (Some(command), Some(expected)) = (lines.next(), lines.next()) {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(words[0], "$");
        let (text, code) = said(&installation, words[1], &words[2..]);
        let head = |text: &str| text.split_once(" - ").unwrap().0.to_owned();
        let labels = |text: &str| -> Vec<String> {
            let (_, measures) = text.trim_end().split_once(" | ").unwrap();
            measures.split(' ').map(|it| it.split_once('=').unwrap().0.to_owned()).collect()
        };
        assert_eq!((head(&text), code), (head(expected), 0), "{command}: {text}");
        // A token that was not used since it was opened has no last request.
        if !labels(expected).contains(&"probe".to_owned()) {
            assert_eq!(labels(&text), labels(expected), "{command}");
        }
        count += 1;
    }
    assert_eq!(count, 5);
    daemon.stop();
}

#[test]
fn what_is_wrong_is_unknown_and_a_daemon_that_is_away_critical() {
    let installation = installation();
    let daemon = started(&installation);
    for words in [
        &["weather"][..],
        &["audit", "other.example"],
        &["hsm", "other"],
        &["publish", "-w", "x"],
        &["publish", "-c", "5:4"],
        &["publish", "--what"],
        &["health", "-w", "5"],
        &["a", "b", "c"],
    ] {
        let (text, code) = said(&installation, "check_anchorite", words);
        assert_eq!(code, 3, "{words:?}: {text}");
        let (text, code) = said(&installation, "anchorite", &[&["monitor"][..], words].concat());
        assert_eq!(code, 3, "{words:?}: {text}");
        let first = text.lines().next().unwrap();
        assert!(first.contains(" UNKNOWN - "), "{first}");
    }
    let (text, code) = said(&installation, "check_anchorite", &["signatures", "-c", "99999999:"]);
    assert_eq!(code, 2, "{text}");
    let (text, code) = said(&installation, "check_anchorite", &["signatures", "-w", "99999999:"]);
    assert_eq!(code, 1, "{text}");
    daemon.stop();
    for (name, words) in
        [("check_anchorite", &["keys"][..]), ("anchorite", &["monitor", "keys"][..])]
    {
        let (text, code) = said(&installation, name, words);
        assert_eq!(text, "KEYS CRITICAL - the daemon does not run; say \"anchorite start\"\n");
        assert_eq!(code, 2);
    }
}

/// A token that hangs is an alarm, and the answer comes at once: nobody waits for the token.
#[test]
fn a_token_that_hangs_is_critical_and_not_a_timeout() {
    let (installation, token) = with_faulty_token();
    let daemon = started(&installation);
    token.rules("C_Sign always stall");
    let begin = Instant::now();
    wait_for(&installation, "hsm", "HSM CRITICAL - SoftHSM: ", Duration::from_secs(30));
    println!("a token that hangs shows after {:.1} s", begin.elapsed().as_secs_f32());
    let begin = Instant::now();
    let (text, code) = said(&installation, "check_anchorite", &["health"]);
    println!("a verdict takes {:?}, the start of the program included", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(5), "{text}");
    assert_eq!(code, 2, "{text}");
    token.rules("");
    wait_for(&installation, "hsm", "HSM OK", Duration::from_secs(90));
    daemon.stop();
}

/// An installation, and its token, which fails as it is told to.
fn with_faulty_token() -> (Installation, FaultyToken) {
    let mut installation = Installation::new("tld-optout");
    let token = FaultyToken::installed(&mut installation);
    installation.write_small_zone(ZONE, 1, "www IN A 192.0.2.80");
    installation.write_zonelist(&[(ZONE, "tld")]);
    (installation, token)
}

/// The daemon starts while its token is away: what is published expires all the same.
#[test]
fn a_start_without_the_token_knows_when_signatures_expire() {
    let (installation, token) = with_faulty_token();
    let daemon = started(&installation);
    daemon.stop();
    token.rules("* always unplug before");
    let daemon = installation.start();
    wait_for(&installation, "hsm", "HSM CRITICAL", Duration::from_secs(30));
    let text = wait_for(
        &installation,
        "signatures",
        "SIGNATURES OK - first of 1 zones expires in",
        Duration::from_secs(30),
    );
    assert!(text.contains("| sig_min="), "{text}");
    token.rules("");
    wait_for(&installation, "hsm", "HSM OK", Duration::from_secs(90));
    daemon.stop();
}

/// Runs that read nothing do not mend the zone file.
#[test]
fn a_zone_file_that_cannot_be_read_stays_critical_until_one_is_read() {
    let installation = installation();
    let daemon = started(&installation);
    let last_run = || {
        let (text, _) = said(&installation, "anchorite", &["metrics"]);
        let name = "anchorite_zone_run_timestamp_seconds";
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let tell = |words: &[&str]| {
        let (text, code) = said(&installation, "anchorite", words);
        assert_eq!(code, 0, "{words:?}: {text}");
    };
    let critical = "INPUT CRITICAL - example.com: cannot be read: ";
    installation.write_zone(ZONE, "@ IN SOA what\n");
    tell(&["sign", ZONE]);
    wait_for(&installation, "input", critical, Duration::from_secs(30));
    let before = last_run();
    tell(&["key", "rollover", "--zone", ZONE, "--keytype", "ZSK"]);
    let begin = Instant::now();
    while last_run() == before {
        assert!(begin.elapsed() < Duration::from_secs(60), "no run with the new key");
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let (text, code) = said(&installation, "check_anchorite", &["input"]);
    assert!(text.starts_with(critical) && code == 2, "{text}");
    installation.write_small_zone(ZONE, 2, "www IN A 192.0.2.80");
    tell(&["sign", ZONE]);
    wait_for(&installation, "input", "INPUT OK", Duration::from_secs(30));
    daemon.stop();
}

/// A master that takes connections and says nothing: a warning when the refresh is overdue.
#[test]
fn a_master_that_hangs_is_a_warning_and_no_ok() {
    let text = format!(
        "$ORIGIN {ZONE}.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 4 2 3600 60\n\
         @ IN NS ns1\nns1 IN A 192.0.2.1\n"
    );
    let master = Setup::primary(Software::Nsd, ZONE, &text).start();
    let address = master.address();
    let installation = installation();
    let addns = format!(
        "<?xml version=\"1.0\"?>\n<Adapter><DNS><Inbound><RequestTransfer><Remote>\
         <Address>{}</Address><Port>{}</Port></Remote></RequestTransfer>\
         </Inbound></DNS></Adapter>\n",
        address.ip(),
        address.port()
    );
    installation.write("addns.xml", &addns);
    let file = installation.unsigned(ZONE);
    let from = format!("<Adapter type=\"File\">{}</Adapter>", file.display());
    let addns = installation.path("addns.xml");
    let to = format!("<Adapter type=\"DNS\">{}</Adapter>", addns.display());
    installation.edit("zonelist.xml", &from, &to);
    let daemon = started(&installation);
    wait_for(&installation, "input", "INPUT OK", Duration::from_secs(30));
    let killed = master.kill();
    let hanging = (TcpListener::bind(address).unwrap(), UdpSocket::bind(address).unwrap());
    let beginning = "INPUT WARNING - example.com: not confirmed for ";
    let text = wait_for(&installation, "input", beginning, Duration::from_secs(90));
    assert!(text.contains(&format!(", asking {}", address.ip())), "{text}");
    drop(hanging);
    let master = killed.start();
    wait_for(&installation, "input", "INPUT OK", Duration::from_secs(90));
    daemon.stop();
    drop(master);
}

/// A daemon that hangs is an alarm in time, also for the command.
#[test]
fn a_daemon_that_hangs_is_critical_in_time() {
    let installation = installation();
    let daemon = started(&installation);
    kill(daemon.pid(), Signal::SIGSTOP).unwrap();
    let (text, code) = said(&installation, "check_anchorite", &["-t", "1", "hsm"]);
    assert_eq!((text.as_str(), code), ("HSM CRITICAL - no answer from the daemon within 1 s\n", 2));
    let (text, code) = said(&installation, "anchorite", &["monitor", "hsm"]);
    assert_eq!(
        (text.as_str(), code),
        ("HSM CRITICAL - no answer from the daemon within 10 s\n", 2)
    );
    kill(daemon.pid(), Signal::SIGCONT).unwrap();
    daemon.stop();
}

#[test]
fn metrics_come_by_command_and_by_http() {
    let installation = installation();
    let daemon = started(&installation);
    let (text, code) = said(&installation, "anchorite", &["metrics"]);
    assert_eq!(code, 0);
    assert!(text.ends_with("# EOF\n"), "{text}");
    for line in [
        "anchorite_check_state{check=\"health\"} 0\n",
        "anchorite_zone_serial{zone=\"example.com\",side=\"in\"} 1\n",
        "# TYPE anchorite_audit_verdicts counter\nanchorite_audit_verdicts_total 1\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let mut host = Command::new(anchorite())
        .args(["metrics-host", "--listen", "127.0.0.1:0", "-s", &installation.socket()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("metrics at http://").unwrap();
    let address = address.strip_suffix("/metrics").unwrap().to_owned();
    let get = |request: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let answer = get("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
    assert!(answer.contains("# TYPE anchorite_audit_verdicts_total counter\n"), "{answer}");
    assert!(get("GET /secrets HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    daemon.stop();
    assert!(get("GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 503"));
    host.kill().unwrap();
    host.wait().unwrap();
}
