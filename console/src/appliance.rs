//! `anchorite COMMAND`: every command of the table, for the running daemon.
//! In: words. Out: what the command prints; exit codes: its own, 2 for a command that does not
//! exist, 201 when the daemon is away, 209 for `running` then. `help` needs no daemon.

use crate::Terminal;
use crate::client::{ClientError, Connection};
use crate::tool::ENFORCER_SOCKET;
use console_protocol::help;
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Given, Known, Place, take_apart};
use console_protocol::parse::{ParseError, parse};
use console_protocol::{table, unknown};
use std::time::Duration;

const OPTIONS: &[Known] = &[Known { short: 's', long: "socket", takes_value: true }];
const NOT_RUNNING: u8 = 209;
const UNKNOWN: u8 = 2;
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs one command. `programs` are the other words that may stand first.
pub fn main(arguments: &[String], programs: &[&'static str], terminal: &mut Terminal<'_>) -> u8 {
    let apart = take_apart(arguments, OPTIONS, Place::InFront);
    let mut socket = ENFORCER_SOCKET.to_owned();
    for given in apart.given {
        match given {
            Given::Option(_, Some(path)) => socket = path,
            Given::Option(..) => {}
            Given::Wrong(complaint) => {
                terminal.complain(&format!("anchorite: {complaint}\n"));
                return UNKNOWN;
            }
        }
    }
    let words = apart.operands;
    match words.first().map(String::as_str) {
        Some("help") => return help(&words[1..], terminal),
        Some(_) => {}
        None => return help(&[], terminal),
    }
    if let Err(ParseError::Unknown { .. }) = parse(FrontEnd::Appliance, &words) {
        terminal.complain(&unknown::text(&words, "\"anchorite help\"", programs));
        return UNKNOWN;
    }
    if is(&words, "monitor") {
        // As the plugin: what the daemon does not say in time is an alarm.
        let (text, exit_code) = crate::plugin::asked(&socket, words);
        terminal.say(&text);
        return exit_code;
    }
    match Connection::open(&socket) {
        Ok(connection) => command(connection, words, terminal),
        Err(error) => away(&error, &words, terminal),
    }
}

fn command(mut connection: Connection, words: Vec<String>, terminal: &mut Terminal<'_>) -> u8 {
    let is_stop = is(&words, "stop");
    match connection.command(FrontEnd::Appliance, words, terminal) {
        Ok(0) if is_stop => {
            let slow = || terminal.say("the daemon needs more time to stop...\n");
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

/// Whether the words are that command, of whichever family.
fn is(words: &[String], path: &str) -> bool {
    table::find(FrontEnd::Appliance, words).is_some_and(|(command, _)| command.path == path)
}

fn away(error: &ClientError, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    if is(words, "running") {
        terminal.say("Engine not running.\n");
        return NOT_RUNNING;
    }
    if is(words, "start") {
        let options = words.iter().skip_while(|word| *word != "start").skip(1);
        let options: Vec<String> = options.cloned().collect();
        return u8::from(!(terminal.start)(&options));
    }
    terminal.complain(&format!("{error}\n"));
    error.exit_code()
}

fn help(words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    if words.is_empty() {
        terminal.say(&help::list(FrontEnd::Appliance));
        return 0;
    }
    match table::find(FrontEnd::Appliance, words) {
        Some((command, count)) if count == words.len() => {
            terminal.say(&help::ours(command));
            0
        }
        _ => {
            terminal.complain(&format!("Unknown command {}.\n", words.join(" ")));
            UNKNOWN
        }
    }
}
