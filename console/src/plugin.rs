//! `check_anchorite`: the daemon's `monitor` as a plugin of Nagios and its kin (Monitoring Plugins
//! guidelines). In: words. Out: one line at least on standard output; exit codes 0 OK, 1 WARNING,
//! 2 CRITICAL, 3 UNKNOWN, and never another one.
//! A daemon that is away, or says nothing in time, is CRITICAL: nothing is signed then. What keeps
//! the plugin from looking (rights, wrong arguments, another version) is UNKNOWN.
//! Limits: [`TIME_MAX`], unless told; a day at most.

use crate::Terminal;
use crate::client::{ClientError, Connection};
use crate::tool::{ENFORCER_SOCKET, VERSION};
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Given, Known, Place, take_apart};
use std::io;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Longest wait for the daemon, in seconds.
const TIME_MAX: u64 = 10;
/// Longest wait that may be asked for, in seconds.
const TIMEOUT_MAX: u64 = 86_400;
/// Characters of the line; what a pager shows.
const LINE_MAX: usize = 79;
const CRITICAL: u8 = 2;
const UNKNOWN: u8 = 3;

const USAGE: &str = "\
Usage: check_anchorite [-s SOCKET] [-t SECONDS] [-w RANGE] [-c RANGE] [-v]...
                       [CHECK [ZONE | REPOSITORY]]
";
const HELP: &str = "
Says how Anchorite is: health (the worst of all others, and the default),
signatures, publish, audit, keys, ds, hsm, input, output, queue or clock.
It runs on the box itself; from elsewhere use check_by_ssh -C \"monitor CHECK\".

 -h, --help            this text
 -V, --version         the version
 -s, --socket=FILE     the daemon's control socket
                       (/run/opendnssec/enforcer.sock)
 -t, --timeout=SECONDS longest wait for the daemon (10)
 -w, --warning=RANGE   instead of the threshold of the zones' policies
 -c, --critical=RANGE  the same; RANGE is [@]START:END, such as 259200:
 -v, --verbose         say more: names, a line for each, everything
";
const OPTIONS: &[Known] = &[
    Known { short: 'h', long: "help", takes_value: false },
    Known { short: 'V', long: "version", takes_value: false },
    Known { short: 's', long: "socket", takes_value: true },
    Known { short: 't', long: "timeout", takes_value: true },
    Known { short: 'w', long: "warning", takes_value: true },
    Known { short: 'c', long: "critical", takes_value: true },
    Known { short: 'v', long: "verbose", takes_value: false },
];

/// What the words ask for.
struct Wanted {
    socket: String,
    timeout: Duration,
    /// For the daemon.
    words: Vec<String>,
}

/// Runs the plugin.
pub fn main(arguments: &[String], terminal: &mut Terminal<'_>) -> u8 {
    let (text, code) = match wanted(arguments) {
        Ok(wanted) => look(wanted),
        Err(answer) => answer,
    };
    terminal.say(&text);
    code
}

/// What is asked for, or the answer when there is nothing to look at.
fn wanted(arguments: &[String]) -> Result<Wanted, (String, u8)> {
    let wrong = |text: &str| {
        let line = line("anchorite", UNKNOWN, text);
        Err((line + USAGE, UNKNOWN))
    };
    let apart = take_apart(arguments, OPTIONS, Place::Anywhere);
    let mut socket = ENFORCER_SOCKET.to_owned();
    let mut timeout = TIME_MAX;
    let mut options = Vec::new();
    for given in apart.given {
        match given {
            Given::Option('h', _) => return Err((format!("{USAGE}{HELP}"), UNKNOWN)),
            Given::Option('V', _) => {
                return Err((format!("check_anchorite version {VERSION}\n"), UNKNOWN));
            }
            Given::Option('s', Some(path)) => socket = path,
            Given::Option('t', Some(typed)) => match typed.parse() {
                Ok(seconds) if (1..=TIMEOUT_MAX).contains(&seconds) => timeout = seconds,
                _ => return wrong(&format!("--timeout {typed}: expected 1 to {TIMEOUT_MAX}")),
            },
            Given::Option('w', Some(range)) => options.push(format!("--warning={range}")),
            Given::Option('c', Some(range)) => options.push(format!("--critical={range}")),
            Given::Option('v', _) => options.push("--verbose".to_owned()),
            Given::Option(..) => {}
            Given::Wrong(complaint) => return wrong(&complaint),
        }
    }
    if apart.operands.len() > 2 {
        return wrong("too many arguments");
    }
    let mut words = vec!["monitor".to_owned()];
    words.extend(apart.operands);
    if words.len() == 1 {
        words.push("health".to_owned());
    }
    words.extend(options);
    Ok(Wanted { socket, timeout: Duration::from_secs(timeout), words })
}

