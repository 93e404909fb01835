//! `backup list`, `prepare`, `commit`, `rollback` and `done` (catalogue 1.5, 4.7): which keys an
//! operator has copies of. In: records of keys. Out: lists, notes in the store.
//! `done` is 1.x's: `prepare` and `commit` at once.

use super::dispatch::wrong_arguments;
use super::key_view::failed;
use super::output::Output;
use super::site::Site;
use super::text::columns;
use crate::enforcer::EnforcerMessage;
use console_protocol::parse::Invocation;
use dnssec::key::KeyId;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use storage::state::{BackupState, KeyRecord, KeyState};

/// `backup list`.
pub(super) fn backup_list(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let keys = match keys(&site, &invocation).await {
            Ok(keys) => keys,
            Err(output) => return output,
        };
        let line =
            |id: &str, place: &str, state: &str| columns(&[(id, 32), (place, 16), (state, 16)]);
        let lines = keys.iter().map(|key| {
            let state = match key.backup {
                BackupState::NotRequired => "Not Required",
                BackupState::Required => "Required",
                BackupState::Requested => "Prepared",
                BackupState::Done => "Done",
            };
            line(&key.id.to_string(), &key.repository, state)
        });
        let stderr = line("Locator:", "Repository:", "Backup state:");
        Output { stderr, ..Output::done(lines.collect::<String>()) }
    }
    .boxed_local()
}

/// `backup prepare`, `commit`, `rollback`, `done`.
pub(super) fn backup_change(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let keys = match keys(&site, &invocation).await {
            Ok(keys) => keys,
            Err(output) => return output,
        };
        use BackupState::{Done, Requested, Required};
        let (from, to, words): (&[BackupState], _, _) = match invocation.command.path {
            "backup prepare" => (&[Required], Requested, "keys flagged for backup"),
            "backup commit" => (&[Requested], Done, "keys marked backup done"),
            "backup rollback" => (&[Requested], Required, "keys unflagged for backup"),
            "backup done" => (&[Required, Requested], Done, "keys marked backup done"),
            _ => {
                let (command, rest) = (invocation.command, &invocation.rest);
                return wrong_arguments(command, rest, String::new(), String::new());
            }
        };
        let changed: Vec<(String, KeyId)> = keys
            .into_iter()
            .filter(|key| from.contains(&key.backup))
            .map(|key| (key.repository, key.id))
            .collect();
        let count = changed.len();
        if count > 0 {
            if let Err(error) = site.staff.zones.store().keys_set_backup(changed, to).await {
                return failed(error);
            }
            // Keys that waited for their backup may go on.
            let told = site.staff.zones.enforcer().tell(EnforcerMessage::Enforce { zone: None });
            if let Err(undelivered) = told {
                return failed(undelivered.error);
            }
        }
        Output::done(format!("info: {words}: {count}\n"))
    }
    .boxed_local()
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
