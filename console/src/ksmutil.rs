//! `ods-ksmutil`, the front end of OpenDNSSEC 1.1 to 1.4 (catalogue 1.10), for scripts and hands
//! that know it. In: words, a terminal. Out: texts and exit codes of 1.4.
//!
//! There the program worked on the database; here it gives commands to the daemon, which has to
//! run. As there, words of commands are in any case, options stand anywhere, and paths are relative
//! to the caller's folder. What 1.4 says on standard output stands there here too, complaints
//! included; what is ours to say is on standard error.
//! Exit codes: 1 wrong options, 255 no such command, 201 no daemon; else the command's.

use crate::Terminal;
use crate::client::{ClientError, Connection};
use crate::tool::VERSION;
use console_protocol::help;
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Given, Known, Place, take_apart};
use console_protocol::parse::{ParseError, parse};
use console_protocol::table::{self, Family};
use std::path::Path;
use std::time::Duration;

/// How long a stopping daemon may take without a word.
const PATIENCE: Duration = Duration::from_secs(20);
/// Exit code of a wrong option, as `getopt` has it there.
const OPTION_CODE: u8 = 1;
/// Exit code of a command that does not exist: -1 there.
const UNKNOWN_CODE: u8 = 255;
/// Letters that stand for options of this program; none of the commands has them.
const SOCKET: char = 'S';
/// `-5` of 1.4.
const RFC5011: char = '5';

const fn flag(long: &'static str, short: char) -> Known {
    Known { short, long, takes_value: false }
}

const fn value(long: &'static str, short: char) -> Known {
    Known { short, long, takes_value: true }
}

/// The options of 1.4, in its order, and `--socket`.
const OPTIONS: &[Known] = &[
    flag("all", 'a'),
    flag("auto-accept", 'A'),
    value("bits", 'b'),
    flag("rfc5011", RFC5011),
    value("config", 'c'),
    flag("check-repository", 'C'),
    flag("ds", 'd'),
    value("keystate", 'e'),
    flag("no-retire", 'f'),
    flag("force", 'F'),
    value("algorithm", 'g'),
    flag("help", 'h'),
    value("input", 'i'),
    value("in-type", 'j'),
    value("cka_id", 'k'),
    flag("no-notify", 'l'),
    flag("no-xml", 'm'),
    flag("no-hsm", 'M'),
    value("interval", 'n'),
    value("output", 'o'),
    value("policy", 'p'),
    value("out-type", 'q'),
    value("repository", 'r'),
    value("signerconf", 's'),
    value("keytype", 't'),
    value("time", 'w'),
    flag("verbose", 'v'),
    flag("version", 'V'),
    value("keytag", 'x'),
    value("retire", 'y'),
    value("tdead", 'Y'),
    value("zone", 'z'),
    value("zonetotal", 'Z'),
    value("socket", SOCKET),
];

/// Options whose values are paths.
const PATHS: [char; 3] = ['i', 'o', 's'];

const STATES_HELP: &str = "key states: GENERATE|PUBLISH|READY|ACTIVE|RETIRE|DEAD\n\
                           key types:  KSK|ZSK\n";

/// What this front end needs of the program around it.
pub struct Surroundings<'a> {
    /// The folder that relative paths are relative to.
    pub folder: &'a Path,
    /// The control socket that a conf.xml names; `None`: the usual conf.xml, if there is one.
    pub socket_of: &'a dyn Fn(Option<&Path>) -> Result<String, String>,
}

/// The words of a command line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    /// The command, its operands and options, as the table has them.
    words: Vec<String>,
    config: Option<String>,
    socket: Option<String>,
    wants_help: bool,
    wants_version: bool,
}

/// Runs `ods-ksmutil` under the name `program`.
pub fn main(
    program: &str,
    arguments: &[String],
    around: &Surroundings<'_>,
    terminal: &mut Terminal<'_>,
) -> u8 {
    let line = match read(arguments, around.folder) {
        Ok(line) => line,
        Err(complaint) => {
            terminal.complain(&format!("{program}: {complaint}\n{}", usage(program)));
            return OPTION_CODE;
        }
    };
    if line.wants_help {
        let dates = console_protocol::table::DATE_HELP;
        terminal.complain(&format!("{}{STATES_HELP}{dates}", usage(program)));
        return 0;
    }
    if line.wants_version {
        terminal.say(&format!("opendnssec version {VERSION}\n"));
        return 0;
    }
    match line.words.first().map(String::as_str) {
        None => {
            terminal.complain(&usage(program));
            return OPTION_CODE;
        }
        Some("help") => return say_help(program, &line.words[1..], terminal),
        Some(_) => {}
    }
    if let Err(error) = parse(FrontEnd::Ksmutil, &line.words) {
        return refuse(program, &error, terminal);
    }
    let socket = match line
        .socket
        .clone()
        .map_or_else(|| (around.socket_of)(line.config.as_deref().map(Path::new)), Ok)
    {
        Ok(socket) => socket,
        Err(complaint) => {
            terminal.complain(&format!("{program}: {complaint}\n"));
            return OPTION_CODE;
        }
    };
    match Connection::open(&socket) {
        Ok(connection) => give(connection, line.words, terminal),
        Err(error) => away(&error, &line, around, terminal),
    }
}

