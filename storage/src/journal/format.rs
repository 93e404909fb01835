//! The bytes of a journal segment: its head and its records (`FORMAT.md`). Numbers of head and
//! record frame are little endian; a record's payload is postcard, its first byte a version, as
//! in the values of the state store.
//! In: fields or bytes. Out: bytes or fields; other bytes are `None` or an error, never a panic.
//! Never: files.

use super::{JournalEntry, Records};
use crate::snapshot::format::{read_u32, read_u64};
use dnssec::{Name, Serial, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

/// First bytes of the file, in the manner of a snapshot's.
pub(super) const MAGIC: [u8; 8] = *b"\x89AZJ\r\n\x1a\n";
/// The version of the format that this program writes and reads.
pub const FORMAT_VERSION: u16 = 1;
/// Length of the fields before the zone name, in bytes.
const FIXED_LENGTH: usize = 32;
/// Length of the checksum field that ends the head, with its padding, in bytes.
const HEAD_END_LENGTH: usize = 8;
/// Longest head: the longest name.
pub(super) const HEAD_LENGTH_MAX: usize = FIXED_LENGTH + 256 + HEAD_END_LENGTH;
/// Length of the length and the checksum before a payload, in bytes.
pub(super) const FRAME_LENGTH: usize = 8;
/// Shortest payload: version, two serials, no input serial, a time, four empty lists.
pub(super) const PAYLOAD_LENGTH_MIN: usize = 9;
/// Longest payload beside its four lists of records: every number at its longest.
pub(super) const PAYLOAD_FIXED_LENGTH_MAX: u64 = 1 + 2 * 5 + 6 + 10 + 4 * 10;
/// The newest version byte of a payload.
const NEWEST_VERSION: u8 = 0;

/// The head of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) zone: Name,
    pub(super) generation: u64,
    /// Serial of the version that the first entry starts from.
    pub(super) start: Serial,
}

/// Why bytes are no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadProblem {
    /// Torn, damaged, or not a journal at all.
    Malformed,
    /// Of a newer version of this program, or the version field is damaged.
    Newer { version: u16 },
}

impl Head {
    /// Length of the head of this zone's segments, in bytes.
    pub(super) fn length(zone: &Name) -> usize {
        FIXED_LENGTH + zone.as_wire().len().next_multiple_of(8) + HEAD_END_LENGTH
    }

    /// The head's bytes, its checksum included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let name = self.zone.as_wire();
        let length = Head::length(&self.zone);
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&u32::from(FORMAT_VERSION).to_le_bytes());
        // At most HEAD_LENGTH_MAX and 255 octets: these fit.
        bytes.extend_from_slice(&(length as u32).to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.start.0.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(name);
        bytes.resize(length - 4, 0);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the head at the start of `bytes` and returns it with its length.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Head, usize), HeadProblem> {
        let version = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.first_chunk::<2>());
        match version.map(|version| u16::from_le_bytes(*version)) {
            Some(FORMAT_VERSION) => Head::decode_fields(bytes).ok_or(HeadProblem::Malformed),
            Some(version) => Err(HeadProblem::Newer { version }),
            None => Err(HeadProblem::Malformed),
        }
    }

    fn decode_fields(bytes: &[u8]) -> Option<(Head, usize)> {
        let length = read_u32(bytes, 12)? as usize;
        let bytes = bytes.get(..length)?;
        let (summed, crc) = bytes.split_last_chunk::<4>()?;
        let name_length = read_u32(bytes, 28)? as usize;
        let name_bytes = bytes.get(FIXED_LENGTH..FIXED_LENGTH.checked_add(name_length)?)?;
        let (zone, taken) = Name::from_wire(name_bytes).ok()?;
        let sound = crc32fast::hash(summed) == u32::from_le_bytes(*crc)
            && taken == name_length
            && length == Head::length(&zone);
        let generation = read_u64(bytes, 16)?;
        let start = Serial(read_u32(bytes, 24)?);
        sound.then_some((Head { zone, generation, start }, length))
    }
}