/// What `monitor` says to these words, and its exit code: a line, whatever becomes of the daemon.
pub(crate) fn asked(socket: &str, words: Vec<String>) -> (String, u8) {
    look(Wanted { socket: socket.to_owned(), timeout: Duration::from_secs(TIME_MAX), words })
}

/// Asks the daemon, in time.
fn look(wanted: Wanted) -> (String, u8) {
    let Wanted { socket, timeout, words } = wanted;
    let (sender, answer) = channel();
    let asked = words.clone();
    // Connecting may take as long as an answer, when the daemon is stuck. The thread ends with the
    // process, or with its answer.
    std::thread::spawn(move || {
        let _ = sender.send(ask(&socket, words));
    });
    answer.recv_timeout(timeout).unwrap_or_else(|_| no_answer(&asked, timeout.as_secs()))
}

fn no_answer(words: &[String], seconds: u64) -> (String, u8) {
    let text = format!("no answer from the daemon within {seconds} s");
    (line(check_of(words), CRITICAL, &text), CRITICAL)
}

fn ask(socket: &str, words: Vec<String>) -> (String, u8) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let check = check_of(&words).to_owned();
    let result = Connection::open(socket).and_then(|mut connection| {
        let mut terminal = Terminal {
            stdin: &mut io::empty(),
            is_interactive: false,
            stdout: &mut stdout,
            stderr: &mut stderr,
            start: &mut |_| false,
        };
        connection.command(FrontEnd::Appliance, words, &mut terminal)
    });
    match result {
        Ok(code) if !stdout.is_empty() => {
            (String::from_utf8_lossy(&stdout).into_owned(), code.min(UNKNOWN))
        }
        // Refused, or of another version: whatever the code means, it is no verdict.
        Ok(_) => {
            let text = String::from_utf8_lossy(&stderr);
            (line(&check, UNKNOWN, text.lines().next().unwrap_or("no answer")), UNKNOWN)
        }
        Err(error) => failed(&check, &error),
    }
}

/// The check that the words name.
fn check_of(words: &[String]) -> &str {
    let named = words.iter().skip_while(|word| *word != "monitor").nth(1);
    named.filter(|word| !word.starts_with('-')).map_or("monitor", String::as_str)
}

/// What `monitor` says when the daemon does not: text for standard output, and the exit code.
/// `None`: the words are another command.
pub fn away(words: &[String], error: &ClientError) -> Option<(String, u8)> {
    is_monitor(words).then(|| failed(check_of(words), error))
}

/// What `monitor` says when the daemon has said nothing for so long. `None`: the words are another
/// command.
pub fn silent(words: &[String], length: Duration) -> Option<(String, u8)> {
    is_monitor(words).then(|| no_answer(words, length.as_secs()))
}

fn is_monitor(words: &[String]) -> bool {
    words.iter().find(|word| !word.starts_with('-')).is_some_and(|word| word == "monitor")
}

