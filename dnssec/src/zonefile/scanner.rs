//! Bytes to logical lines: fields, quotes, comments, parentheses. RFC 1035 §5.1.
//! In: a block that starts at a line start. Out: the fields of one logical line, as slices of the
//! block, escapes unresolved; or "need more". Never: copies, meaning of fields.
//! Octets above 127 are text (names and texts are octets); control characters are not.

use super::error::Problem;
use crate::rdata::Field;

/// What an octet means outside quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Ordinary,
    Space,
    Newline,
    Return,
    Comment,
    Open,
    Close,
    Quote,
    Escape,
    Control,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Ordinary; 256];
    let mut octet = 0;
    while octet < 0x20 {
        classes[octet] = Class::Control;
        octet += 1;
    }
    classes[0x7F] = Class::Control;
    classes[b' ' as usize] = Class::Space;
    classes[b'\t' as usize] = Class::Space;
    classes[b'\n' as usize] = Class::Newline;
    classes[b'\r' as usize] = Class::Return;
    classes[b';' as usize] = Class::Comment;
    classes[b'(' as usize] = Class::Open;
    classes[b')' as usize] = Class::Close;
    classes[b'"' as usize] = Class::Quote;
    classes[b'\\' as usize] = Class::Escape;
    classes
};

fn class(octet: u8) -> Class {
    CLASSES[usize::from(octet)]
}

/// Something wrong at an offset from the start of the logical line.
#[derive(Debug)]
pub(super) struct ScanError {
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

fn wrong<T>(offset: usize, problem: Problem) -> Result<T, ScanError> {
    Err(ScanError { offset, problem })
}

/// What became of a call to [`LogicalLine::scan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// A whole logical line of this many octets, its end included.
    Line { length: usize },
    /// The block ends within the line.
    NeedMore,
}

/// The fields of one logical line; one of these is used for a whole block.
pub(super) struct LogicalLine<'a> {
    pub(super) fields: Vec<Field<'a>>,
    /// Whether it starts with white space: the owner is that of the record before.
    pub(super) blank_owner: bool,
    /// Line ends in it.
    pub(super) newlines: u32,
}

/// Where a scan stands within its line.
struct Cursor {
    position: usize,
    depth: u32,
    /// Offset of the first parenthesis that is open.
    open_at: usize,
    /// Whether the octet before belongs to a field.
    touching: bool,
}

impl<'a> LogicalLine<'a> {
    pub(super) fn new() -> Self {
        LogicalLine { fields: Vec::with_capacity(32), blank_owner: false, newlines: 0 }
    }

    /// Splits the logical line at the start of `text`. With `is_final` the end of `text` ends the
    /// line.
    pub(super) fn scan(&mut self, text: &'a [u8], is_final: bool) -> Result<Scan, ScanError> {
        self.fields.clear();
        self.newlines = 0;
        self.blank_owner = matches!(text.first(), Some(b' ' | b'\t'));
        let mut at = Cursor { position: 0, depth: 0, open_at: 0, touching: false };
        while let Some(octet) = text.get(at.position) {
            match class(*octet) {
                Class::Ordinary | Class::Escape => {
                    if self.scan_plain(text, &mut at, is_final)? == Scan::NeedMore {
                        return Ok(Scan::NeedMore);
                    }
                    continue;
                }
                Class::Quote => {
                    if self.scan_quoted(text, &mut at, is_final)? == Scan::NeedMore {
                        return Ok(Scan::NeedMore);
                    }
                    continue;
                }
                Class::Space => {}
                Class::Newline => {
                    self.newlines += 1;
                    if at.depth == 0 {
                        return Ok(Scan::Line { length: at.position + 1 });
                    }
                }
                Class::Return => match text.get(at.position + 1) {
                    Some(b'\n') => {}
                    None if is_final => {}
                    None => return Ok(Scan::NeedMore),
                    Some(_) => return wrong(at.position, Problem::NotText { octet: b'\r' }),
                },
                Class::Comment => {
                    skip_comment(text, &mut at)?;
                    continue;
                }
                Class::Open => {
                    if at.depth == 0 {
                        at.open_at = at.position;
                    }
                    at.depth += 1;
                }
                Class::Close if at.depth == 0 => {
                    return wrong(at.position, Problem::StrayParenthesis);
                }
                Class::Close => at.depth -= 1,
                Class::Control => return wrong(at.position, Problem::NotText { octet: *octet }),
            }
            at.touching = false;
            at.position += 1;
        }
        match (is_final, at.depth) {
            (false, _) => Ok(Scan::NeedMore),
            (true, 0) => Ok(Scan::Line { length: text.len() }),
            (true, _) => wrong(at.open_at, Problem::OpenParenthesis),
        }
    }

