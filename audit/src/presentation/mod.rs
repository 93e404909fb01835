//! The auditor's own reader of zone files. RFC 1035 §5.1, RFC 2308 §4 (`$TTL`), RFC 3597 §5
//! (unknown types), and the RFC of each type's text.
//!
//! In: text. Out: uncompressed wire records, as [`Zones`](crate::Zones) takes them. A file may be
//! read in one piece ([`read_text`]), or in sections on several threads ([`read_section`]): the
//! lines above hand on an origin, a TTL and an owner name, which a section may be read with a guess
//! of; [`Section::follow`] tells whether the guess was good.
//!
//! Never: files, `$INCLUDE`, other classes than IN, an allocation per record. Limits: those of the
//! DNS (names of 255 octets, RDATA of 65,535); nothing here grows faster than the text.

mod encodings;
mod entry;
mod lexer;
mod name;
mod parameters;
mod rdata;
mod special;
mod types;

use crate::wire;
use entry::Reader;
use lexer::Lexer;

/// What the lines of a zone file hand on to those below.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// `$ORIGIN`, as wire name; `None`: only absolute names can be read.
    pub origin: Option<Vec<u8>>,
    /// `$TTL`, in seconds.
    pub default_ttl: Option<u32>,
    /// The TTL stated last, which goes for records without one where there is no `$TTL`.
    pub last_ttl: Option<u32>,
    /// The owner name of the last record, as wire name; empty: there was none.
    pub last_owner: Vec<u8>,
}

impl Carried {
    /// What the first line begins with.
    #[must_use]
    pub fn new(origin: Option<Vec<u8>>) -> Carried {
        Carried { origin, default_ttl: None, last_ttl: None, last_owner: Vec::new() }
    }
}

/// A part of a zone file that was read.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its records in wire form, one behind the other.
    pub records: Vec<u8>,
    /// How many there are.
    pub record_count: usize,
    /// Octets of the text up to the end of the last entry that is complete; the rest belongs to
    /// the next section.
    pub consumed: usize,
    /// What it hands on.
    pub carried: Carried,
    /// Whether it needed the owner name or the TTL of a record above it.
    leans: bool,
    states_owner: bool,
    states_ttl: bool,
    begins_with: (Option<Vec<u8>>, Option<u32>),
}

impl Section {
    /// The section as it is when the lines above it handed on `before`; `None` when it has to be
    /// read again with that, since it was read with something else that matters.
    #[must_use]
    pub fn follow(mut self, before: &Carried) -> Option<Section> {
        let is_same =
            self.begins_with.0 == before.origin && self.begins_with.1 == before.default_ttl;
        if self.leans || !is_same {
            return None;
        }
        if !self.states_owner {
            self.carried.last_owner.clone_from(&before.last_owner);
        }
        if !self.states_ttl {
            self.carried.last_ttl = before.last_ttl;
        }
        Some(self)
    }
}

/// Why a text is no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct TextError {
    /// Octets of the text before the place.
    pub offset: usize,
    /// What is wrong there.
    pub problem: TextProblem,
}

impl TextError {
    /// Line and column of the place, from 1, in the text that was read.
    #[must_use]
    pub fn line_and_column(&self, text: &[u8]) -> (usize, usize) {
        let before = &text[..self.offset.min(text.len())];
        let line_start = before.iter().rposition(|&octet| octet == b'\n').map_or(0, |at| at + 1);
        let line = 1 + before.iter().filter(|&&octet| octet == b'\n').count();
        (line, 1 + before.len() - line_start)
    }
}

