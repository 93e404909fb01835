//! Names of a zone file to wire form. RFC 1035 §2.3.4, §3.1, §5.1.

use super::TextProblem;
use super::lexer::{Word, unescape};

const NAME_OCTETS_MAX: usize = 255;
const LABEL_OCTETS_MAX: usize = 63;

/// Appends the name that a word stands for.
pub(super) fn append(
    word: &Word<'_>,
    origin: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), TextProblem> {
    if word.is_quoted || word.has_quotes {
        return Err(TextProblem::StrayQuote);
    }
    let start = out.len();
    match word.bytes {
        b"@" => out.extend_from_slice(origin.ok_or(TextProblem::NoOrigin)?),
        b"." => out.push(0),
        bytes if word.has_escape => append_escaped(bytes, origin, out)?,
        bytes => append_plain(bytes, origin, out)?,
    }
    if out.len() - start > NAME_OCTETS_MAX { Err(TextProblem::BadName) } else { Ok(()) }
}

fn append_plain(bytes: &[u8], origin: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), TextProblem> {
    // Also keeps `out` from growing by a word of megabytes.
    if bytes.len() > NAME_OCTETS_MAX {
        return Err(TextProblem::BadName);
    }
    let absolute = bytes.strip_suffix(b".");
    for label in absolute.unwrap_or(bytes).split(|&octet| octet == b'.') {
        if label.is_empty() || label.len() > LABEL_OCTETS_MAX {
            return Err(TextProblem::BadName);
        }
        out.push(label.len() as u8);
        out.extend_from_slice(label);
    }
    match absolute {
        Some(_) => out.push(0),
        None => out.extend_from_slice(origin.ok_or(TextProblem::NoOrigin)?),
    }
    Ok(())
}

fn append_escaped(
    bytes: &[u8],
    origin: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), TextProblem> {
    if bytes.len() > 4 * NAME_OCTETS_MAX {
        return Err(TextProblem::BadName);
    }
    let mut length_at = out.len();
    let mut is_bad = false;
    out.push(0);
    unescape(bytes, |octet, is_escaped| {
        let length = out.len() - length_at - 1;
        if octet == b'.' && !is_escaped {
            is_bad |= length == 0;
            length_at = out.len();
            out.push(0);
        } else {
            is_bad |= length == LABEL_OCTETS_MAX;
            out.push(octet);
            // Labels that are too long are refused below.
            out[length_at] = out[length_at].saturating_add(1);
        }
    })?;
    if is_bad {
        return Err(TextProblem::BadName);
    }
    // Where the word ends with a dot, the empty label behind it is the root.
    if out[length_at] != 0 {
        out.extend_from_slice(origin.ok_or(TextProblem::NoOrigin)?);
    }
    Ok(())
}
