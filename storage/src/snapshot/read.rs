//! Opening a snapshot. In: a file from our own folder. Out: its header, and its chunks as slices
//! of one read-only mapping that lives as long as any of them.
//! Every byte is checked before anything is handed out: chunks and directories by their own
//! checksums, all of it by the sum in the trailer, and every part must lie where the writer puts
//! it, so that no two overlap.
//! Limits: a disk that fails to read a page later, when the page is no longer in memory, kills
//! the process with SIGBUS; it restarts and then gets an error here.

use super::format::{
    ChunkEntry, DIRECTORY_ENTRY_LENGTH, FIXED_LENGTH, FORMAT_VERSION, HEAD_LENGTH_MAX,
    HEAD_LENGTH_MIN, Head, MAGIC, SectionEntry, SectionNumber, SnapshotHeader, TRAILER_LENGTH,
    TotalCrc, encode_trailer, read_u32,
};
use super::names::snapshot_path;
use super::{SnapshotError, SnapshotOperation, SnapshotPart};
use dnssec::Name;
use memmap2::Mmap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes of a mapped snapshot. Cheap to clone; keeps the mapping alive.
#[derive(Clone)]
pub struct MappedBytes {
    map: Arc<Mmap>,
    // Within the mapping: only made by `Snapshot`, from ranges that were checked at opening.
    range: Range<usize>,
}

impl AsRef<[u8]> for MappedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.map[self.range.clone()]
    }
}

impl Deref for MappedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_ref()
    }
}

impl fmt::Debug for MappedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MappedBytes({:?})", self.range)
    }
}

/// An open snapshot, checked in full.
#[derive(Clone, Debug)]
pub struct Snapshot {
    path: PathBuf,
    map: Arc<Mmap>,
    header: SnapshotHeader,
    sections: Vec<(SectionNumber, Vec<Range<usize>>)>,
}

impl Snapshot {
    /// The file it was opened from; it may be gone by now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says about itself.
    pub fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// The numbers of its sections, in file order.
    pub fn section_numbers(&self) -> impl Iterator<Item = SectionNumber> {
        self.sections.iter().map(|(number, _)| *number)
    }

    /// The chunks of a section, in order; none when there is no such section.
    pub fn chunks(&self, section: SectionNumber) -> impl ExactSizeIterator<Item = MappedBytes> {
        let found = self.sections.iter().find(|(number, _)| *number == section);
        let ranges = found.map_or(&[][..], |(_, ranges)| ranges.as_slice());
        ranges.iter().map(|range| MappedBytes { map: self.map.clone(), range: range.clone() })
    }
}

/// Opens and checks the snapshot of `zone` and `generation` in `folder`.
pub fn open_snapshot(
    folder: &Path,
    zone: &Name,
    generation: u64,
) -> Result<Snapshot, SnapshotError> {
    let snapshot = open_snapshot_file(&snapshot_path(folder, zone, generation))?;
    check_identity(&snapshot.path, &snapshot.header, zone, generation)?;
    Ok(snapshot)
}

/// Reads what the snapshot of `zone` and `generation` says about itself; of its bytes only the
/// head is looked at.
pub fn read_header(
    folder: &Path,
    zone: &Name,
    generation: u64,
) -> Result<SnapshotHeader, SnapshotError> {
    let path = &snapshot_path(folder, zone, generation);
    let io = |operation| move |cause| SnapshotError::Io { path: path.clone(), operation, cause };
    let file = File::open(path).map_err(io(SnapshotOperation::Open))?;
    let length = file.metadata().map_err(io(SnapshotOperation::Open))?.len();
    let mut bytes = Vec::with_capacity(HEAD_LENGTH_MAX);
    let read = file.take(HEAD_LENGTH_MAX as u64).read_to_end(&mut bytes);
    read.map_err(io(SnapshotOperation::Read))?;
    let (head, _) = Reader { path, bytes: &bytes, length }.head()?;
    check_identity(path, &head.header, zone, generation)?;
    Ok(head.header)
}

