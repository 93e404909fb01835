//! Many changes in one transaction: a commit waits for the disk twice, and a group waits for all
//! its changes together.
//! In: changes, as the store's own operations on one thread. Out: all of them durable, or none.
//! An operation of the group that refuses may have written a part, so the whole group is given up;
//! each has to be asked again by itself. A panic gives the group up too.
//! Never: a change of another thread in the group; those wait for its end. What the group reads
//! by operations that only read is the state before it.

use super::error::{Failure, StateError, StateOperation};
use super::{Handle, StateStore, begin_durable};
use redb::WriteTransaction;
use std::sync::PoisonError;
use std::thread::ThreadId;

/// A transaction that the operations of one thread share.
pub(super) struct Group {
    thread: ThreadId,
    /// `None` after an I/O error: it holds redb's file, which has to be opened again.
    transaction: Option<WriteTransaction>,
}

impl Handle {
    /// The transaction that this thread shares now; `None`: it is not in a group.
    pub(super) fn shared(&self) -> Option<Result<&WriteTransaction, Failure>> {
        let own = |group: &&Group| group.thread == std::thread::current().id();
        let group = self.group.as_ref().filter(own)?;
        Some(group.transaction.as_ref().ok_or_else(|| redb::StorageError::PreviousIo.into()))
    }

    /// Closes redb's file, after an I/O error.
    pub(super) fn close(&mut self) {
        if let Some(group) = &mut self.group {
            group.transaction = None;
        }
        self.database = None;
    }
}

/// Gives up what was not taken out to be committed.
struct GiveUp<'s>(&'s StateStore);

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        drop(self.0.lock().group.take());
    }
}

impl StateStore {
    /// Runs `work`, of which all changes become durable in one transaction if it says `true`, and
    /// none otherwise. Not to be called within another group.
    pub fn together(&self, work: impl FnOnce() -> bool) -> Result<bool, StateError> {
        // One that panicked has given up its transaction.
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut handle = self.lock();
        let begun = self.opened(&mut handle).and_then(begin_durable);
        let transaction = self.finish(&mut handle, StateOperation::Commit, begun)?;
        let thread = std::thread::current().id();
        handle.group = Some(Group { thread, transaction: Some(transaction) });
        drop(handle);
        let give_up = GiveUp(self);
        if !work() {
            return Ok(false);
        }
        // Readers need not wait for the disk.
        let group = self.lock().group.take();
        drop(give_up);
        let Some(transaction) = group.and_then(|group| group.transaction) else { return Ok(false) };
        let result = transaction.commit().map_err(Failure::from);
        let mut handle = self.lock();
        self.finish(&mut handle, StateOperation::Commit, result).map(|()| true)
    }
}
