//! From words to a handler. In: a request and who sent it. Out: an answer.
//! Commands that change something are logged before and after, with who gave them.
//! Limit: a handler that waits may do so for [`COMMAND_DEADLINE`].

use super::connection::Peer;
use super::key_past::printable;
use super::output::Output;
use super::site::Site;
use super::{
    appliance_commands, audit_log, audit_show, audit_waivers, catalog_commands, config_commands,
    enforcer_commands, hints, input_commands, key_commands, ksm_commands, monitor_commands,
    parent_commands, plan_commands, policy_commands, request_commands, show_commands,
    signer_commands, zone_commands, zone_show,
};
use crate::io::privileges::user_name;
use console_protocol::messages::{FrontEnd, OnBehalf, Request};
use console_protocol::parse::{Complaint, Invocation, ParseError, User, line, parse};
use console_protocol::table::{Command, Effect, Family, Role, Roles};
use console_protocol::{help, unknown};
use futures_util::future::LocalBoxFuture;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Longest time for one command. What takes longer goes on, but nobody waits for it.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);
/// Longest wait for a user's name, which may be in a directory far away.
const NAME_DEADLINE: Duration = Duration::from_secs(2);
/// What `exit(-1)` is outside: OpenDNSSEC's code for wrong arguments.
pub(super) const SYNTAX: u8 = 255;
/// Most of a wrong line that is said back, in characters.
const ECHO_MAX: usize = 1024;

/// What answers a command.
pub(super) enum Handler {
    /// Out of what is known already.
    Now(fn(&Site, &Invocation) -> Output),
    /// After a wait.
    Later(fn(Arc<Site>, Invocation) -> LocalBoxFuture<'static, Output>),
}

/// Handlers by path.
pub(super) type Handlers = &'static [(&'static str, Handler)];

/// The function tables of a family.
fn tables(family: Family) -> &'static [Handlers] {
    match family {
        Family::Enforcer => &[
            enforcer_commands::HANDLERS,
            key_commands::ENFORCER,
            policy_commands::HANDLERS,
            zone_commands::HANDLERS,
        ],
        Family::Signer => &[signer_commands::HANDLERS],
        Family::Appliance => &[
            appliance_commands::HANDLERS,
            audit_log::HANDLERS,
            audit_show::HANDLERS,
            audit_waivers::HANDLERS,
            catalog_commands::HANDLERS,
            config_commands::HANDLERS,
            input_commands::HANDLERS,
            key_commands::APPLIANCE,
            plan_commands::HANDLERS,
            parent_commands::HANDLERS,
            request_commands::HANDLERS,
            show_commands::HANDLERS,
            zone_show::HANDLERS,
            monitor_commands::HANDLERS,
        ],
        Family::Ksmutil => &[ksm_commands::HANDLERS],
    }
}

/// The handlers of a family, by path.
pub(super) fn handlers(family: Family) -> impl Iterator<Item = &'static (&'static str, Handler)> {
    tables(family).iter().copied().flatten()
}

/// Answers one command line.
pub(super) async fn answer(site: &Arc<Site>, peer: Peer, request: &Request) -> Output {
    let mut invocation = match parse(request.front_end, &request.words) {
        Ok(invocation) => invocation,
        Err(error) => return refuse(request.front_end, error),
    };
    invocation.is_confirmed = request.is_confirmed;
    invocation.input.clone_from(&request.input);
    let (command, line) = (invocation.command, invocation.line());
    let who = Who::of(peer, request);
    let needed = invocation.role();
    if !who.may(needed) {
        tracing::warn!(target: "cmdhandler", user = peer.user,
            "refused command {line} from {who}: needs the role {}", needed.givers());
        let text = format!(
            "{}: this needs the role {}, and {} is {}\n",
            command.path,
            needed.givers(),
            who.short(),
            who.roles()
        );
        return Output::refused(text, 1);
    }
    let is_change = invocation.effect() == Effect::Change;
    let is_verbose = invocation.has("verbose") && !invocation.is_confirmed;
    if is_change {
        tracing::info!(target: "cmdhandler", user = peer.user, process = peer.process,
            "received command {line} from {who} (process {})", peer.process);
        invocation.given_by = Some(match &request.on_behalf {
            Some(somebody) => User { id: peer.user, name: Some(printable(&somebody.name)) },
            None => giver(site, peer.user).await,
        });
    }
    invocation.roles = who.roles();
    let handler = handlers(command.family).find(|(path, _)| *path == command.path);
    let output = match handler {
        Some((_, Handler::Now(handle))) => handle(site, &invocation),
        Some((_, Handler::Later(handle))) => {
            let answer = handle(site.clone(), invocation.clone());
            let late = format!("{} did not end within {COMMAND_DEADLINE:?}\n", command.path);
            let answer = timeout(COMMAND_DEADLINE, answer).await;
            answer.unwrap_or_else(|_| Output::refused(late, 1))
        }
        // A test compares the tables, so this is another version's.
        None => Output::refused(format!("{} has no handler\n", command.path), 1),
    };
    let output = hints::add(site, &invocation, output).await;
    let output = match command.family {
        Family::Ksmutil if is_verbose => ksm_commands::verbose(site, output),
        _ => output,
    };
    if is_change {
        tracing::info!(target: "cmdhandler", user = peer.user,
            "done handling command {line}: exit code {}", output.exit_code);
    }
    output
}