#[derive(Serialize, Deserialize)]
enum EntryValue<'a> {
    #[serde(borrow)]
    V0(EntryV0<'a>),
}

#[derive(Serialize, Deserialize)]
struct EntryV0<'a> {
    from: u32,
    to: u32,
    input_serial: Option<u32>,
    signed_at: u64,
    #[serde(borrow)]
    signed: RecordsV0<'a>,
    #[serde(borrow)]
    source: RecordsV0<'a>,
}

#[derive(Serialize, Deserialize)]
struct RecordsV0<'a> {
    #[serde(borrow, serialize_with = "as_bytes")]
    removed: &'a [u8],
    #[serde(borrow, serialize_with = "as_bytes")]
    added: &'a [u8],
}

/// In one piece: serde writes a slice octet by octet otherwise, the same bytes but slowly.
fn as_bytes<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

/// Writes the record of `entry` into `buffer`, in place of what is in it. The caller has seen to
/// it that the payload is not longer than [`RECORD_LENGTH_MAX`](super::RECORD_LENGTH_MAX).
pub(super) fn encode_record(entry: &JournalEntry, buffer: &mut Vec<u8>) {
    let mut record = std::mem::take(buffer);
    record.clear();
    record.extend_from_slice(&[0; FRAME_LENGTH]);
    let value = EntryValue::V0(EntryV0 {
        from: entry.from.0,
        to: entry.to.0,
        input_serial: entry.input_serial.map(|serial| serial.0),
        signed_at: entry.signed_at.0,
        signed: borrowed(&entry.signed),
        source: borrowed(&entry.source),
    });
    // Numbers and slices have a form in postcard, and a Vec takes whatever it is given.
    let mut record = postcard::to_extend(&value, record).expect("encoding into a Vec");
    let length = (record.len() - FRAME_LENGTH) as u32;
    record[..4].copy_from_slice(&length.to_le_bytes());
    let crc = record_crc(length, &record[FRAME_LENGTH..]);
    record[4..FRAME_LENGTH].copy_from_slice(&crc.to_le_bytes());
    *buffer = record;
}

fn borrowed(records: &Records) -> RecordsV0<'_> {
    RecordsV0 { removed: &records.removed, added: &records.added }
}

/// The checksum of a record: over the four bytes of its length, then the payload.
pub(super) fn record_crc(length: u32, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// The frame before a payload: length and checksum.
pub(super) fn decode_frame(frame: [u8; FRAME_LENGTH]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = frame;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// Why a payload whose checksum is right is no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PayloadProblem {
    /// No writer writes such a payload.
    Malformed,
    /// Its version byte is unknown: written by a newer version of this program.
    Newer { version: u8 },
}

/// Reads a payload.
pub(super) fn decode_payload(payload: &[u8]) -> Result<JournalEntry, PayloadProblem> {
    let value = decode_value(payload)?;
    Ok(JournalEntry {
        from: Serial(value.from),
        to: Serial(value.to),
        input_serial: value.input_serial.map(Serial),
        signed_at: Timestamp(value.signed_at),
        signed: owned(&value.signed),
        source: owned(&value.source),
    })
}

fn owned(records: &RecordsV0<'_>) -> Records {
    Records { removed: records.removed.to_vec(), added: records.added.to_vec() }
}

/// Whether `payload` looks like an entry; takes a few steps at any length, and copies nothing.
pub(super) fn is_payload(payload: &[u8]) -> bool {
    decode_value(payload).is_ok()
}

fn decode_value(payload: &[u8]) -> Result<EntryV0<'_>, PayloadProblem> {
    match (payload.first(), postcard::take_from_bytes(payload)) {
        (Some(&version), _) if version > NEWEST_VERSION => Err(PayloadProblem::Newer { version }),
        (_, Ok((EntryValue::V0(value), []))) if Serial(value.to).is_after(Serial(value.from)) => {
            Ok(value)
        }
        _ => Err(PayloadProblem::Malformed),
    }
}
