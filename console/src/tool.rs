//! OpenDNSSEC's two clients, `ods-enforcer` and `ods-signer`: one command from the command line, or
//! many in the interactive mode. In: words, a terminal. Out: texts and exit codes of 2.1.12.
//!
//! What they print when the daemon is away, and for their own options, is the same byte for byte;
//! their mistakes too, such as exit code 1 for `ods-signer -h`.

use crate::Terminal;
use crate::client::{ClientError, Connection};
use console_protocol::line;
use console_protocol::messages::FrontEnd;
use console_protocol::options::{Given, Known, Place, take_apart};
use std::time::Duration;

const OPTIONS: &[Known] = &[
    Known { short: 'h', long: "help", takes_value: false },
    Known { short: 's', long: "socket", takes_value: true },
    Known { short: 'V', long: "version", takes_value: false },
];
/// The version of OpenDNSSEC whose tools these are, and ours.
pub const VERSION: &str = concat!("2.1 (anchorite ", env!("CARGO_PKG_VERSION"), ")");
const PROMPT: &str = "cmd> ";
/// How long a stopping daemon may take without a word.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest line of the interactive mode that is read as one, in octets.
const LINE_OCTETS_MAX: u64 = 64 << 10;

/// What is different between the two.
#[derive(Debug)]
pub struct Tool {
    front_end: FrontEnd,
    socket_default: &'static str,
    /// Exit code after the usage.
    usage_code: u8,
    /// Exit code of a wrong option.
    option_code: u8,
    usage: &'static str,
    exit_code_words: &'static str,
    slow_words: &'static str,
    start_failed_words: &'static str,
    start_failed_code: u8,
    /// What it calls its daemon.
    daemon: &'static str,
}

/// Where the enforcer's commands go unless `-s` says otherwise.
pub const ENFORCER_SOCKET: &str = "/run/opendnssec/enforcer.sock";

/// `ods-enforcer`.
pub const ENFORCER: Tool = Tool {
    front_end: FrontEnd::Enforcer,
    socket_default: ENFORCER_SOCKET,
    usage_code: 0,
    option_code: 100,
    usage: "\
Usage: ods-enforcer [OPTION]... [COMMAND]
Simple command line interface to control the enforcer engine \ndaemon. If no command  is given, \
the tool is going to interactive \nmode. When the daemon is running 'ods-enforcer help' gives a \
full \nlist of available commands.

Supported options:
 -h | --help             Show this help and exit.
 -V | --version          Show version and exit.
 -s | --socket <file>    Daemon socketfile \n    |    (default /run/opendnssec/enforcer.sock).
",
    exit_code_words: "Command exit code",
    slow_words: "enforcer needs more time to stop...\n",
    start_failed_words: "Error: Daemon reported a failure starting. Please consult the logfiles.\n",
    start_failed_code: 1,
    daemon: "OpenDNSSEC key and signing policy enforcer",
};

/// `ods-signer`.
pub const SIGNER: Tool = Tool {
    front_end: FrontEnd::Signer,
    socket_default: "/run/opendnssec/engine.sock",
    usage_code: 1,
    option_code: 1,
    usage: "\
Usage: ods-signer [<cmd>]
Simple command line interface to control the signer engine daemon.
If no cmd is given, the tool is going into interactive mode.

Supported options:
 -h | --help             Show this help and exit.
 -V | --version          Show version and exit.
 -s | --socket <file>    Daemon socketfile \n    |    (default /run/opendnssec/engine.sock).
",
    exit_code_words: "Daemon exit code",
    slow_words: "signer needs more time to stop...\n",
    start_failed_words: "Failed to start signer engine\n",
    start_failed_code: 1,
    daemon: "OpenDNSSEC signer engine",
};

