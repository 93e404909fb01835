//! `backup list`, `prepare`, `commit`, `rollback` and `done` (catalogue 1.5, 4.7): which keys an
//! operator has copies of. In: records of keys. Out: lists, notes in the store.
//! `done` is 1.x's: `prepare` and `commit` at once.

use super::dispatch::wrong_arguments;
use super::key_change::cause;
use super::key_view::failed;
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use super::text::columns;
use crate::enforcer::{Change, EnforcerMessage, LifeEdit};
use crate::runtime::Reply;
use console_protocol::parse::Invocation;
use dnssec::enforcer::ZoneLife;
use dnssec::key::KeyId;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::state::{BackupState, KeyRecord, KeyState};

/// `backup list`.
/// `backup` and no word, or a wrong one.
pub(super) fn backup(_: &Site, invocation: &Invocation) -> Output {
    wrong_arguments(invocation.command, &invocation.rest, String::new(), String::new())
}

pub(super) fn backup_list(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let keys = match keys(&site, &invocation).await {
            Ok(keys) => keys,
            Err(output) => return output,
        };
        if invocation.has("json") {
            let rows = keys.iter().map(|key| {
                [key.id.to_string(), key.repository.clone(), word(key.backup).to_owned()]
                    .map(Cell::Text)
                    .to_vec()
            });
            return array(&["cka_id", "repository", "backup"], rows);
        }
        let line =
            |id: &str, place: &str, state: &str| columns(&[(id, 32), (place, 16), (state, 16)]);
        let lines =
            keys.iter().map(|key| line(&key.id.to_string(), &key.repository, word(key.backup)));
        let stderr = line("Locator:", "Repository:", "Backup state:");
        Output { stderr, ..Output::done(lines.collect::<String>()) }
    }
    .boxed_local()
}

fn word(backup: BackupState) -> &'static str {
    match backup {
        BackupState::NotRequired => "Not Required",
        BackupState::Required => "Required",
        BackupState::Requested => "Prepared",
        BackupState::Done => "Done",
    }
}

/// What an operator says of copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackupMove {
    Prepare,
    Commit,
    Rollback,
    Done,
}

/// `backup prepare`, `commit`, `rollback`, `done`.
pub(super) fn backup_change(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let (order, words) = match invocation.command.path {
            "backup prepare" => (BackupMove::Prepare, "keys flagged for backup"),
            "backup commit" => (BackupMove::Commit, "keys marked backup done"),
            "backup rollback" => (BackupMove::Rollback, "keys unflagged for backup"),
            "backup done" => (BackupMove::Done, "keys marked backup done"),
            _ => {
                let (command, rest) = (invocation.command, &invocation.rest);
                return wrong_arguments(command, rest, String::new(), String::new());
            }
        };
        match changed(&site, &invocation, order).await {
            Ok(count) => Output::done(format!("info: {words}: {count}\n")),
            Err(output) => output,
        }
    }
    .boxed_local()
}

/// Notes what was said of the keys that it is for; answers how many.
pub(super) async fn changed(
    site: &Site,
    invocation: &Invocation,
    order: BackupMove,
) -> Result<usize, Output> {
    use BackupState::{Done, Requested, Required};
    let (from, to): (&[BackupState], _) = match order {
        BackupMove::Prepare => (&[Required], Requested),
        BackupMove::Commit => (&[Requested], Done),
        BackupMove::Rollback => (&[Requested], Required),
        BackupMove::Done => (&[Required, Requested], Done),
    };
    let keys = keys(site, invocation).await?;
    let changed: Vec<(String, KeyId)> = keys
        .into_iter()
        .filter(|key| from.contains(&key.backup))
        .map(|key| (key.repository, key.id))
        .collect();
    if !changed.is_empty() {
        let store = site.staff.zones.store();
        store.keys_set_backup(changed.clone(), to).await.map_err(failed)?;
        tell(site, invocation, &changed).await?;
    }
    Ok(changed.len())
}

/// Has the zones that have these keys look at them: those that waited for their backup may go on,
/// and the history says who made it.
async fn tell(
    site: &Site,
    invocation: &Invocation,
    changed: &[(String, KeyId)],
) -> Result<(), Output> {
    let lives = site.staff.zones.store().lives().await.map_err(failed)?;
    let changed: BTreeSet<&KeyId> = changed.iter().map(|(_, id)| id).collect();
    let has = |life: &ZoneLife| life.keys.iter().any(|key| changed.contains(&key.id));
    for (zone, _) in lives.into_iter().filter(|(_, life)| has(life)) {
        let edit: LifeEdit = Box::new(|life, _| Ok(life.clone()));
        // Nobody waits for it: a zone that is not signed now sees it when it is.
        let (reply, _) = Reply::channel();
        let change = Change { zone, edit, cause: cause(invocation), reply };
        let told = site.staff.zones.enforcer().tell(EnforcerMessage::Change(change));
        told.map_err(|undelivered| failed(undelivered.error))?;
    }
    Ok(())
}

/// The keys that are in their tokens, of the repository that was named, oldest first.
async fn keys(site: &Site, invocation: &Invocation) -> Result<Vec<KeyRecord>, Output> {
    let mut keys = site.staff.zones.store().keys().await.map_err(failed)?;
    let repository = invocation.value("repository");
    keys.retain(|key| {
        key.state == KeyState::Present && repository.is_none_or(|name| name == key.repository)
    });
    keys.sort_by_key(|key| key.inception);
    Ok(keys)
}
