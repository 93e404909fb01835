//! `backup` of `ods-ksmutil` (catalogue 1.10, 4.7), in OpenDNSSEC 1.4's words.
//! In: records of keys. Out: lists, notes in the store. Other than there: only keys of
//! repositories with `<RequireBackup/>` are counted, and the dates of backups are not kept.

use super::key_backup::{BackupMove, changed};
use super::key_view::failed;
use super::ksm_commands::complaint;
use super::output::Output;
use super::site::Site;
use crate::io::local_time::date_time;
use console_protocol::parse::Invocation;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage::state::{BackupState, KeyState};

/// The repository of `--repository`; 1.4's complaint, if there is none of that name.
fn repository<'i>(site: &Site, invocation: &'i Invocation) -> Result<Option<&'i str>, Output> {
    let typed = invocation.value("repository");
    let catalogue = site.catalogue();
    match typed {
        Some(name) if !catalogue.repositories.iter().any(|known| known.name == name) => Err(
            complaint(format!("Error: unable to find a repository named \"{name}\" in database")),
        ),
        typed => Ok(typed),
    }
}

/// `backup list`.
pub(super) async fn list(site: Arc<Site>, invocation: Invocation) -> Output {
    let wanted = match repository(&site, &invocation) {
        Ok(wanted) => wanted,
        Err(output) => return output,
    };
    let mut states: BTreeMap<String, Vec<BackupState>> = BTreeMap::new();
    match site.staff.zones.store().keys().await {
        Ok(keys) => {
            for key in keys.into_iter().filter(|key| key.state == KeyState::Present) {
                states.entry(key.repository).or_default().push(key.backup);
            }
        }
        Err(error) => return failed(error),
    }
    states.retain(|name, _| wanted.is_none_or(|wanted| wanted == name));
    let mut text = "Backups:\n".to_owned();
    let is_verbose = invocation.has("verbose");
    text += match is_verbose {
        true => "Pre Backup Date:         Backup Date:             Repository:\n",
        false => "Date:                    Repository:\n",
    };
    let has = |states: &[BackupState], wanted: &[BackupState]| {
        states.iter().any(|state| wanted.contains(state))
    };
    for (name, _) in states.iter().filter(|(_, states)| has(states, &[BackupState::Done])) {
        let date = "(not recorded)";
        text += &match is_verbose {
            true => format!("{date:<24} {date:<24} {name}\n"),
            false => format!("{date:<24} {name}\n"),
        };
    }
    for (name, states) in &states {
        if has(states, &[BackupState::Required, BackupState::Requested]) {
            text += &format!("Repository {name} has unbacked up keys (that will not be used)\n");
        }
    }
    for (name, states) in &states {
        if has(states, &[BackupState::Requested]) {
            text += &format!(
                "Repository {name} has keys prepared for back up which have not been committed\n"
            );
        }
    }
    Output::done(text + "\n")
}

/// `backup prepare`, `commit`, `rollback` and `done`.
pub(super) async fn mark(site: Arc<Site>, invocation: Invocation) -> Output {
    let (order, done) = match invocation.command.path {
        "backup prepare" => (BackupMove::Prepare, "Marked {} as pre-backed up at "),
        "backup commit" => (BackupMove::Commit, "Marked {} as backed up at "),
        "backup rollback" => (BackupMove::Rollback, "Rolled back pre-backup of {}"),
        _ => (BackupMove::Done, "Marked {} as backed up at "),
    };
    let mut text = String::new();
    if order == BackupMove::Done {
        text += "*WARNING* One-step backups are deprecated in favour of a two-step process; see \
                 the documentation on key management for the explanation.\n";
        if !invocation.has("force") && !invocation.is_confirmed {
            return Output::ask(text, "Do you wish to continue? [y/N] ");
        }
        if invocation.is_confirmed {
            // It was read already.
            text.clear();
        }
    }
    let wanted = match repository(&site, &invocation) {
        Ok(wanted) => wanted,
        Err(output) => return output,
    };
    let count = match changed(&site, &invocation, order).await {
        Ok(count) => count,
        Err(output) => return output,
    };
    if count == 0 {
        let verb = if order == BackupMove::Rollback { "rollback" } else { "mark" };
        return Output::done(text + &format!("There were no keys to {verb}\n"));
    }
    let what = match (wanted, order) {
        (Some(name), _) => format!("repository {name}"),
        (None, _) => "all repositories".to_owned(),
    };
    text += &done.replace("{}", &what);
    if order != BackupMove::Rollback {
        text += &date_time(site.staff.clock.now());
    }
    Output::done(text + "\n")
}