fn failed(check: &str, error: &ClientError) -> (String, u8) {
    let (code, text) = match error {
        ClientError::Connect { cause, .. } => match cause.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                (CRITICAL, "the daemon does not run; say \"anchorite start\"".to_owned())
            }
            io::ErrorKind::PermissionDenied => {
                (UNKNOWN, "no right to ask the daemon: join the group of its socket".to_owned())
            }
            _ => (UNKNOWN, error.to_string()),
        },
        ClientError::Closed | ClientError::Broken(_) => {
            (CRITICAL, format!("the daemon ended before it answered: {error}"))
        }
        ClientError::Frame(_) => (UNKNOWN, format!("plugin and daemon differ: {error}")),
        ClientError::Input(_) | ClientError::InputTooLong | ClientError::InputNotText => {
            (UNKNOWN, error.to_string())
        }
    };
    (line(check, code, &text), code)
}

/// One line of a plugin.
fn line(check: &str, code: u8, text: &str) -> String {
    let state = if code == CRITICAL { "CRITICAL" } else { "UNKNOWN" };
    let line = format!("{} {state} - {text}", check.to_uppercase());
    let plain = |it: char| match it {
        '|' => '/',
        it if it == ' ' || it.is_ascii_graphic() => it,
        _ => '?',
    };
    line.chars().map(plain).take(LINE_MAX).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    fn run(words: &[&str]) -> (String, u8) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut stdout = Vec::new();
        let mut terminal = Terminal {
            stdin: &mut io::empty(),
            is_interactive: false,
            stdout: &mut stdout,
            stderr: &mut io::sink(),
            start: &mut |_| false,
        };
        let code = main(&words, &mut terminal);
        (String::from_utf8(stdout).unwrap(), code)
    }

    #[test]
    fn wrong_words_are_unknown_and_say_how() {
        for words in [&["-x"][..], &["-t", "0"], &["-t", "x"], &["a", "b", "c"], &["-w"]] {
            let (text, code) = run(words);
            assert_eq!(code, UNKNOWN, "{words:?}");
            assert!(text.starts_with("ANCHORITE UNKNOWN - "), "{text}");
            assert!(text.ends_with(USAGE), "{text}");
        }
        assert!(run(&["-h"]).0.contains("check_by_ssh"));
        assert!(run(&["--version"]).0.starts_with("check_anchorite version 2.1"));
    }

    #[test]
    fn a_daemon_that_is_away_is_critical() {
        let (text, code) = run(&["-s", "/nowhere/at/all", "audit"]);
        assert_eq!(code, CRITICAL);
        assert_eq!(text, "AUDIT CRITICAL - the daemon does not run; say \"anchorite start\"\n");
        assert!(run(&["-s", "/nowhere/at/all"]).0.starts_with("HEALTH CRITICAL"));
    }

    #[test]
    fn a_daemon_that_says_nothing_is_critical_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let path = path.to_str().unwrap();
        let (text, code) = run(&["-s", path, "-t", "1", "hsm"]);
        assert_eq!(
            (text.as_str(), code),
            ("HSM CRITICAL - no answer from the daemon within 1 s\n", 2)
        );
        drop(listener);
        assert_eq!(run(&["-s", path, "hsm"]).1, CRITICAL);
    }

    #[test]
    fn only_monitor_has_a_state_when_the_daemon_is_away() {
        let (error, ten) = (ClientError::Closed, Duration::from_secs(10));
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!((away(&words("zones"), &error), silent(&words("zones"), ten)), (None, None));
        let (text, code) = silent(&words("monitor hsm SoftHSM"), ten).unwrap();
        assert_eq!(text, "HSM CRITICAL - no answer from the daemon within 10 s\n");
        assert_eq!(code, CRITICAL);
        let (text, code) = away(&words("monitor signatures -w 5"), &error).unwrap();
        assert!(text.starts_with("SIGNATURES CRITICAL - the daemon ended") && code == CRITICAL);
        assert!(text.len() <= LINE_MAX + 1);
    }
}
