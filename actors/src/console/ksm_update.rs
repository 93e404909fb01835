//! `setup` and `update` of `ods-ksmutil` (catalogue 1.10), in OpenDNSSEC 1.4's words.
//! In: conf.xml, kasp.xml, zonelist.xml. Out: what the daemon goes by.
//! Other than there: a file with a fault changes nothing; keys are never forgotten by `setup`, and
//! neither `setup` nor `update zonelist` ends a zone whose DS may be at its parent. A change of
//! algorithm is asked about as there, though here zones roll safely.

use super::catalogue::{Catalogue, ListedRepository};
use super::key_change::cause;
use super::output::Output;
use super::policy_commands::import_policies;
use super::site::Site;
use super::update_commands::update_conf;
use super::zonelist_commands::import_zones;
use crate::settings::{read_policies, zone_text};
use console_protocol::parse::Invocation;
use dnssec::key::KeyRole;
use dnssec::policy::Policy;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::state::Cause;

const NOTIFYING: &str = "Notifying enforcer of new database...\n";
const ALGORITHMS: &str = "*WARNING* This will change the algorithms used as noted above. The zones \
                          of these policies roll to them step by step, and their DSs have to \
                          follow. Are you sure? [y/N] ";

/// What is to become of policies and zones that the files do not have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Stay,
    Go,
}

/// `update conf`.
pub(super) async fn conf(site: Arc<Site>) -> Output {
    let _alone = site.updating.lock().await;
    let output = repositories(&site).await;
    ended(output)
}

/// `update kasp`, `policy import`.
pub(super) async fn kasp(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    if let Some(asked) = question(&site, &invocation).await {
        return asked;
    }
    let output = policies(&site, Missing::Stay, &cause(&invocation)).await;
    ended(named(&site, output))
}

/// `update zonelist`, `zonelist import`: zones that it does not have go, as in 1.x.
pub(super) async fn zonelist(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    let output = zones(&site, &cause(&invocation)).await;
    ended(named(&site, output))
}

/// `update all`.
pub(super) async fn all(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    if let Some(refused) = checked(&site).await {
        return refused;
    }
    if let Some(asked) = question(&site, &invocation).await {
        return asked;
    }
    let output = everything(&site, &invocation, Missing::Stay).await;
    ended(named(&site, output))
}

/// `setup`.
pub(super) async fn setup(site: Arc<Site>, invocation: Invocation) -> Output {
    if !invocation.is_confirmed {
        let question = "*WARNING* This will erase all data in the database; are you sure? [y/N] ";
        return Output::ask("", question);
    }
    let _alone = site.updating.lock().await;
    if let Some(refused) = checked(&site).await {
        return refused;
    }
    let output = everything(&site, &invocation, Missing::Go).await;
    let mut output = ended(named(&site, output));
    let lives = site.staff.zones.store().lives().await.unwrap_or_default();
    let count = lives.iter().filter(|(_, life)| !life.keys.is_empty()).count();
    if output.exit_code == 0 && count > 0 {
        output.stderr += &format!(
            "NOTE: the keys of {count} zones were kept: without them, the zones would be bogus. \
             \"zone delete\" lets a zone's keys go.\n"
        );
    }
    output
}

