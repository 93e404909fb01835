//! Fetch: brings the unsigned zone in. In: a path. Out: the bytes of the file.
//! Not yet: transfers.

use super::{Stage, StageError};
use crate::io::zone_files;
use crate::runtime::WorkerPool;
use std::path::PathBuf;

/// The fetch stage.
pub struct Fetch;

/// What was fetched.
pub struct Source {
    /// Where it came from; `$INCLUDE` is relative to its folder.
    pub path: PathBuf,
    /// The whole file.
    pub bytes: Vec<u8>,
}

impl Stage for Fetch {
    const NAME: &'static str = "fetch";
    type Input = PathBuf;
    type Output = Source;

    fn run(_: &WorkerPool, path: PathBuf) -> Result<Source, StageError> {
        let bytes = zone_files::read(&path)?;
        Ok(Source { path, bytes })
    }
}
