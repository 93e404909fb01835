//! Handlers of our own commands. In: what the site knows. Out: answers, wishes.

use super::dispatch::{Handler, Handlers};
use super::enforcer_commands::{reload, running, stop, verbosity};
use super::output::Output;
use super::site::Site;
use console_protocol::help;
use console_protocol::messages::FrontEnd;
use console_protocol::parse::Invocation;
use console_protocol::table;

pub(super) const HANDLERS: Handlers = &[
    ("running", Handler::Now(running)),
    ("start", Handler::Now(start)),
    ("reload", Handler::Now(reload)),
    ("stop", Handler::Now(stop)),
    ("verbosity", Handler::Now(verbosity)),
    ("help", Handler::Now(help)),
];

fn start(_: &Site, _: &Invocation) -> Output {
    Output::done("Engine already running.\n")
}

fn help(_: &Site, invocation: &Invocation) -> Output {
    if invocation.operands.is_empty() {
        return Output::done(help::list(FrontEnd::Appliance));
    }
    match table::find(FrontEnd::Appliance, &invocation.operands) {
        Some((command, count)) if count == invocation.operands.len() => {
            Output::done(help::ours(command))
        }
        _ => Output::refused(format!("Unknown command {}.\n", invocation.rest), 2),
    }
}
