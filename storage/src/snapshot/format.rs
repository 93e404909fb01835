//! The bytes of a snapshot's head, directories and trailer (`FORMAT.md`); all numbers are little
//! endian. In: fields or bytes. Out: bytes or fields.
//! Never: files. A head is decoded only after its own checksum matched.

use dnssec::{Name, Serial};

/// First bytes of the file. The high bit, CR LF and the control byte show a file that was sent
/// through something that changes text.
pub(super) const MAGIC: [u8; 8] = *b"\x89AZS\r\n\x1a\n";
/// Last bytes of the file.
pub(super) const END_MAGIC: [u8; 8] = *b"AZS-END\n";
/// The version of the format that this program writes and reads.
pub const FORMAT_VERSION: u16 = 1;
/// Most sections of a snapshot.
pub const SECTION_COUNT_MAX: usize = 64;
/// Length of the fields before the zone name, in bytes.
pub(super) const FIXED_LENGTH: usize = 64;
/// Length of an entry of the section table, in bytes.
const SECTION_ENTRY_LENGTH: usize = 24;
/// Length of an entry of a directory, in bytes.
pub(super) const DIRECTORY_ENTRY_LENGTH: usize = 16;
/// Length of the checksum field that ends the head, with its padding, in bytes.
const HEAD_END_LENGTH: usize = 8;
/// Length of the trailer, in bytes.
pub(super) const TRAILER_LENGTH: usize = 16;
/// Longest head: the longest name and all sections.
pub(super) const HEAD_LENGTH_MAX: usize =
    FIXED_LENGTH + 256 + SECTION_COUNT_MAX * SECTION_ENTRY_LENGTH + HEAD_END_LENGTH;
/// Shortest head: the root's, without sections.
pub(super) const HEAD_LENGTH_MIN: usize = FIXED_LENGTH + 8 + HEAD_END_LENGTH;

/// What a section holds; the numbers belong to the zone model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionNumber(pub u32);

impl SectionNumber {
    /// Chunks of owner names in canonical order.
    pub const OWNERS: SectionNumber = SectionNumber(0);
    /// Chunks of NSEC3 records in hash order.
    pub const NSEC3: SectionNumber = SectionNumber(1);
}

/// What a snapshot says about itself. The counts are the zone model's own and not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotHeader {
    /// The zone.
    pub zone: Name,
    /// The generation, which rises with each snapshot of the zone.
    pub generation: u64,
    /// Serial of the version.
    pub serial: Serial,
    /// Records in the version, RRSIGs included.
    pub record_count: u64,
    /// RRSIGs among them.
    pub signature_count: u64,
}

/// An entry of the section table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SectionEntry {
    pub(super) number: SectionNumber,
    pub(super) directory_crc: u32,
    pub(super) chunk_count: u64,
    pub(super) directory_offset: u64,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkEntry {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) crc: u32,
}

/// The head of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) header: SnapshotHeader,
    pub(super) file_length: u64,
    pub(super) sections: Vec<SectionEntry>,
}

impl Head {
    /// Length of the head of this zone with so many sections, in bytes.
    pub(super) fn length(zone: &Name, section_count: usize) -> usize {
        FIXED_LENGTH
            + zone.as_wire().len().next_multiple_of(8)
            + section_count * SECTION_ENTRY_LENGTH
            + HEAD_END_LENGTH
    }