/// Runs a tool under the name `program` and returns its exit code.
pub fn main(tool: &Tool, program: &str, arguments: &[String], terminal: &mut Terminal<'_>) -> u8 {
    let apart = take_apart(arguments, OPTIONS, Place::InFront);
    let mut socket = tool.socket_default.to_owned();
    for given in apart.given {
        match given {
            Given::Option('h', _) => {
                terminal.say(&format!("{}\nVersion {VERSION}.\n", tool.usage));
                return tool.usage_code;
            }
            Given::Option('V', _) => {
                terminal.say(&format!("opendnssec version {VERSION}\n"));
                return 0;
            }
            Given::Option('s', Some(path)) => {
                terminal.say(&format!("sock set to {path}\n"));
                socket = path;
            }
            Given::Option(..) => {}
            Given::Wrong(complaint) => {
                terminal.complain(&format!(
                    "{program}: {complaint}\nuse --help for usage information\n"
                ));
                return tool.option_code;
            }
        }
    }
    match apart.operands.is_empty() {
        true => interactive(tool, &socket, terminal),
        false => command(tool, &socket, line::words_again(&apart.operands), terminal),
    }
}

/// One command.
fn command(tool: &Tool, socket: &str, words: Vec<String>, terminal: &mut Terminal<'_>) -> u8 {
    let mut connection = match Connection::open(socket) {
        Ok(connection) => connection,
        Err(error) => return away(tool, &error, &words, terminal),
    };
    let is_stop = is_stop(&words);
    match connection.command(tool.front_end, words, terminal) {
        Ok(0) if is_stop => {
            wait_for_end(tool, connection, terminal);
            0
        }
        Ok(exit_code) => exit_code,
        Err(error) => {
            terminal.complain(&format!("{error}\n"));
            error.exit_code()
        }
    }
}

fn is_stop(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "stop")
}

/// The daemon is not there: it may be started, but nothing else can be done.
fn away(tool: &Tool, error: &ClientError, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    match words.split_first() {
        Some((first, options)) if first == "start" => match start(tool, options, terminal) {
            true => 0,
            false => {
                terminal.complain(tool.start_failed_words);
                tool.start_failed_code
            }
        },
        _ => {
            terminal.complain(&format!("{error}\n"));
            error.exit_code()
        }
    }
}

/// What the daemon says of itself when it starts.
pub(crate) fn banner(tool: &Tool) -> String {
    format!("{} version {VERSION}\n", tool.daemon)
}

fn start(tool: &Tool, options: &[String], terminal: &mut Terminal<'_>) -> bool {
    terminal.say(&banner(tool));
    (terminal.start)(options)
}

/// After `stop`: which process, and not a word before it is gone.
fn wait_for_end(tool: &Tool, connection: Connection, terminal: &mut Terminal<'_>) {
    if let Some(process) = connection.daemon() {
        terminal.say(&format!("pid {process}\n"));
    }
    connection.wait_until_gone(PATIENCE, || terminal.say(tool.slow_words));
}

/// Commands from standard input, until it ends or one says `exit`.
fn interactive(tool: &Tool, socket: &str, terminal: &mut Terminal<'_>) -> u8 {
    let mut connection = match Connection::open(socket) {
        Ok(connection) => connection,
        Err(error) => return away(tool, &error, &[], terminal),
    };
    loop {
        terminal.say(PROMPT);
        let Some(line) = read_line(terminal) else {
            terminal.say("\n");
            return 0;
        };
        if !terminal.is_interactive {
            // As readline does, so that a transcript shows what was asked.
            terminal.say(&format!("{line}\n"));
        }
        let words = line::words(&line);
        match words.first().map(String::as_str) {
            None => continue,
            Some("exit" | "quit") if words.len() == 1 => return 0,
            _ => {}
        }
        let is_stop = is_stop(&words);
        match connection.command(tool.front_end, words, terminal) {
            Ok(exit_code) => {
                terminal.complain(&format!("{}: {exit_code}\n", tool.exit_code_words));
                if is_stop && exit_code == 0 {
                    wait_for_end(tool, connection, terminal);
                    return 0;
                }
            }
            Err(error @ ClientError::Frame(_)) => {
                terminal.complain(&format!("{error}\n"));
                return error.exit_code();
            }
            Err(error) => {
                terminal.complain(&format!("{error}\n"));
                return error.exit_code();
            }
        }
    }
}

/// The next line; `None` at the end. A line that is too long is cut, and so refused.
fn read_line(terminal: &mut Terminal<'_>) -> Option<String> {
    use std::io::{BufRead, Read};
    let mut octets = Vec::new();
    let mut input = (&mut *terminal.stdin).take(LINE_OCTETS_MAX + 1);
    match input.read_until(b'\n', &mut octets) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(&octets).trim().to_owned()),
    }
}