/// What can be wrong with a zone file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextProblem {
    /// The text ends, or the line does, within quotes.
    #[error("a text in quotes has no end")]
    OpenQuote,
    /// The text ends within parentheses.
    #[error("a parenthesis is never closed")]
    OpenParenthesis,
    /// A parenthesis that was not opened.
    #[error("there is no parenthesis to close")]
    StrayParenthesis,
    /// A backslash with less than it needs behind it.
    #[error("behind a backslash there must be a character or three digits up to 255")]
    BadEscape,
    /// A word with a quotation mark where there may be none.
    #[error("no quotation mark is expected here")]
    StrayQuote,
    /// A directive that is not known.
    #[error("directive {directive} is not known; there are $ORIGIN and $TTL")]
    UnknownDirective {
        /// The word.
        directive: String,
    },
    /// `$INCLUDE` and `$GENERATE`.
    #[error("{directive} cannot be audited: give the zone in one file")]
    RefusedDirective {
        /// Which.
        directive: &'static str,
    },
    /// A label or a name that is too long, or an empty label.
    #[error("a name has labels of 1 to 63 octets, and 255 octets in all")]
    BadName,
    /// A relative name without an origin.
    #[error("a relative name needs an $ORIGIN above it, or the zone's name as an argument")]
    NoOrigin,
    /// A line that begins with a blank, without a record above it.
    #[error("there is no owner name, and no record above that has one")]
    NoOwner,
    /// Neither a TTL nor something that it follows from.
    #[error("there is no TTL, and neither a $TTL nor a record with a TTL above")]
    NoTtl,
    /// A TTL above 2^31 - 1 (RFC 2181 §8).
    #[error("a TTL has at most 2147483647 seconds")]
    BadTtl,
    /// Another class.
    #[error("only class IN can be audited")]
    BadClass,
    /// A type that is not known.
    #[error("{mnemonic} is no record type that is known; one can write TYPEnnn \\# length hex")]
    UnknownType {
        /// The word.
        mnemonic: String,
    },
    /// A type whose text is not known.
    #[error("the data of a {mnemonic} record can only be read as \\# length hex (RFC 3597)")]
    NoTextForm {
        /// The type.
        mnemonic: &'static str,
    },
    /// Data of a type end too early.
    #[error("the record ends where {expected} is expected")]
    Missing {
        /// What.
        expected: &'static str,
    },
    /// Data of a type go on.
    #[error("the record has more data than its type")]
    TooMuch,
    /// A word is not what the type asks for.
    #[error("this is not {expected}")]
    NotA {
        /// What it ought to be.
        expected: &'static str,
    },
    /// RDATA of more than 65,535 octets.
    #[error("a record has at most 65535 octets of data")]
    TooLong,
}

/// Reads a whole zone file. `origin` is what relative names end in until there is an `$ORIGIN`.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read_text(text: &[u8], origin: Option<Vec<u8>>) -> Result<Section, TextError> {
    read_section(text, &Carried::new(origin), true)
}

/// Reads a part of a zone file that begins where a line does. Unless it is the last one, it ends
/// with its last complete entry, and what is left belongs to the next.
///
/// # Errors
/// The first thing that is wrong, with its place in this part. Where the part was read with a
/// guess, that may be the guess.
pub fn read_section(text: &[u8], carried: &Carried, is_last: bool) -> Result<Section, TextError> {
    let mut reader = Reader::new(Lexer::new(text, is_last), carried);
    let mut consumed = 0;
    loop {
        match reader.read_entry() {
            Ok(true) => consumed = reader.position(),
            Ok(false) => {
                // Behind the last entry are whole lines without words, if not the start of one.
                if is_last || text.ends_with(b"\n") {
                    consumed = text.len();
                }
                break;
            }
            // The rest of the entry may be in the next section.
            Err(_) if !is_last && reader.ran_out() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(reader.finish(consumed, carried))
}

/// Data of a record of type `mnemonic`, as behind the type in a zone file, in wire form; names are
/// absolute.
///
/// # Errors
/// The first thing that is wrong.
pub fn read_rdata(mnemonic: &str, text: &str) -> Result<Vec<u8>, TextError> {
    let line = format!(". 0 {mnemonic} {text}");
    let section = read_text(line.as_bytes(), None)?;
    // The root's name has one octet.
    let rdata = section.records.get(1 + wire::HEADER_LENGTH..).unwrap_or_default();
    Ok(rdata.to_vec())
}

/// A time as in an RRSIG (RFC 4034 §3.2), or in Unix seconds.
#[must_use]
pub fn read_time(text: &[u8]) -> Option<u32> {
    encodings::time(text)
}

#[cfg(test)]
mod tests;