fn check_identity(
    path: &Path,
    header: &SnapshotHeader,
    zone: &Name,
    generation: u64,
) -> Result<(), SnapshotError> {
    if header.zone != *zone {
        return Err(SnapshotError::WrongZone {
            path: path.to_owned(),
            expected: Box::new(zone.clone()),
            found: Box::new(header.zone.clone()),
        });
    }
    if header.generation != generation {
        return Err(SnapshotError::WrongGeneration {
            path: path.to_owned(),
            expected: generation,
            found: header.generation,
        });
    }
    Ok(())
}

/// Opens and checks a snapshot of whatever zone and generation.
pub fn open_snapshot_file(path: &Path) -> Result<Snapshot, SnapshotError> {
    let io = |operation| move |cause| SnapshotError::Io { path: path.to_owned(), operation, cause };
    let file = File::open(path).map_err(io(SnapshotOperation::Open))?;
    let length = file.metadata().map_err(io(SnapshotOperation::Open))?.len();
    if length == 0 {
        // An empty range cannot be mapped.
        let expected = (HEAD_LENGTH_MIN + TRAILER_LENGTH) as u64;
        return Err(SnapshotError::WrongLength { path: path.to_owned(), expected, found: 0 });
    }
    // SAFETY: the file is one of our snapshots: written under a temporary name, mode 0400, and
    // renamed when complete; nothing of ours opens it for writing or truncates it afterwards,
    // removal and replacement leave the mapped inode alone. What somebody else with the right
    // to write there does to it meanwhile is outside what the program can hold.
    #[allow(unsafe_code, reason = "mapping our own snapshots")]
    let map = unsafe { Mmap::map(&file) }.map_err(io(SnapshotOperation::Map))?;
    let (header, sections) = Reader { path, bytes: &map, length: map.len() as u64 }.read()?;
    Ok(Snapshot { path: path.to_owned(), map: Arc::new(map), header, sections })
}

type Sections = Vec<(SectionNumber, Vec<Range<usize>>)>;

struct Reader<'a> {
    path: &'a Path,
    /// The file, or its beginning.
    bytes: &'a [u8],
    /// Of the file.
    length: u64,
}

