//! Fetch: brings the unsigned zone in. In: a path. Out: the file, open and found readable.
//! It is read block by block by the sort stage, so that its text is never in memory as a whole.
//! Transfers are no business of a run: `zone::refresh` has them before it.

use super::{Stage, StageError};
use crate::io::zone_files::ZoneFile;
use crate::runtime::WorkerPool;
use std::path::PathBuf;

/// The fetch stage.
pub struct Fetch;

impl Stage for Fetch {
    const NAME: &'static str = "fetch";
    type Input = PathBuf;
    type Output = ZoneFile;

    fn run(_: &WorkerPool, path: PathBuf) -> Result<ZoneFile, StageError> {
        Ok(ZoneFile::open(&path)?)
    }
}
