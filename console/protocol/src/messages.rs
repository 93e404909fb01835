//! What front end and daemon say to each other: one request, then pieces of output, then the exit
//! code; then the next request on the same connection, if there is one.

use crate::table::Roles;
use serde::{Deserialize, Serialize};

/// Whose commands the words mean, and whose habits the answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FrontEnd {
    /// `ods-enforcer`.
    Enforcer,
    /// `ods-signer`.
    Signer,
    /// `anchorite`: all commands.
    Appliance,
    /// `ods-ksmutil`, OpenDNSSEC 1.x's.
    Ksmutil,
}

/// One command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Who asks.
    pub front_end: FrontEnd,
    /// The command, its operands and options.
    pub words: Vec<String>,
    /// The user said yes to the [`Answer::Question`] that these words were answered with.
    pub is_confirmed: bool,
    /// For whom it is, when the client speaks for somebody else.
    pub on_behalf: Option<OnBehalf>,
    /// The front end's standard input, for a command that takes it
    /// ([`Command::takes_input`](crate::table::Command::takes_input)).
    pub input: Option<String>,
}

impl Request {
    /// A command line of `anchorite`, from whoever holds the other end of the connection.
    pub fn new(words: Vec<String>) -> Request {
        let (front_end, is_confirmed) = (FrontEnd::Appliance, false);
        Request { front_end, words, is_confirmed, on_behalf: None, input: None }
    }
}

/// Somebody whom a client of the daemon has identified. It can only lower what the client itself
/// may do: a command has to be allowed to both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnBehalf {
    /// The name in logs and histories.
    pub name: String,
    /// What this person may do.
    pub roles: Roles,
    /// How the person came in, such as `ssh 192.0.2.1` or `console ttyS0`.
    pub source: String,
}

/// A part of the answer to one command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// For standard output.
    Stdout(Vec<u8>),
    /// For standard error.
    Stderr(Vec<u8>),
    /// The end, and the front end's exit code.
    End {
        /// 0 is success.
        exit_code: u8,
    },
    /// The end, instead: nothing was done yet. The front end asks this, and when the user says
    /// yes it sends the request again, confirmed.
    Question(Vec<u8>),
}