impl Reader<'_> {
    fn read(&self) -> Result<(SnapshotHeader, Sections), SnapshotError> {
        let (head, head_length) = self.head()?;
        let mut total = TotalCrc::new();
        total.update(&self.bytes[..head_length]);
        let mut offset = head_length;
        let mut directories = Vec::with_capacity(head.sections.len());
        for entry in &head.sections {
            let (directory, end) = self.directory(entry, offset)?;
            total.append(entry.directory_crc, (end - offset) as u64);
            offset = end;
            directories.push((entry.number, directory));
        }
        let mut sections = Vec::with_capacity(directories.len());
        for (number, directory) in directories {
            let mut ranges = Vec::with_capacity(directory.len() / DIRECTORY_ENTRY_LENGTH);
            for (index, entry) in directory.chunks_exact(DIRECTORY_ENTRY_LENGTH).enumerate() {
                let part = SnapshotPart::Chunk { section: number, index };
                let range = self.chunk(entry, offset).ok_or_else(|| self.corrupt(offset, part))?;
                let end = self.aligned_end(&range).ok_or_else(|| self.corrupt(offset, part))?;
                // The entry's checksum is that of the bytes: chunk() has compared them.
                let crc = read_u32(entry, 12).unwrap_or_default();
                total.append(crc, range.len() as u64);
                total.update(&self.bytes[range.end..end]);
                ranges.push(range);
                offset = end;
            }
            sections.push((number, ranges));
        }
        self.trailer(offset, total)?;
        Ok((head.header, sections))
    }

    /// Checks magic, version, lengths and the head's checksum; returns the head and its length.
    fn head(&self) -> Result<(Head, usize), SnapshotError> {
        let found = self.length;
        let wrong_length = |expected: u64| SnapshotError::WrongLength {
            path: self.path.to_owned(),
            expected,
            found,
        };
        if !self.bytes.starts_with(&MAGIC[..self.bytes.len().min(MAGIC.len())]) {
            return Err(SnapshotError::WrongMagic { path: self.path.to_owned() });
        }
        if self.bytes.len() < HEAD_LENGTH_MIN + TRAILER_LENGTH {
            return Err(wrong_length((HEAD_LENGTH_MIN + TRAILER_LENGTH) as u64));
        }
        let version = u16::from_le_bytes([self.bytes[8], self.bytes[9]]);
        if version != FORMAT_VERSION {
            let path = self.path.to_owned();
            return Err(SnapshotError::WrongVersion { path, found: version });
        }
        let corrupt = || self.corrupt(0, SnapshotPart::Head);
        let head_length = read_u32(self.bytes, 12).ok_or_else(corrupt)? as usize;
        if self.bytes[10..12] != [0; 2] || !(FIXED_LENGTH..=HEAD_LENGTH_MAX).contains(&head_length)
        {
            return Err(corrupt());
        }
        let head_bytes =
            self.bytes.get(..head_length).ok_or_else(|| wrong_length(head_length as u64))?;
        let head = Head::decode(head_bytes).ok_or_else(corrupt)?;
        if head.file_length != found {
            return Err(wrong_length(head.file_length));
        }
        Ok((head, head_length))
    }

    /// The directory at `offset` and its end.
    fn directory(
        &self,
        entry: &SectionEntry,
        offset: usize,
    ) -> Result<(&[u8], usize), SnapshotError> {
        let part = SnapshotPart::Directory { section: entry.number };
        let corrupt = || self.corrupt(offset, part);
        let length = usize::try_from(entry.chunk_count)
            .ok()
            .and_then(|count| count.checked_mul(DIRECTORY_ENTRY_LENGTH))
            .ok_or_else(corrupt)?;
        let end = offset.checked_add(length).ok_or_else(corrupt)?;
        let bytes = self.bytes.get(offset..end).ok_or_else(corrupt)?;
        let in_place = entry.directory_offset == offset as u64;
        if !in_place || crc32fast::hash(bytes) != entry.directory_crc {
            return Err(corrupt());
        }
        Ok((bytes, end))
    }

    /// The range of the chunk that `entry` describes; `None` when it is not at `offset`, not in
    /// the file, or its checksum is wrong.
    fn chunk(&self, entry: &[u8], offset: usize) -> Option<Range<usize>> {
        let entry = ChunkEntry::decode(entry)?;
        let end = offset.checked_add(usize::try_from(entry.length).ok()?)?;
        let bytes = self.bytes.get(offset..end)?;
        let sound = entry.offset == offset as u64 && crc32fast::hash(bytes) == entry.crc;
        sound.then_some(offset..end)
    }

    /// Where the part after `range` starts; `None` when that is past the file.
    fn aligned_end(&self, range: &Range<usize>) -> Option<usize> {
        let end = range.end.checked_next_multiple_of(8)?;
        (end <= self.bytes.len()).then_some(end)
    }

    fn trailer(&self, offset: usize, total: TotalCrc) -> Result<(), SnapshotError> {
        let trailer = &self.bytes[offset..];
        let expected = encode_trailer(total.value());
        if trailer == expected {
            return Ok(());
        }
        // Bytes of the trailer itself, or bytes that no other checksum covers.
        let sound_trailer = trailer.len() == TRAILER_LENGTH && trailer[4..] == expected[4..];
        let part = if sound_trailer { SnapshotPart::Padding } else { SnapshotPart::Trailer };
        Err(self.corrupt(offset, part))
    }

    fn corrupt(&self, offset: usize, part: SnapshotPart) -> SnapshotError {
        SnapshotError::Corrupt { path: self.path.to_owned(), offset: offset as u64, part }
    }
}
