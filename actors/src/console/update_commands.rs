//! Handlers of `update conf`, `update repositorylist` and `update all`, in OpenDNSSEC 2.1's words
//! (catalogue 1.5). In: the files. Out: what of them a running daemon can take: the log level,
//! limits, policies, zones; for everything else it says that it waits for the next start.

use super::catalogue::{Catalogue, CatalogueError};
use super::key_change::cause;
use super::output::Output;
use super::policy_commands::import_policies;
use super::site::Site;
use super::update::{UpdateError, settle};
use super::zone_commands::refused;
use super::zonelist_commands::import_zones;
use console_protocol::parse::Invocation;
use std::sync::Arc;

pub(super) async fn conf(site: Arc<Site>) -> Output {
    let _alone = site.updating.lock().await;
    match update_conf(&site).await {
        Ok(stderr) => Output { stderr, ..Output::done("") },
        Err(error) => refused(error),
    }
}

pub(super) async fn repositories(site: Arc<Site>) -> Output {
    let _alone = site.updating.lock().await;
    match update_conf(&site).await {
        Ok(stderr) => {
            let text = "new repositories parsed successful.\n\
                        Notifying enforcer of new repositories.\n";
            Output { stderr, ..Output::done(text) }
        }
        Err(error) => refused(error),
    }
}

/// Takes what conf.xml says; policies and zones stay. What waits for the next start is answered.
pub(super) async fn update_conf(site: &Arc<Site>) -> Result<String, UpdateError> {
    let own = site.clone();
    let read = site.staff.desk.run(move || Catalogue::read(own.conf_file()))?.await?;
    let read = read.map_err(|error: CatalogueError| UpdateError::Configuration(error.into()))?;
    let old = site.catalogue();
    if read.verbosity != old.verbosity {
        crate::logging::set_verbosity(read.verbosity);
    }
    let waits = waits_for_start(&old, &read);
    let (policies, zones) = (old.policies.clone(), old.zones.clone());
    settle(site, Catalogue { policies, zones, ..read }, None).await;
    Ok(waits)
}

/// A line for each setting that is other than the daemon was started with.
fn waits_for_start(old: &Catalogue, new: &Catalogue) -> String {
    let changed = [
        ("RepositoryList", old.repositories != new.repositories),
        ("Datastore", old.datastore != new.datastore),
        ("NotifyCommand", old.signer.notify_command != new.signer.notify_command),
        ("Checker", old.signer.checkers != new.signer.checkers),
        ("SocketFile", old.sockets != new.sockets),
        ("Privileges", old.group != new.group),
    ];
    let changed = changed.iter().filter(|(_, is_other)| *is_other);
    changed
        .map(|(name, _)| format!("WARNING: <{name}> changed; it waits for the next start.\n"))
        .collect()
}

pub(super) async fn all(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    let own = site.clone();
    let checked = match site.staff.desk.run(move || own.read_configuration()) {
        Ok(checking) => checking.await,
        Err(error) => return refused(error),
    };
    match checked {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return inconsistent(&site, &error.to_string()),
        Err(error) => return refused(error),
    }
    let mut output = match update_conf(&site).await {
        Ok(stderr) => Output { stderr, ..Output::done("") },
        Err(error) => return refused(error),
    };
    let cause = cause(&invocation);
    let policies = match import_policies(&site, false, false, &cause).await {
        Ok(policies) => policies,
        Err(error) => return refused(error),
    };
    for part in [policies, import_zones(&site, None, &cause, None).await] {
        output.stdout += &part.stdout;
        output.stderr += &part.stderr;
        output.exit_code = output.exit_code.max(part.exit_code);
    }
    output
}

/// Nothing is updated: one of the files has a fault.
fn inconsistent(site: &Site, error: &str) -> Output {
    let catalogue = site.catalogue();
    let files = [&catalogue.zone_list_file, &catalogue.policy_file];
    let names = |file: &&&std::path::PathBuf| error.contains(&*file.to_string_lossy());
    let file = files.iter().find(names).map_or(site.conf_file(), |file| file.as_path());
    let text = format!("error: Unable to validate '{}' consistency.\n", file.display());
    Output { stderr: format!("{error}\n"), ..Output::said(text, 1) }
}