/// Whether all files can be read; otherwise nothing is to be done.
async fn checked(site: &Arc<Site>) -> Option<Output> {
    let own = site.clone();
    let error = match site.staff.desk.run(move || own.read_configuration()) {
        Ok(checking) => match checking.await {
            Ok(Ok(_)) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    Some(Output::refused(format!("{error}\nNothing was changed.\n"), 1))
}

/// conf.xml, policies, zones, up to the first that fails.
async fn everything(site: &Arc<Site>, invocation: &Invocation, missing: Missing) -> Output {
    let cause = cause(invocation);
    let mut output = repositories(site).await;
    if output.exit_code == 0 {
        add(&mut output, policies(site, Missing::Stay, &cause).await);
    }
    if output.exit_code == 0 {
        add(&mut output, zones(site, &cause).await);
    }
    // Policies go last: before, zones that go may have them.
    if output.exit_code == 0 && missing == Missing::Go {
        output.stderr += &policies(site, Missing::Go, &cause).await.stderr;
    }
    output
}

fn add(output: &mut Output, part: Output) {
    output.stdout += &part.stdout;
    output.stderr += &part.stderr;
    output.exit_code = output.exit_code.max(part.exit_code);
}

/// The files that it was about.
fn named(site: &Site, output: Output) -> Output {
    let catalogue = site.catalogue();
    let stdout = format!(
        "zonelist filename set to {}.\nkasp filename set to {}.\n{}",
        catalogue.zone_list_file.display(),
        catalogue.policy_file.display(),
        output.stdout
    );
    Output { stdout, ..output }
}

fn ended(mut output: Output) -> Output {
    if output.exit_code == 0 {
        output.stdout += NOTIFYING;
    }
    output
}

async fn repositories(site: &Arc<Site>) -> Output {
    match update_conf(site).await {
        Ok(stderr) => {
            let said: String = site.catalogue().repositories.iter().map(found).collect();
            Output { stderr, ..Output::done(said) }
        }
        Err(error) => {
            let stdout = "Failed to update repositories\n".to_owned();
            Output { stdout, ..Output::refused(format!("{error}\n"), 1) }
        }
    }
}

fn found(repository: &ListedRepository) -> String {
    let capacity = match repository.capacity {
        None => "No Maximum Capacity set.".to_owned(),
        Some(count) => format!("Capacity set to {count}."),
    };
    let backup = match repository.require_backup {
        true => "RequireBackup set.",
        false => {
            "RequireBackup NOT set; please make sure that you know the potential problems of using \
             keys which are not recoverable"
        }
    };
    format!("Repository {} found\n{capacity}\n{backup}\n", repository.name)
}

async fn policies(site: &Arc<Site>, missing: Missing, cause: &Cause) -> Output {
    match import_policies(site, missing == Missing::Go, false, cause).await {
        Ok(output) => {
            let catalogue = site.catalogue();
            let names = catalogue.policies.iter().map(|policy| &policy.name);
            let stdout = names.map(|name| format!("Policy {name} found\n")).collect();
            Output { stdout, ..output }
        }
        Err(error) => {
            let stdout = "Failed to update policies\n".to_owned();
            Output { stdout, ..Output::refused(format!("{error}\n"), 1) }
        }
    }
}

async fn zones(site: &Arc<Site>, cause: &Cause) -> Output {
    let before: BTreeSet<_> = site.catalogue().zones.iter().map(|zone| zone.name.clone()).collect();
    let output = import_zones(site, None, cause, Some(cause)).await;
    if output.exit_code != 0 {
        let stdout = "Failed to update zones\n".to_owned();
        return Output { stdout, ..output };
    }
    let catalogue = site.catalogue();
    let mut stdout = String::new();
    for zone in &catalogue.zones {
        let text = zone_text(&zone.name);
        stdout += &format!("Zone {text} found; policy set to {}\n", zone.policy);
    }
    for zone in before.iter().filter(|zone| catalogue.zone(zone).is_none()) {
        stdout += &format!("Removing zone {} from database\n", zone_text(zone));
    }
    Output { stdout, ..output }
}

/// The question about algorithms, where it has to be asked.
async fn question(site: &Arc<Site>, invocation: &Invocation) -> Option<Output> {
    if invocation.is_confirmed {
        return None;
    }
    let catalogue = site.catalogue();
    let conf_file = site.conf_file().to_owned();
    let read = site.staff.desk.run(move || read_policies(&conf_file)).ok()?.await;
    // What is wrong with the file is said by the import.
    let changes = changes(&catalogue, &read.ok()?.ok()?);
    (!changes.is_empty()).then(|| {
        Output::ask(format!("Algorithm change attempted... details:\n{changes}"), ALGORITHMS)
    })
}

/// A line for each role of each policy whose algorithm becomes another.
fn changes(catalogue: &Catalogue, read: &[Policy]) -> String {
    let algorithms = |policy: &Policy, role: KeyRole| {
        let own = policy.keys.keys.iter().filter(|key| key.role == role);
        own.map(|key| key.algorithm.number().to_string()).collect::<BTreeSet<_>>()
    };
    let mut text = String::new();
    for new in read {
        let Some(old) = catalogue.policy(&new.name) else { continue };
        for role in [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk] {
            let (from, to) = (algorithms(old, role), algorithms(new, role));
            if from != to && !from.is_empty() && !to.is_empty() {
                let words = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(", ");
                text += &format!(
                    "Policy: {}, {role} algorithm changed from {} to {}.\n",
                    new.name,
                    words(from),
                    words(to)
                );
            }
        }
    }
    text
}