    /// Takes an unquoted field; the block may end within it.
    fn scan_plain(
        &mut self,
        text: &'a [u8],
        at: &mut Cursor,
        is_final: bool,
    ) -> Result<Scan, ScanError> {
        let start = at.position;
        let mut end = start;
        while let Some(octet) = text.get(end) {
            match class(*octet) {
                Class::Ordinary => end += 1,
                Class::Escape => match text.get(end + 1) {
                    Some(b'\n' | b'\r') => return wrong(end, Problem::EscapeAtLineEnd),
                    None if is_final => return wrong(end, Problem::EscapeAtLineEnd),
                    None => return Ok(Scan::NeedMore),
                    Some(_) => end += 2,
                },
                _ => break,
            }
        }
        if end == text.len() && !is_final {
            return Ok(Scan::NeedMore);
        }
        self.push(&text[start..end], start, at, Quoted::No);
        at.position = end;
        Ok(Scan::Line { length: end })
    }

    /// Takes a quoted field.
    fn scan_quoted(
        &mut self,
        text: &'a [u8],
        at: &mut Cursor,
        is_final: bool,
    ) -> Result<Scan, ScanError> {
        let start = at.position;
        let mut end = start + 1;
        loop {
            match text.get(end) {
                Some(b'"') => break,
                Some(b'\n') => return wrong(start, Problem::OpenQuote),
                Some(b'\\') => match text.get(end + 1) {
                    Some(b'\n' | b'\r') => return wrong(start, Problem::OpenQuote),
                    _ => end += 2,
                },
                Some(octet) if matches!(class(*octet), Class::Control) => {
                    return wrong(end, Problem::NotText { octet: *octet });
                }
                Some(_) => end += 1,
                None if is_final => return wrong(start, Problem::OpenQuote),
                None => return Ok(Scan::NeedMore),
            }
        }
        self.push(&text[start + 1..end], start, at, Quoted::Yes);
        at.position = end + 1;
        Ok(Scan::Line { length: end + 1 })
    }

    fn push(&mut self, text: &'a [u8], offset: usize, at: &mut Cursor, quoted: Quoted) {
        let quoted = quoted == Quoted::Yes;
        self.fields.push(Field { text, offset, quoted, joined: at.touching });
        at.touching = true;
    }
}

#[derive(PartialEq, Eq)]
enum Quoted {
    Yes,
    No,
}

/// Skips to the line end, which is left standing.
fn skip_comment(text: &[u8], at: &mut Cursor) -> Result<(), ScanError> {
    let rest = &text[at.position..];
    let length = rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
    // A NUL in a comment tells a binary file as well as one elsewhere.
    if let Some(nul) = rest[..length].iter().position(|octet| *octet == 0) {
        return wrong(at.position + nul, Problem::NotText { octet: 0 });
    }
    at.position += length;
    at.touching = false;
    Ok(())
}

/// The largest offset up to `limit` where `block`, which starts at a line start, can be cut so
/// that the second part starts with a whole line that names its owner or is a directive. `None`
/// when there is none. The part after the cut still needs the origin and the TTLs that hold
/// there. Malformed input may yield any line start; the reader reports it.
pub fn cut_point(block: &[u8], limit: usize) -> Option<usize> {
    let head = &block[..block.len().min(limit)];
    if memchr::memchr3(b'(', b'"', b'\\', head).is_none() {
        // Without groups, quotes and escapes every line end ends a record: look from behind.
        let mut ends = memchr::memrchr_iter(b'\n', head).map(|newline| newline + 1);
        return ends.find(|at| block.get(*at).is_some_and(|next| starts_record(*next)));
    }
    let mut best = None;
    let mut depth = 0_u32;
    let mut position = 0;
    while position < block.len().min(limit) {
        match class(block[position]) {
            Class::Escape => position += 1,
            Class::Open => depth += 1,
            Class::Close => depth = depth.saturating_sub(1),
            Class::Comment => {
                let rest = &block[position..];
                position += rest.iter().position(|octet| *octet == b'\n').unwrap_or(rest.len());
                continue;
            }
            Class::Quote => position += quoted_length(&block[position..]),
            Class::Newline
                if depth == 0
                    && block.get(position + 1).is_some_and(|next| starts_record(*next)) =>
            {
                best = Some(position + 1);
            }
            _ => {}
        }
        position += 1;
    }
    best
}

/// Whether a line that starts with this octet names its owner or is a directive.
fn starts_record(octet: u8) -> bool {
    matches!(class(octet), Class::Ordinary | Class::Escape)
}

/// Whether a directive may stand in `block`, which starts at a line start. Text that only looks
/// like one counts too.
pub fn may_have_directive(block: &[u8]) -> bool {
    block.starts_with(b"$") || memchr::memmem::find(block, b"\n$").is_some()
}

/// Number of line ends in `block`.
pub fn line_count(block: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', block).count()).unwrap_or(u32::MAX)
}

/// Octets from a quote to the octet before the next step: the closing quote, or the line's last.
fn quoted_length(text: &[u8]) -> usize {
    let mut end = 1;
    while let Some(octet) = text.get(end) {
        match octet {
            b'"' => return end,
            b'\n' => return end - 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    end
}
