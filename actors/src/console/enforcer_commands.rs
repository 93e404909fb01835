//! Handlers of `ods-enforcer`'s commands, in OpenDNSSEC 2.1's words (catalogue 1.5).
//! In: what the site knows, what the enforcer answers. Out: lists. Columns are as wide as
//! OpenDNSSEC's. Not here yet: `key`, `rollover`, `enforce`, `queue` and whatever changes zones.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers, wrong_arguments};
use super::listing::{Cell, array};
use super::output::{Output, Wish};
use super::site::Site;
use super::text::columns;
use crate::enforcer::EnforcerMessage;
use crate::io::local_time::ctime;
use crate::runtime::{AskError, Reply, TellError};
use crate::settings::zone_text;
use console_protocol::help;
use console_protocol::messages::FrontEnd;
use console_protocol::parse::Invocation;
use console_protocol::table;
use dnssec::{Name, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The enforcer answers from memory, between two pieces of work.
const ENFORCER_DEADLINE: Duration = Duration::from_secs(30);

pub(super) const HANDLERS: Handlers = &[
    ("repository list", Handler::Now(repository_list)),
    ("policy list", Handler::Now(policy_list)),
    ("zone list", Handler::Later(zone_list)),
    ("start", Handler::Now(start)),
    ("running", Handler::Now(running)),
    ("reload", Handler::Now(reload)),
    ("stop", Handler::Now(stop)),
    ("verbosity", Handler::Now(verbosity)),
    ("help", Handler::Now(help)),
];

fn repository_list(site: &Site, invocation: &Invocation) -> Output {
    if invocation.has("json") {
        let catalogue = site.catalogue();
        let rows = catalogue.repositories.iter().map(|repository| {
            let capacity = repository.capacity;
            vec![
                Cell::text(&*repository.name),
                capacity.map_or(Cell::Nothing, Cell::Number),
                Cell::Flag(repository.require_backup),
            ]
        });
        return array(&["repository", "capacity", "require_backup"], rows);
    }
    let line = |name: &str, capacity: &str, backup: &str| {
        columns(&[(name, 31), (capacity, 13), (backup, 13)])
    };
    let mut text = "Repositories:\n".to_owned() + &line("Name:", "Capacity:", "RequireBackup:");
    for repository in &site.catalogue().repositories {
        let capacity = repository.capacity.map_or("-".to_owned(), |count| count.to_string());
        let backup = if repository.require_backup { "Yes" } else { "No" };
        text += &line(&repository.name, &capacity, backup);
    }
    Output::done(text)
}

fn policy_list(site: &Site, invocation: &Invocation) -> Output {
    if invocation.has("json") {
        let catalogue = site.catalogue();
        let rows = catalogue
            .policies
            .iter()
            .map(|policy| vec![Cell::text(&*policy.name), Cell::text(&*policy.description)]);
        return array(&["policy", "description"], rows);
    }
    let line = |name: &str, description: &str| columns(&[(name, 31), (description, 48)]);
    let mut text = line("Policy:", "Description:");
    for policy in &site.catalogue().policies {
        text += &line(&policy.name, &policy.description);
    }
    Output::done(text)
}

fn zone_list(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let catalogue = site.catalogue();
        let text = format!("Database set to: {}\n", catalogue.datastore);
        let is_json = invocation.has("json");
        if catalogue.zones.is_empty() && !is_json {
            return Output::done(text + "No zones in database.\n");
        }
        match agenda(&site).await {
            Ok(agenda) if is_json => zone_rows(&catalogue, &agenda),
            Ok(agenda) => {
                Output::done(text + &zone_lines(&catalogue, &agenda, site.staff.clock.now()))
            }
            Err(error) => Output::refused(format!("Unable to get list of zones: {error}\n"), 1),
        }
    }
    .boxed_local()
}

