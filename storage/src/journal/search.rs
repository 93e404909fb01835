//! Looks for a whole record after a bad one, which tells damage in the middle from a torn end.
//! In: a file and the offset of the bad record. Out: the offset of the next whole one.
//! Limits: what is looked at is bounded by the two constants below; a record that lies beyond
//! counts as not there, and then damage is reported as a torn end. Records inside zone data that
//! look like ours can mislead it too: the answer is for people, nothing is decided by it.

use super::format::{FRAME_LENGTH, PAYLOAD_LENGTH_MIN, decode_frame, is_payload, record_crc};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// How far beyond the bad record is looked, in bytes.
const SEARCH_LENGTH_MAX: u64 = 64 << 20;
/// How many bytes of candidates are summed in one search.
const SUMMED_LENGTH_MAX: u64 = 256 << 20;

/// The offset of the first whole record after the bad one at `bad`. `stated` is the length of
/// the bad one's payload, as it says; `length` that of the file.
pub(super) fn next_record(
    file: &File,
    bad: u64,
    stated: u32,
    length: u64,
) -> io::Result<Option<u64>> {
    // Most often the payload is damaged and its length is not.
    let after = bad + FRAME_LENGTH as u64 + u64::from(stated);
    if after < length {
        let found = search(&window(file, after, length)?, true);
        if found.is_some() {
            return Ok(Some(after));
        }
    }
    let found = search(&window(file, bad + 1, length)?, false);
    Ok(found.map(|position| bad + 1 + position as u64))
}

fn window(file: &File, from: u64, length: u64) -> io::Result<Vec<u8>> {
    let window_length = length.saturating_sub(from).min(SEARCH_LENGTH_MAX);
    let mut bytes = vec![0; window_length as usize];
    file.read_exact_at(&mut bytes, from)?;
    Ok(bytes)
}

/// The position of the first whole record in `bytes`, or whether there is one at their start.
fn search(bytes: &[u8], at_start: bool) -> Option<usize> {
    let mut summed_length = 0;
    let positions = if at_start { 0..1 } else { 0..bytes.len() };
    for position in positions {
        let (frame, rest) = bytes[position..].split_first_chunk::<FRAME_LENGTH>()?;
        let (length, crc) = decode_frame(*frame);
        if (length as usize) < PAYLOAD_LENGTH_MIN {
            continue;
        }
        let Some(payload) = rest.get(..length as usize) else { continue };
        if !is_payload(payload) {
            continue;
        }
        summed_length += u64::from(length);
        if record_crc(length, payload) == crc {
            return Some(position);
        }
        if summed_length > SUMMED_LENGTH_MAX {
            return None;
        }
    }
    None
}
