//! Durable state: redb facts, packed zone snapshots, journals of differences, and files replaced
//! as a whole.
//!
//! In: facts about policies, zones and keys; opaque chunks of zone versions. Out: the same after
//! any crash, or an error that names the file and what is wrong with it. `FORMAT.md` draws every
//! byte. Order of truth: a snapshot or a journal entry is synced, then the redb commit names its
//! generation and serial, then leftovers are removed.
//! Never: decisions, clocks, network, private keys, the meaning of a chunk's bytes.
//! Not yet: backup and restore.
#![deny(unsafe_code, unsafe_op_in_unsafe_fn)]

pub mod faults;
pub mod journal;
pub mod replace;
pub mod snapshot;
pub mod state;

pub use journal::{Journal, JournalError};
pub use replace::{FileMode, ReplaceError, replace_file, replace_file_unsynced};
pub use snapshot::{MappedBytes, Snapshot, SnapshotError, open_snapshot, write_snapshot};
pub use state::{StateError, StateStore, state_path};
