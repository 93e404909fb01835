//! The second gate: external checkers of conf.xml, one after the other, each with the signed
//! candidate in a file. In: a candidate that the auditor approved. Out: nothing, or why not.
//! They see a version before it is saved, so they can hold it back. What they are asked costs a
//! whole zone file each time, also for a small change.

use super::Services;
use crate::io::checker::{CheckerError, check};
use crate::io::folders::{private_folder, remove_file};
use crate::settings::zone_text;
use crate::stages::publish::{Stored, write_zone_file};
use crate::zone::pipeline::RunOrder;
use std::io;
use std::path::PathBuf;
use storage::snapshot::zone_file_stem;

/// The folder of the files that checkers see, below that of the snapshots.
const FOLDER: &str = "candidates";

impl Services {
    /// Asks all checkers; the first that does not approve ends it.
    pub(super) async fn check(
        &self,
        order: &RunOrder,
        candidate: &Stored,
    ) -> Result<(), CheckerError> {
        if self.checkers.is_empty() {
            return Ok(());
        }
        let file = self.written(order, candidate).await.map_err(|cause| {
            let program = "the checkers".to_owned();
            CheckerError::NotStarted { program, cause }
        })?;
        let zone = zone_text(&order.settings.name);
        let mut result = Ok(());
        for checker in &self.checkers {
            result = check(checker, &zone, &file).await;
            if result.is_err() {
                break;
            }
        }
        let remove = move || remove_file(&file);
        if let Ok(answer) = self.pool.run(remove)
            && let Ok(Err(error)) = answer.await
        {
            tracing::warn!(target: "audit", %zone, %error, "a checker's file was not removed");
        }
        result
    }

    /// Writes the candidate where only this program's user can read it.
    async fn written(&self, order: &RunOrder, candidate: &Stored) -> io::Result<PathBuf> {
        let folder = self.snapshot_folder.join(FOLDER);
        let file = folder.join(format!("{}.zone", zone_file_stem(&order.settings.name)));
        let (pool, version) = (self.pool.clone(), candidate.version.clone());
        let write = move || {
            private_folder(&folder)?;
            write_zone_file(&pool, &version, &file).map_err(io::Error::other)?;
            Ok(file)
        };
        let answer = self.pool.run(write).map_err(io::Error::other)?;
        answer.await.map_err(io::Error::other)?
    }
}
