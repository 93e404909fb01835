//! Writing a snapshot. In: header fields and sections of chunks. Out: a synced file under its
//! final name. The old generation stays until its owner removes it.
//! Never: overwrites in place; a mapping of the same name keeps its bytes.

use super::format::{
    ChunkEntry, DIRECTORY_ENTRY_LENGTH, Head, SECTION_COUNT_MAX, SectionEntry, SectionNumber,
    SnapshotHeader, TRAILER_LENGTH, TotalCrc, encode_trailer,
};
use super::names::snapshot_path;
use super::{SnapshotError, SnapshotLimit, SnapshotOperation};
use crate::replace::{FileMode, make_folder, replace_file};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Snapshots are mapped by readers, so nobody may write to one, their owner included.
const SNAPSHOT_MODE: u32 = 0o400;

/// One section to write.
#[derive(Clone, Debug)]
pub struct SnapshotSection<'a> {
    /// Its number, once in a snapshot.
    pub number: SectionNumber,
    /// Its chunks, in order.
    pub chunks: &'a [&'a [u8]],
}

/// Writes a snapshot into `folder` (made when it does not exist) and returns its path. When this
/// returns, the file survives a power cut; it becomes true by the commit of its generation in
/// the state store.
pub fn write_snapshot(
    folder: &Path,
    header: &SnapshotHeader,
    sections: &[SnapshotSection<'_>],
) -> Result<PathBuf, SnapshotError> {
    let path = snapshot_path(folder, &header.zone, header.generation);
    check_limits(&path, sections)?;
    make_folder(folder).map_err(|cause| SnapshotError::Io {
        path: folder.to_owned(),
        operation: SnapshotOperation::CreateFolder,
        cause,
    })?;
    let plan = Plan::new(header, sections);
    replace_file(&path, FileMode::Exactly(SNAPSHOT_MODE), |out| plan.write(sections, out))?;
    Ok(path)
}

fn check_limits(path: &Path, sections: &[SnapshotSection<'_>]) -> Result<(), SnapshotError> {
    let too_large = |limit| Err(SnapshotError::TooLarge { path: path.to_owned(), limit });
    let mut numbers: Vec<SectionNumber> = sections.iter().map(|section| section.number).collect();
    numbers.sort();
    numbers.dedup();
    if numbers.len() != sections.len() || sections.len() > SECTION_COUNT_MAX {
        return too_large(SnapshotLimit::Sections);
    }
    let mut chunks = sections.iter().flat_map(|section| section.chunks);
    if chunks.any(|chunk| u32::try_from(chunk.len()).is_err()) {
        return too_large(SnapshotLimit::ChunkLength);
    }
    Ok(())
}

/// Everything about the file but the chunks themselves.
struct Plan {
    head: Vec<u8>,
    directories: Vec<Vec<ChunkEntry>>,
}

impl Plan {
    fn new(header: &SnapshotHeader, sections: &[SnapshotSection<'_>]) -> Plan {
        // Lengths of slices in memory: their sum, with 24 bytes for each, is far below 2^64.
        let mut offset = Head::length(&header.zone, sections.len()) as u64;
        let mut entries = Vec::with_capacity(sections.len());
        for section in sections {
            entries.push(SectionEntry {
                number: section.number,
                directory_crc: 0,
                chunk_count: section.chunks.len() as u64,
                directory_offset: offset,
            });
            offset += (section.chunks.len() * DIRECTORY_ENTRY_LENGTH) as u64;
        }
        let mut directories = Vec::with_capacity(sections.len());
        for (section, entry) in sections.iter().zip(&mut entries) {
            let mut directory = Vec::with_capacity(section.chunks.len());
            let mut crc = crc32fast::Hasher::new();
            for chunk in section.chunks {
                let length = chunk.len() as u32; // checked by check_limits
                let chunk_entry = ChunkEntry { offset, length, crc: crc32fast::hash(chunk) };
                offset = (offset + u64::from(length)).next_multiple_of(8);
                crc.update(&chunk_entry.encode());
                directory.push(chunk_entry);
            }
            entry.directory_crc = crc.finalize();
            directories.push(directory);
        }
        let file_length = offset + TRAILER_LENGTH as u64;
        let head = Head { header: header.clone(), file_length, sections: entries };
        Plan { head: head.encode(), directories }
    }

    fn write(&self, sections: &[SnapshotSection<'_>], out: &mut impl Write) -> io::Result<()> {
        let mut total = TotalCrc::new();
        total.update(&self.head);
        out.write_all(&self.head)?;
        for entry in self.directories.iter().flatten() {
            let bytes = entry.encode();
            total.update(&bytes);
            out.write_all(&bytes)?;
        }
        let chunks = sections.iter().flat_map(|section| section.chunks);
        for (chunk, entry) in chunks.zip(self.directories.iter().flatten()) {
            out.write_all(chunk)?;
            total.append(entry.crc, u64::from(entry.length));
            let padding = &[0; 8][..chunk.len().next_multiple_of(8) - chunk.len()];
            out.write_all(padding)?;
            total.update(padding);
        }
        out.write_all(&encode_trailer(total.value()))
    }
}
