//! Entries of a zone file: directives and records. RFC 1035 §5.1, RFC 2308 §4.

use super::lexer::{Lexer, Word};
use super::rdata::Fields;
use super::types::{self, TextForm};
use super::{Carried, Section, TextError, TextProblem, encodings, name};

const CLASS_IN: u16 = 1;
const TTL_MAX: u32 = 0x7fff_ffff;

/// Reads entry after entry.
pub(super) struct Reader<'t> {
    lexer: Lexer<'t>,
    carried: Carried,
    records: Vec<u8>,
    record_count: usize,
    leans: bool,
    states_owner: bool,
    states_ttl: bool,
    /// For bitmaps and the like, kept so that no record allocates.
    scratch: Vec<u16>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(lexer: Lexer<'t>, carried: &Carried) -> Reader<'t> {
        Reader {
            lexer,
            carried: carried.clone(),
            records: Vec::new(),
            record_count: 0,
            leans: false,
            states_owner: false,
            states_ttl: false,
            scratch: Vec::new(),
        }
    }

    pub(super) fn position(&self) -> usize {
        self.lexer.position()
    }

    pub(super) fn ran_out(&self) -> bool {
        self.lexer.ran_out()
    }

    pub(super) fn finish(self, consumed: usize, before: &Carried) -> Section {
        Section {
            records: self.records,
            record_count: self.record_count,
            consumed,
            carried: self.carried,
            leans: self.leans,
            states_owner: self.states_owner,
            states_ttl: self.states_ttl,
            begins_with: (before.origin.clone(), before.default_ttl),
        }
    }

    /// Reads the next entry; false when there is none. One that fails has left no trace.
    pub(super) fn read_entry(&mut self) -> Result<bool, TextError> {
        let Some(begins_with_blank) = self.lexer.begin_entry() else { return Ok(false) };
        let record_start = self.records.len();
        let result = match begins_with_blank {
            true => self.record(None),
            false => match self.lexer.word()? {
                None => Ok(()),
                Some(word) if word.bytes.first() == Some(&b'$') && !word.is_quoted => {
                    self.directive(word)
                }
                Some(owner) => self.record(Some(owner)),
            },
        };
        if result.is_err() {
            self.records.truncate(record_start);
        }
        result.map(|()| true)
    }

    fn directive(&mut self, word: Word<'t>) -> Result<(), TextError> {
        let refused = |directive| word.error(TextProblem::RefusedDirective { directive });
        match word.bytes.to_ascii_uppercase().as_slice() {
            b"$ORIGIN" => {
                let origin = self.expect("a domain name")?;
                let mut wire = Vec::new();
                name::append(&origin, self.carried.origin.as_deref(), &mut wire)
                    .map_err(|problem| origin.error(problem))?;
                self.end()?;
                self.carried.origin = Some(wire);
            }
            b"$TTL" => {
                let word = self.expect("a TTL")?;
                let ttl = encodings::period(word.bytes).filter(|ttl| *ttl <= TTL_MAX);
                let ttl = ttl.ok_or_else(|| word.error(TextProblem::BadTtl))?;
                self.end()?;
                self.carried.default_ttl = Some(ttl);
            }
            b"$INCLUDE" => return Err(refused("$INCLUDE")),
            b"$GENERATE" => return Err(refused("$GENERATE")),
            _ => {
                let directive = printable(word.bytes);
                return Err(word.error(TextProblem::UnknownDirective { directive }));
            }
        }
        Ok(())
    }

    fn expect(&mut self, expected: &'static str) -> Result<Word<'t>, TextError> {
        let word = self.lexer.word()?;
        word.ok_or_else(|| self.lexer.error(TextProblem::Missing { expected }))
    }

    fn end(&mut self) -> Result<(), TextError> {
        match self.lexer.word()? {
            Some(word) => Err(word.error(TextProblem::TooMuch)),
            None => Ok(()),
        }
    }

    fn record(&mut self, owner: Option<Word<'t>>) -> Result<(), TextError> {
        let start = self.records.len();
        match owner {
            Some(word) => {
                name::append(&word, self.carried.origin.as_deref(), &mut self.records)
                    .map_err(|problem| word.error(problem))?;
            }
            None if self.carried.last_owner.is_empty() && !self.states_owner => {
                // A section that guessed is read again; in a whole file it is an error.
                self.leans = true;
                return Err(self.lexer.error(TextProblem::NoOwner));
            }
            None => {
                self.leans |= !self.states_owner;
                self.records.extend_from_slice(&self.carried.last_owner);
            }
        }
        let owner_end = self.records.len();
        let (ttl, stated, text_form) = self.ttl_class_type()?;
        let header = [text_form.number, CLASS_IN].map(u16::to_be_bytes).concat();
        self.records.extend_from_slice(&header);
        self.records.extend_from_slice(&ttl.to_be_bytes());
        self.records.extend_from_slice(&[0, 0]);
        let rdata_start = self.records.len();
        let mut fields = Fields {
            lexer: &mut self.lexer,
            origin: self.carried.origin.as_deref(),
            out: &mut self.records,
            scratch: &mut self.scratch,
        };
        fields.read(text_form)?;
        let length = u16::try_from(self.records.len() - rdata_start);
        let length = length.map_err(|_| self.lexer.error(TextProblem::TooLong))?;
        self.records[rdata_start - 2..rdata_start].copy_from_slice(&length.to_be_bytes());
        self.record_count += 1;
        self.hand_on(owner.is_some().then_some(start..owner_end), stated);
        Ok(())
    }

    /// Keeps what records below may lean on, when the record is complete.
    fn hand_on(&mut self, owner: Option<std::ops::Range<usize>>, ttl: Option<u32>) {
        if let Some(owner) = owner {
            let owner = &self.records[owner];
            if self.carried.last_owner != owner {
                self.carried.last_owner.clear();
                self.carried.last_owner.extend_from_slice(owner);
            }
            self.states_owner = true;
        }
        if ttl.is_some() {
            self.carried.last_ttl = ttl;
            self.states_ttl = true;
        }
    }

    /// TTL and class, in either order, each of which may be left out, and the type. The second
    /// value is the TTL if it is stated.
    fn ttl_class_type(&mut self) -> Result<(u32, Option<u32>, TextForm), TextError> {
        let mut ttl = None;
        let mut has_class = false;
        loop {
            let word = self.expect("a record type")?;
            if word.is_quoted || word.has_quotes {
                return Err(word.error(TextProblem::StrayQuote));
            }
            if ttl.is_none() && word.bytes.first().is_some_and(u8::is_ascii_digit) {
                let stated = encodings::period(word.bytes).filter(|ttl| *ttl <= TTL_MAX);
                ttl = Some(stated.ok_or_else(|| word.error(TextProblem::BadTtl))?);
            } else if !has_class && is_class(&word)? {
                has_class = true;
            } else {
                let mnemonic = || printable(word.bytes);
                let text_form = types::by_text(word.bytes)
                    .ok_or_else(|| word.error(TextProblem::UnknownType { mnemonic: mnemonic() }))?;
                return Ok((self.ttl(ttl)?, ttl, text_form));
            }
        }
    }

    fn ttl(&mut self, stated: Option<u32>) -> Result<u32, TextError> {
        if let Some(ttl) = stated.or(self.carried.default_ttl) {
            return Ok(ttl);
        }
        self.leans |= !self.states_ttl;
        self.carried.last_ttl.ok_or_else(|| self.lexer.error(TextProblem::NoTtl))
    }
}

fn is_class(word: &Word<'_>) -> Result<bool, TextError> {
    let text = word.bytes;
    if text.eq_ignore_ascii_case(b"IN") || text.eq_ignore_ascii_case(b"CLASS1") {
        return Ok(true);
    }
    let others: [&[u8]; 3] = [b"CH", b"HS", b"CS"];
    let is_numbered = text.len() > 5 && text[..5].eq_ignore_ascii_case(b"CLASS");
    if is_numbered || others.iter().any(|other| text.eq_ignore_ascii_case(other)) {
        return Err(word.error(TextProblem::BadClass));
    }
    Ok(false)
}

/// Octets shown of a word that is not understood.
const SHOWN_OCTETS_MAX: usize = 40;

/// A word of the text, fit for a message.
pub(super) fn printable(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN_OCTETS_MAX)].escape_ascii().to_string()
}
