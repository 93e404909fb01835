//! `$GENERATE start-stop[/step] owner [ttl] [class] type rdata`, as in BIND 9.
//! In: the fields of the directive. Out: records, all at the position of the directive.
//! In owner and RDATA `$` is the counter, `${offset,width,base}` the counter plus offset, padded
//! with zeros to width, in base d, o, x, X, n or N (nibbles with dots, lowest first); `\$` and
//! `$$` are a dollar sign. RDATA in one pair of quotes is read as if it had none, as in BIND.

use super::Sink;
use super::directive::argument;
use super::error::{Problem, ReadError};
use super::reader::{Place, Reader};
use super::scanner::LogicalLine;
use crate::rdata::{Field, class_from_mnemonic, excerpt};

/// Largest value, as in BIND.
const VALUE_MAX: i64 = 0x7FFF_FFFF;
/// Widest number; more could not be part of a name.
const WIDTH_MAX: usize = 255;

impl Reader {
    pub(super) fn read_generate<S: Sink>(
        &mut self,
        fields: &[Field<'_>],
        place: Place<'_>,
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        let range = argument(fields, 1, "$GENERATE", "a range", place)?;
        argument(fields, 2, "$GENERATE", "an owner name", place)?;
        argument(fields, 3, "$GENERATE", "a record type", place)?;
        let (start, stop, step) = parse_range(range.text).ok_or_else(|| {
            place.wrong(range.offset, Problem::BadRange { found: excerpt(range.text) })
        })?;
        let count = (stop - start) / step + 1;
        let limit = self.limits.generate_count;
        if count > limit {
            return Err(place.wrong(range.offset, Problem::RangeTooLong { count, limit }).into());
        }
        let made = Place::Made { by: place.at(fields[0].offset) };
        let mut text = Vec::new();
        for number in 0..count {
            // Within VALUE_MAX, as `parse_range` saw to.
            let value = (start + number * step) as i64;
            text.clear();
            expand_record(&fields[2..], value, &mut text)
                .map_err(|(field, problem)| place.wrong(field.offset, problem))?;
            let mut line = LogicalLine::new();
            line.scan(&text, true).map_err(|error| made.wrong(0, error.problem))?;
            self.read_record(&line, made, sink)?;
        }
        Ok(())
    }
}

/// Reads `start-stop` or `start-stop/step`.
fn parse_range(text: &[u8]) -> Option<(u64, u64, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    let (range, step) = text.split_once('/').unwrap_or((text, "1"));
    let (start, stop) = range.split_once('-')?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
        text.parse::<u64>().ok().filter(|value| digits && *value <= VALUE_MAX as u64)
    };
    let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
    (start <= stop && step > 0).then_some((start, stop, step))
}

/// Appends the text of one record; TTL, class and type stand as they are.
fn expand_record<'f, 'a>(
    fields: &'f [Field<'a>],
    value: i64,
    out: &mut Vec<u8>,
) -> Result<(), (&'f Field<'a>, Problem)> {
    let is_head = |field: &Field<'_>| {
        let is_class = class_from_mnemonic(field.text).is_some();
        is_class || field.text.first().is_some_and(u8::is_ascii_digit)
    };
    let head = 1 + fields[1..].iter().take_while(|field| is_head(field)).count();
    let rdata = fields.get(head + 1..).unwrap_or(&[]);
    for (at, field) in fields.iter().enumerate() {
        if at > 0 && !field.joined {
            out.push(b' ');
        }
        let keep_quotes = field.quoted && rdata.len() != 1;
        if keep_quotes {
            out.push(b'"');
        }
        if at == 0 || at > head {
            expand(field.text, value, out).map_err(|problem| (field, problem))?;
        } else {
            out.extend_from_slice(field.text);
        }
        if keep_quotes {
            out.push(b'"');
        }
    }
    Ok(())
}

/// Appends `text` with the counter put in.
fn expand(text: &[u8], value: i64, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut rest = text;
    while let Some((octet, tail)) = rest.split_first() {
        rest = match (octet, tail) {
            (b'\\', [b'$', tail @ ..]) => {
                out.extend_from_slice(b"\\$");
                tail
            }
            (b'$', [b'$', tail @ ..]) => {
                out.extend_from_slice(b"\\$");
                tail
            }
            (b'\\', [next, tail @ ..]) => {
                out.extend_from_slice(&[b'\\', *next]);
                tail
            }
            (b'$', [b'{', tail @ ..]) => {
                let end = tail.iter().position(|octet| *octet == b'}');
                let modifier = &tail[..end.unwrap_or(tail.len())];
                let bad = || Problem::BadModifier { found: excerpt(rest) };
                let (offset, width, base) = parse_modifier(modifier).ok_or_else(bad)?;
                let next = tail.get(modifier.len() + 1..).ok_or_else(bad)?;
                print_number(value.saturating_add(offset), width, base, out)?;
                next
            }
            (b'$', tail) => {
                print_number(value, 0, b'd', out)?;
                tail
            }
            (octet, tail) => {
                out.push(*octet);
                tail
            }
        };
    }
    Ok(())
}

/// Reads `offset[,width[,base]]`.
fn parse_modifier(text: &[u8]) -> Option<(i64, usize, u8)> {
    let mut parts = std::str::from_utf8(text).ok()?.split(',');
    let offset = parts.next()?.parse().ok()?;
    let width = parts.next().map_or(Some(0), |width| width.parse().ok())?;
    let base = parts.next().unwrap_or("d").as_bytes();
    let sound = width <= WIDTH_MAX && parts.next().is_none();
    match base {
        [base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')] if sound => Some((offset, width, *base)),
        _ => None,
    }
}

fn print_number(value: i64, width: usize, base: u8, out: &mut Vec<u8>) -> Result<(), Problem> {
    if !(0..=VALUE_MAX).contains(&value) {
        return Err(Problem::ValueOutOfRange { value });
    }
    let text = match base {
        b'o' => format!("{value:0width$o}"),
        b'x' => format!("{value:0width$x}"),
        b'X' => format!("{value:0width$X}"),
        b'n' | b'N' => nibbles(value, width, base),
        _ => format!("{value:0width$}"),
    };
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Hexadecimal digits, lowest first, with dots between; `width` counts the dots too.
fn nibbles(value: i64, width: usize, base: u8) -> String {
    let mut text = String::new();
    let mut rest = value;
    let mut left = width;
    loop {
        let digit = format!("{:x}", rest & 15);
        text.push_str(&if base == b'N' { digit.to_uppercase() } else { digit });
        rest >>= 4;
        left = left.saturating_sub(1);
        if left == 0 && rest == 0 {
            return text;
        }
        text.push('.');
        left = left.saturating_sub(1);
        if left == 0 && rest == 0 {
            return text;
        }
    }
}
