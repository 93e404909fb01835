//! `ods-control`, which starts, stops and passes on. In: words. Out: its lines and exit codes.
//! OpenDNSSEC's is a script around two daemons; here both are one, so that what starts or stops
//! one starts or stops the other.

use crate::Terminal;
use crate::tool::{self, ENFORCER, SIGNER, Tool};

/// Exit code of a wrong word.
const USAGE_CODE: u8 = 3;

/// What `ods-control` was told, as far as it needs the rest of the program.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Exit(u8),
    /// `hsm`: the words are for `ods-hsmutil`.
    Hsm(Vec<String>),
    /// `ksm`: the words are for `ods-ksmutil`.
    Ksm(Vec<String>),
}

/// Runs `ods-control`.
pub fn main(arguments: &[String], terminal: &mut Terminal<'_>) -> Outcome {
    let (first, rest) = match arguments.split_first() {
        Some((first, rest)) => (first.as_str(), rest),
        None => ("", arguments),
    };
    let exit_code = match first {
        "hsm" => return Outcome::Hsm(rest.to_vec()),
        // Of OpenDNSSEC 1.x; the usage is that of 2.x.
        "ksm" => return Outcome::Ksm(rest.to_vec()),
        "enforcer" => pass(&ENFORCER, rest, terminal),
        "signer" => pass(&SIGNER, rest, terminal),
        "start" => match pass(&ENFORCER, &with("start", rest), terminal) {
            0 => {
                // It was the signer, too.
                terminal.say("Starting signer engine...\n");
                terminal.say(&tool::banner(&SIGNER));
                run(&SIGNER, &["running".to_owned()], terminal)
            }
            failed => failed,
        },
        "stop" => stop(terminal),
        _ => {
            terminal.say("usage: ods-control hsm|signer|enforcer|start|stop ...\n");
            USAGE_CODE
        }
    };
    Outcome::Exit(exit_code)
}

fn with(word: &str, rest: &[String]) -> Vec<String> {
    [&[word.to_owned()], rest].concat()
}

fn pass(tool: &Tool, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    let is_enforcer = std::ptr::eq(tool, &ENFORCER);
    match words.first().map(String::as_str) {
        Some("start") => {
            terminal.say(if is_enforcer {
                "Starting enforcer...\n"
            } else {
                "Starting signer engine...\n"
            });
            match run(tool, words, terminal) {
                0 => run(tool, &["running".to_owned()], terminal),
                failed => failed,
            }
        }
        Some("stop") if !is_enforcer => {
            terminal.say("Stopping signer engine..\n");
            run(tool, words, terminal)
        }
        _ => run(tool, words, terminal),
    }
}

fn run(tool: &Tool, words: &[String], terminal: &mut Terminal<'_>) -> u8 {
    tool::main(tool, "ods-control", words, terminal)
}

fn stop(terminal: &mut Terminal<'_>) -> u8 {
    let stop = ["stop".to_owned()];
    terminal.say("Stopping enforcer..\n");
    let enforcer = run(&ENFORCER, &stop, terminal);
    terminal.say("Stopping signer engine...\n");
    match enforcer {
        // It was the signer, too.
        0 => 0,
        failed => {
            pass(&SIGNER, &stop, terminal);
            failed
        }
    }
}