/// Takes a command line apart: the command's words in small letters, its options by their long
/// names, its paths whole.
fn read(arguments: &[String], folder: &Path) -> Result<Line, String> {
    let apart = take_apart(arguments, OPTIONS, Place::Anywhere);
    let mut line = Line::default();
    let is_word = |at: usize| at < 2;
    for (at, operand) in apart.operands.into_iter().enumerate() {
        line.words.push(if is_word(at) { operand.to_ascii_lowercase() } else { operand });
    }
    for given in apart.given {
        match given {
            Given::Wrong(complaint) => return Err(complaint),
            Given::Option('c', value) => line.config = value,
            Given::Option(SOCKET, value) => line.socket = value,
            Given::Option('h', _) => line.wants_help = true,
            Given::Option('V', _) => line.wants_version = true,
            Given::Option(RFC5011, _) => {
                let why = "option '--rfc5011': <RFC5011/> in kasp.xml says which keys roll so";
                return Err(why.to_owned());
            }
            Given::Option(letter, value) => {
                let known = OPTIONS.iter().find(|known| known.short == letter);
                let long = known.map_or("", |known| known.long);
                line.words.push(match value {
                    None => format!("--{long}"),
                    Some(path) if PATHS.contains(&letter) => {
                        format!("--{long}={}", folder.join(path).display())
                    }
                    Some(value) => format!("--{long}={value}"),
                });
            }
        }
    }
    Ok(line)
}

/// The usage of 1.4, and ours.
fn usage(program: &str) -> String {
    format!(
        "usage: {program} [-c <config> | --config <config>] command [options]\n\n  help\n  \
         --version                                      aka -V\n{}",
        help::list(FrontEnd::Ksmutil)
    )
}

/// The usage of the commands whose first word is this one; of all, if none is.
fn usage_of(program: &str, first: &str) -> String {
    let is_meant = |path: &str| path.split(' ').next() == Some(first);
    let mut text = String::new();
    let mut last = "";
    for command in table::of(Family::Ksmutil).iter().filter(|command| is_meant(command.path)) {
        if command.usage != last {
            text += command.usage;
        }
        last = command.usage;
    }
    match text.is_empty() {
        true => usage(program),
        false => {
            let config = "[-c <config> | --config <config>]";
            format!("usage: {program} {config} {first}\n\n{text}")
        }
    }
}

/// `help`, also in the middle of a command as 1.4's manual has it.
fn say_help(program: &str, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    let text = match table::find(FrontEnd::Ksmutil, words) {
        Some((command, _)) => help::of(command),
        None => match words.first() {
            Some(first) => usage_of(program, first),
            None => usage(program),
        },
    };
    terminal.say(&text);
    0
}

fn refuse(program: &str, error: &ParseError, terminal: &mut Terminal<'_>) -> u8 {
    match error {
        ParseError::Unknown { line, .. } => {
            let mut words = line.split(' ');
            let (first, second) = (words.next().unwrap_or_default(), words.next());
            let is_group = table::of(Family::Ksmutil)
                .iter()
                .any(|command| command.path.split(' ').next() == Some(first));
            match (is_group, second) {
                (true, Some("help")) => return say_help(program, &[first.to_owned()], terminal),
                (true, verb) => {
                    let verb = verb.filter(|verb| !verb.starts_with('-')).unwrap_or("NULL");
                    terminal.say(&format!("Unknown command: {first} {verb}\n"));
                }
                (false, _) => terminal.say(&format!("Unknown command: {first}\n")),
            }
            terminal.complain(&usage_of(program, first));
            UNKNOWN_CODE
        }
        ParseError::Arguments { command, complaint, .. } => {
            let usage = help::of(command);
            terminal.complain(&format!("{}: {complaint}\n{usage}", command.path));
            OPTION_CODE
        }
    }
}

fn give(mut connection: Connection, words: Vec<String>, terminal: &mut Terminal<'_>) -> u8 {
    let is_stop = words.first().is_some_and(|word| word == "stop");
    match connection.command(FrontEnd::Ksmutil, words, terminal) {
        Ok(0) if is_stop => {
            let slow = || terminal.say("enforcer needs more time to stop...\n");
            connection.wait_until_gone(PATIENCE, slow);
            0
        }
        Ok(exit_code) => exit_code,
        Err(error) => {
            terminal.complain(&format!("{error}\n"));
            error.exit_code()
        }
    }
}

/// No daemon runs. It may be started; everything else is for a daemon.
fn away(
    error: &ClientError,
    line: &Line,
    around: &Surroundings<'_>,
    terminal: &mut Terminal<'_>,
) -> u8 {
    let first = line.words.first().map_or("", String::as_str);
    if first == "start" {
        terminal.say("Starting enforcer...\n");
        let config = line.config.iter().map(|path| around.folder.join(path));
        let options: Vec<String> = config
            .flat_map(|path| ["--config".to_owned(), path.to_string_lossy().into_owned()])
            .collect();
        let has_started = (terminal.start)(&options);
        if !has_started {
            terminal.complain("Could not start enforcer\n");
        }
        return u8::from(!has_started);
    }
    let hint = match first {
        "setup" => {
            "The daemon takes conf.xml, kasp.xml and zonelist.xml when it starts: instead of \
             setup, run \"ods-control start\".\n"
        }
        "stop" => "The daemon does not run.\n",
        _ => "The daemon does not run; start it with \"ods-control start\".\n",
    };
    terminal.complain(&format!("{error}\n{hint}"));
    error.exit_code()
}

#[cfg(test)]
mod tests;
