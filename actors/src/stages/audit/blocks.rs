//! A version as blocks of wire records, some chunks at a time: the auditor's process has them, and
//! this one never all at once. In: a version. Out: blocks, rendered on the pool.

use super::{Audit, Stage, StageError};
use crate::runtime::WorkerPool;
use dnssec::Name;
use dnssec::zone::chunk::Chunk;
use dnssec::zone::{ZoneVersion, render};
use std::sync::Arc;

/// Chunks rendered at once.
const CHUNKS_AT_ONCE: usize = 64;

/// Gives blocks in the order of the chunks.
pub(super) struct WireBlocks {
    pool: WorkerPool,
    apex: Name,
    chunks: Vec<Arc<Chunk>>,
    taken: usize,
    ready: std::vec::IntoIter<Vec<u8>>,
    failure: Option<StageError>,
}

impl WireBlocks {
    pub(super) fn new(pool: &WorkerPool, version: &ZoneVersion) -> WireBlocks {
        WireBlocks {
            pool: pool.clone(),
            apex: version.apex.clone(),
            chunks: version.chunks().cloned().collect(),
            taken: 0,
            ready: Vec::new().into_iter(),
            failure: None,
        }
    }

    /// Whether all blocks were made.
    pub(super) fn finish(self) -> Result<(), StageError> {
        self.failure.map_or(Ok(()), Err)
    }

    /// Renders the next chunks; false at the end.
    fn render(&mut self) -> bool {
        let rest = &self.chunks[self.taken..];
        let chunks: Arc<[_]> = rest.iter().take(CHUNKS_AT_ONCE).cloned().collect();
        if chunks.is_empty() || self.failure.is_some() {
            return false;
        }
        self.taken += chunks.len();
        let apex = self.apex.clone();
        let rendered = self.pool.map(chunks, move |_, chunk: &Arc<Chunk>| {
            let mut block = Vec::new();
            render::wire(&apex, chunk, &mut block);
            block
        });
        match rendered {
            Ok(blocks) => {
                self.ready = blocks.into_iter();
                true
            }
            Err(panic) => {
                let cause = panic.to_string();
                self.failure = Some(StageError::Crashed { stage: Audit::NAME, cause });
                false
            }
        }
    }
}

impl Iterator for WireBlocks {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(block) = self.ready.next() {
                return Some(block);
            }
            if !self.render() {
                return None;
            }
        }
    }
}