/// Who gives a command: the client itself, or whoever it speaks for.
struct Who<'a> {
    peer: Peer,
    somebody: Option<&'a OnBehalf>,
}

impl<'a> Who<'a> {
    fn of(peer: Peer, request: &'a Request) -> Who<'a> {
        Who { peer, somebody: request.on_behalf.as_ref() }
    }

    /// Both have to be allowed to.
    fn may(&self, needed: Role) -> bool {
        self.peer.roles.may(needed) && self.somebody.is_none_or(|one| one.roles.may(needed))
    }

    /// The roles that a refusal is about.
    fn roles(&self) -> Roles {
        self.somebody.map_or(self.peer.roles, |one| one.roles)
    }

    fn short(&self) -> String {
        match self.somebody {
            Some(one) => printable(&one.name),
            None => format!("user {}", self.peer.user),
        }
    }
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.somebody {
            Some(one) => {
                let (name, source) = (printable(&one.name), printable(&one.source));
                write!(f, "{name} by {source} through user {}", self.peer.user)
            }
            None => write!(f, "user {}", self.peer.user),
        }
    }
}

/// The name of a user of the system; empty where there is none.
pub(super) async fn name_of(site: &Site, id: u32) -> String {
    giver(site, id).await.name.unwrap_or_default()
}

/// Who gave a command, for the histories.
async fn giver(site: &Site, id: u32) -> User {
    let name = match site.staff.desk.run(move || user_name(id)) {
        Ok(answer) => timeout(NAME_DEADLINE, answer).await,
        // The number says enough.
        Err(_) => return User { id, name: None },
    };
    User { id, name: name.ok().and_then(Result::ok).flatten() }
}

fn refuse(front_end: FrontEnd, error: ParseError) -> Output {
    match error {
        ParseError::Unknown { line } => {
            let line: String = line.chars().take(ECHO_MAX).collect();
            let said = format!("Unknown command {line}.\n");
            match front_end {
                FrontEnd::Enforcer => Output {
                    stdout: format!("Commands:\n{}", help::list(front_end)),
                    ..Output::refused(said, 1)
                },
                FrontEnd::Ksmutil => {
                    Output { stderr: help::list(front_end), ..Output::said(said, SYNTAX) }
                }
                FrontEnd::Signer => Output::said(format!("{said}Commands:\n"), 1),
                FrontEnd::Appliance => {
                    let words = console_protocol::line::words(&line);
                    Output::refused(unknown::text(&words, "\"anchorite help\"", &[]), 2)
                }
            }
        }
        ParseError::Arguments { command, rest, complaint, .. } => {
            let text = match (command.family, &complaint) {
                (Family::Enforcer, Complaint::Option(complaint)) => {
                    format!("{complaint}\nunknown arguments\n")
                }
                _ => format!("{complaint}\n"),
            };
            wrong_arguments(command, &rest, String::new(), text)
        }
    }
}

/// The answer to wrong arguments, in the form that the command's family has. `stdout` and
/// `stderr` are what the command says about them, in whole lines; the signer knows only the one.
pub(super) fn wrong_arguments(
    command: &Command,
    rest: &str,
    stdout: String,
    stderr: String,
) -> Output {
    let line: String = line(command, rest).chars().take(ECHO_MAX).collect();
    let wrong = format!("Error parsing arguments {} command line {line}\n", command.path);
    let (stdout, stderr) = match command.family {
        Family::Enforcer => {
            (format!("{stdout}Usage:\n\n{}", command.usage), format!("{stderr}{wrong}"))
        }
        Family::Signer => (format!("{stdout}{stderr}{wrong}"), String::new()),
        Family::Appliance => (stdout, format!("{stderr}Usage: {}", command.usage)),
        Family::Ksmutil => (stdout, format!("{stderr}{}", help::of(command))),
    };
    // A plugin says it on standard output, and 2 is CRITICAL there.
    if command.path == "monitor" {
        let complaint = stderr.lines().next().unwrap_or_default();
        return Output::said(format!("MONITOR UNKNOWN - {complaint}\n"), 3);
    }
    let exit_code = match command.family {
        Family::Appliance => 2,
        // As `getopt` has it there.
        Family::Ksmutil => 1,
        Family::Enforcer | Family::Signer => SYNTAX,
    };
    Output { stdout, stderr, exit_code, ..Output::default() }
}