/// When the enforcer looks at which zone again.
async fn agenda(site: &Site) -> Result<BTreeMap<Name, Timestamp>, AgendaError> {
    let (reply, answer) = Reply::channel();
    let enforcer = &site.staff.enforcer;
    enforcer.tell(EnforcerMessage::Agenda { reply }).map_err(TellError::from)?;
    let agenda = answer.within(enforcer.to(), ENFORCER_DEADLINE).await?;
    Ok(agenda.into_iter().map(|(at, zone)| (zone, at)).collect())
}

#[derive(Debug, thiserror::Error)]
enum AgendaError {
    #[error(transparent)]
    Untold(#[from] TellError),
    #[error(transparent)]
    Unanswered(#[from] AskError),
}

fn zone_rows(catalogue: &Catalogue, agenda: &BTreeMap<Name, Timestamp>) -> Output {
    let rows = catalogue.zones.iter().map(|zone| {
        vec![
            Cell::Text(zone_text(&zone.name)),
            Cell::text(&*zone.policy),
            Cell::moment(agenda.get(&zone.name).copied()),
            Cell::text(zone.signer_configuration.to_string_lossy()),
        ]
    });
    array(&["zone", "policy", "next_change", "signer_configuration"], rows)
}

fn zone_lines(catalogue: &Catalogue, agenda: &BTreeMap<Name, Timestamp>, now: Timestamp) -> String {
    let line = |name: &str, policy: &str, next: &str, signconf: &str| {
        columns(&[(name, 31), (policy, 13), (next, 26), (signconf, 34)])
    };
    let mut text = "Zones:\n".to_owned();
    text += &line("Zone:", "Policy:", "Next change:", "Signer Configuration:");
    for zone in &catalogue.zones {
        let next = match agenda.get(&zone.name) {
            Some(at) if *at >= now => ctime(*at),
            Some(_) => "as soon as possible".to_owned(),
            None => "no changes scheduled".to_owned(),
        };
        let signconf = zone.signer_configuration.to_string_lossy();
        text += &line(&zone_text(&zone.name), &zone.policy, &next, &signconf);
    }
    text
}

fn start(_: &Site, _: &Invocation) -> Output {
    Output::said("Engine already running.\n", 1)
}

pub(super) fn running(_: &Site, _: &Invocation) -> Output {
    Output::done("Engine running.\n")
}

pub(super) fn reload(_: &Site, _: &Invocation) -> Output {
    Output::done("Reloading engine.\n").then(Wish::Reload)
}

pub(super) fn stop(_: &Site, _: &Invocation) -> Output {
    Output::done("Engine shut down.\n").then(Wish::Stop)
}

pub(super) fn verbosity(_: &Site, invocation: &Invocation) -> Output {
    let wrong = |text: &str| {
        wrong_arguments(invocation.command, &invocation.rest, text.to_owned(), String::new())
    };
    match invocation.operands.as_slice() {
        [] => Output::done(format!(
            "Current verbosity is set to {}.\nAvailable modes:\n  0 - Critical\n  1 - Error\n  \
             2 - Warning\n  3 - Notice\n  4 - Info\n  5 - Debug\n",
            crate::logging::verbosity()
        )),
        [number] => match number.parse::<u32>() {
            Ok(level) => {
                crate::logging::set_verbosity(u64::from(level));
                Output::done(format!("Verbosity level set to {level}.\n"))
            }
            Err(_) => wrong("Error parsing verbosity value: No digits were found.\n"),
        },
        _ => wrong("Too many arguments.\n"),
    }
}

fn help(_: &Site, invocation: &Invocation) -> Output {
    if invocation.operands.is_empty() {
        return Output::done(format!("\nCommands:\n{}", help::list(FrontEnd::Enforcer)));
    }
    match table::find(FrontEnd::Enforcer, &invocation.operands) {
        Some((command, count)) if count == invocation.operands.len() => {
            Output::done(help::of(command))
        }
        _ => Output::said(
            format!(
                "Help: command '{}' unknown. Type 'help' without arguments to get a list of \
                 supported commands.\n",
                invocation.rest
            ),
            2,
        ),
    }
}