    /// The head's bytes, its checksum included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name = self.header.zone.as_wire();
        let length = Head::length(&self.header.zone, self.sections.len());
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&u32::from(FORMAT_VERSION).to_le_bytes());
        // At most HEAD_LENGTH_MAX, 64 sections and 255 octets: these fit.
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&self.file_length.to_le_bytes());
        bytes.extend_from_slice(&self.header.generation.to_le_bytes());
        bytes.extend_from_slice(&self.header.serial.0.to_le_bytes());
        bytes.extend_from_slice(&(self.sections.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.header.record_count.to_le_bytes());
        bytes.extend_from_slice(&self.header.signature_count.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
        bytes.extend_from_slice(name);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        for section in &self.sections {
            bytes.extend_from_slice(&section.number.0.to_le_bytes());
            bytes.extend_from_slice(&section.directory_crc.to_le_bytes());
            bytes.extend_from_slice(&section.chunk_count.to_le_bytes());
            bytes.extend_from_slice(&section.directory_offset.to_le_bytes());
        }
        bytes.extend_from_slice(&[0; 4]);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads a head, whose checksum is checked first; `None` when anything is not as a writer
    /// writes it. Magic, version and length are the caller's to check.
    pub(super) fn decode(bytes: &[u8]) -> Option<Head> {
        let (summed, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(summed) != u32::from_le_bytes(*crc) {
            return None;
        }
        let section_count = read_u32(bytes, 36)? as usize;
        let name_length = usize::try_from(read_u64(bytes, 56)?).ok()?;
        let name_bytes = bytes.get(FIXED_LENGTH..FIXED_LENGTH.checked_add(name_length)?)?;
        let (zone, taken) = Name::from_wire(name_bytes).ok()?;
        let expected_length = Head::length(&zone, section_count.min(SECTION_COUNT_MAX + 1));
        if taken != name_length || expected_length != bytes.len() {
            return None;
        }
        let table = FIXED_LENGTH + name_length.next_multiple_of(8);
        let entries = bytes.get(table..bytes.len() - HEAD_END_LENGTH)?;
        let sections = entries.chunks_exact(SECTION_ENTRY_LENGTH);
        Some(Head {
            header: SnapshotHeader {
                zone,
                generation: read_u64(bytes, 24)?,
                serial: Serial(read_u32(bytes, 32)?),
                record_count: read_u64(bytes, 40)?,
                signature_count: read_u64(bytes, 48)?,
            },
            file_length: read_u64(bytes, 16)?,
            sections: sections.map(SectionEntry::decode).collect::<Option<_>>()?,
        })
    }
}

impl SectionEntry {
    fn decode(bytes: &[u8]) -> Option<SectionEntry> {
        Some(SectionEntry {
            number: SectionNumber(read_u32(bytes, 0)?),
            directory_crc: read_u32(bytes, 4)?,
            chunk_count: read_u64(bytes, 8)?,
            directory_offset: read_u64(bytes, 16)?,
        })
    }
}

impl ChunkEntry {
    pub(super) fn encode(&self) -> [u8; DIRECTORY_ENTRY_LENGTH] {
        let mut bytes = [0; DIRECTORY_ENTRY_LENGTH];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..].copy_from_slice(&self.crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<ChunkEntry> {
        Some(ChunkEntry {
            offset: read_u64(bytes, 0)?,
            length: read_u32(bytes, 8)?,
            crc: read_u32(bytes, 12)?,
        })
    }
}

/// The trailer: checksum of all bytes before it, four zeros, the end magic.
pub(super) fn encode_trailer(total_crc: u32) -> [u8; TRAILER_LENGTH] {
    let mut bytes = [0; TRAILER_LENGTH];
    bytes[..4].copy_from_slice(&total_crc.to_le_bytes());
    bytes[8..].copy_from_slice(&END_MAGIC);
    bytes
}

/// The little-endian number at `at`.
pub(crate) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// The little-endian number at `at`.
pub(crate) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// A checksum over a file that is seen part by part, from checksums of the parts where those
/// are known, so that no byte is summed twice.
pub(super) struct TotalCrc(crc32fast::Hasher);

impl TotalCrc {
    pub(super) fn new() -> TotalCrc {
        TotalCrc(crc32fast::Hasher::new())
    }

    /// The next bytes of the file.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The next `length` bytes of the file, whose checksum is `crc`.
    pub(super) fn append(&mut self, crc: u32, length: u64) {
        self.0.combine(&crc32fast::Hasher::new_with_initial_len(crc, length));
    }

    pub(super) fn value(self) -> u32 {
        self.0.finalize()
    }
}
