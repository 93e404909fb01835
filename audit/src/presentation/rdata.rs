//! Data of a record from text to wire form, field by field. RFC 1035 §5.1, RFC 3597 §5, and the
//! RFC of each type (`types`).

use super::encodings::{self, Base64, Hex};
use super::lexer::{Lexer, Word, unescape};
use super::types::{self, Field, TextForm};
use super::{TextError, TextProblem, name, parameters, special};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Octets of a character-string.
const TEXT_OCTETS_MAX: usize = 255;
/// Octets of data that a record may have.
const RDATA_OCTETS_MAX: usize = 65_535;

/// Where the fields of one record are read from and written to.
pub(super) struct Fields<'r, 't> {
    pub(super) lexer: &'r mut Lexer<'t>,
    pub(super) origin: Option<&'r [u8]>,
    pub(super) out: &'r mut Vec<u8>,
    pub(super) scratch: &'r mut Vec<u16>,
}

impl<'t> Fields<'_, 't> {
    /// Reads all fields of a type, to the end of the entry.
    pub(super) fn read(&mut self, form: TextForm) -> Result<(), TextError> {
        let mut first = self.lexer.word()?;
        if let Some(word) = first
            && word.bytes == b"\\#"
            && !word.is_quoted
        {
            return self.unknown();
        }
        let fields = form
            .fields
            .ok_or_else(|| self.lexer.error(TextProblem::NoTextForm { mnemonic: form.mnemonic }))?;
        for field in fields {
            self.field(*field, &mut first)?;
        }
        match self.next_word(&mut first)? {
            Some(word) => Err(word.error(TextProblem::TooMuch)),
            None => Ok(()),
        }
    }

    /// The word that was looked at before, or the next one.
    pub(super) fn next_word(
        &mut self,
        first: &mut Option<Word<'t>>,
    ) -> Result<Option<Word<'t>>, TextError> {
        match first.take() {
            Some(word) => Ok(Some(word)),
            None => self.lexer.word(),
        }
    }

    /// A word that must be there, without quotes.
    pub(super) fn plain(
        &mut self,
        first: &mut Option<Word<'t>>,
        expected: &'static str,
    ) -> Result<Word<'t>, TextError> {
        let word = self.any(first, expected)?;
        if word.is_quoted || word.has_quotes {
            return Err(word.error(TextProblem::StrayQuote));
        }
        Ok(word)
    }

    fn any(
        &mut self,
        first: &mut Option<Word<'t>>,
        expected: &'static str,
    ) -> Result<Word<'t>, TextError> {
        let word = self.next_word(first)?;
        word.ok_or_else(|| self.lexer.error(TextProblem::Missing { expected }))
    }

    /// A number of `octets` octets.
    pub(super) fn number(
        &mut self,
        first: &mut Option<Word<'t>>,
        octets: usize,
    ) -> Result<u64, TextError> {
        let expected = match octets {
            1 => "a number up to 255",
            2 => "a number up to 65535",
            4 => "a number up to 4294967295",
            _ => "a number of 64 bits",
        };
        let maximum = u64::MAX >> (64 - 8 * octets);
        let word = self.plain(first, expected)?;
        let value = encodings::number(word.bytes, maximum).ok_or_else(|| not_a(&word, expected))?;
        self.out.extend_from_slice(&value.to_be_bytes()[8 - octets..]);
        Ok(value)
    }

    pub(super) fn name(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let word = self.any(first, "a domain name")?;
        name::append(&word, self.origin, self.out).map_err(|problem| word.error(problem))
    }

    fn field(&mut self, field: Field, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        match field {
            Field::Name => self.name(first)?,
            Field::U8 => drop(self.number(first, 1)?),
            Field::U16 => drop(self.number(first, 2)?),
            Field::U32 => drop(self.number(first, 4)?),
            Field::U64 => drop(self.number(first, 8)?),
            Field::Period => {
                self.word_u32(
                    first,
                    "a number of seconds, or a period like 1h30m",
                    encodings::period,
                )?;
            }
            Field::Time => self.word_u32(first, "a time as YYYYMMDDHHmmSS", encodings::time)?,
            Field::Ip4 => self.ip4(first)?,
            Field::Ip6 => self.ip6(first)?,
            Field::Text | Field::TextOptional => match self.next_word(first)? {
                Some(word) => self.text(&word)?,
                None if field == Field::TextOptional => {}
                None => return Err(self.lexer.error(TextProblem::Missing { expected: "a text" })),
            },
            Field::Texts => self.texts(first)?,
            Field::RestText => self.rest_text(first)?,
            Field::Tag => self.tag(first)?,
            Field::Hex => self.hex(first)?,
            Field::Base64 => self.base64(first, false)?,
            Field::Base64Optional => self.base64(first, true)?,
            Field::Salt => self.salt(first)?,
            Field::NextHash => self.next_hash(first)?,
            Field::Bitmap => self.bitmap(first)?,
            Field::Type => {
                let word = self.plain(first, "a record type")?;
                let form = types::by_text(word.bytes);
                let form = form.ok_or_else(|| not_a(&word, "a record type"))?;
                self.out.extend_from_slice(&form.number.to_be_bytes());
            }
            Field::Algorithm => self.algorithm(first)?,
            Field::CertificateType | Field::Scheme => self.named_number(field, first)?,
            Field::Location => special::location(self, first)?,
            Field::AddressPrefixes => special::address_prefixes(self, first)?,
            Field::ServiceParameters => parameters::read(self, first)?,
            Field::Hyphenated(octets) => special::hyphenated(self, first, octets)?,
            Field::Locator => special::locator(self, first)?,
            Field::Gateway => special::gateway(self, first)?,
            Field::Relay => special::relay(self, first)?,
            Field::HostIdentity => special::host_identity(self, first)?,
        }
        Ok(())
    }

    fn word_u32(
        &mut self,
        first: &mut Option<Word<'t>>,
        expected: &'static str,
        read: fn(&[u8]) -> Option<u32>,
    ) -> Result<(), TextError> {
        let word = self.plain(first, expected)?;
        let value = read(word.bytes).ok_or_else(|| not_a(&word, expected))?;
        self.out.extend_from_slice(&value.to_be_bytes());
        Ok(())
    }

    pub(super) fn ip4(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let word = self.plain(first, "an IPv4 address")?;
        let address: Option<Ipv4Addr> = text_of(&word).and_then(|text| text.parse().ok());
        let address = address.ok_or_else(|| not_a(&word, "an IPv4 address"))?;
        self.out.extend_from_slice(&address.octets());
        Ok(())
    }

    pub(super) fn ip6(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let word = self.plain(first, "an IPv6 address")?;
        let address: Option<Ipv6Addr> = text_of(&word).and_then(|text| text.parse().ok());
        let address = address.ok_or_else(|| not_a(&word, "an IPv6 address"))?;
        self.out.extend_from_slice(&address.octets());
        Ok(())
    }

    fn text(&mut self, word: &Word<'_>) -> Result<(), TextError> {
        let length_at = self.out.len();
        self.out.push(0);
        self.octets_of(word)?;
        let length = self.out.len() - length_at - 1;
        if length > TEXT_OCTETS_MAX {
            return Err(not_a(word, "a text of at most 255 octets"));
        }
        self.out[length_at] = length as u8;
        Ok(())
    }

    /// The octets of a word, without its backslashes.
    fn octets_of(&mut self, word: &Word<'_>) -> Result<(), TextError> {
        if word.has_quotes {
            return Err(word.error(TextProblem::StrayQuote));
        }
        if word.bytes.len() > 4 * RDATA_OCTETS_MAX {
            return Err(word.error(TextProblem::TooLong));
        }
        if !word.has_escape {
            self.out.extend_from_slice(word.bytes);
            return Ok(());
        }
        unescape(word.bytes, |octet, _| self.out.push(octet)).map_err(|problem| word.error(problem))
    }

    fn texts(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let start = self.out.len();
        let word = self.any(first, "a text")?;
        self.text(&word)?;
        while let Some(word) = self.lexer.word()? {
            self.text(&word)?;
            self.check_room(start, &word)?;
        }
        Ok(())
    }

    /// Keeps a hostile entry of gigabytes from filling memory.
    pub(super) fn check_room(&self, start: usize, word: &Word<'_>) -> Result<(), TextError> {
        let is_full = self.out.len() - start > RDATA_OCTETS_MAX;
        if is_full { Err(word.error(TextProblem::TooLong)) } else { Ok(()) }
    }

    fn rest_text(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let word = self.any(first, "a text")?;
        self.octets_of(&word)
    }

    fn tag(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let expected = "a tag of letters and digits";
        let word = self.plain(first, expected)?;
        if word.has_escape || !word.bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(not_a(&word, expected));
        }
        self.text(&word)
    }

    fn hex(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let expected = "hexadecimal data";
        let start = self.out.len();
        let mut word = self.plain(first, expected)?;
        let mut hex = Hex::default();
        loop {
            if !hex.push(word.bytes, self.out) {
                return Err(not_a(&word, expected));
            }
            self.check_room(start, &word)?;
            match self.lexer.word()? {
                Some(next) => word = next,
                None => break,
            }
        }
        if hex.finish() { Ok(()) } else { Err(not_a(&word, "an even number of digits")) }
    }

    /// Base64 to the end of the entry.
    pub(super) fn base64(
        &mut self,
        first: &mut Option<Word<'t>>,
        is_optional: bool,
    ) -> Result<(), TextError> {
        let expected = "base64 data";
        let start = self.out.len();
        let mut base64 = Base64::default();
        let mut last = None;
        while let Some(word) = self.next_word(first)? {
            if word.is_quoted || word.has_quotes || !base64.push(word.bytes, self.out) {
                return Err(not_a(&word, expected));
            }
            self.check_room(start, &word)?;
            last = Some(word);
        }
        match last {
            Some(word) if !base64.finish(self.out) => Err(not_a(&word, expected)),
            None if !is_optional => Err(self.lexer.error(TextProblem::Missing { expected })),
            _ => Ok(()),
        }
    }

    fn salt(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let expected = "a hexadecimal salt of at most 255 octets, or -";
        let word = self.plain(first, expected)?;
        let length_at = self.out.len();
        self.out.push(0);
        if word.bytes == b"-" {
            return Ok(());
        }
        let mut hex = Hex::default();
        let is_hex = word.bytes.len() <= 510 && hex.push(word.bytes, self.out) && hex.finish();
        if !is_hex {
            return Err(not_a(&word, expected));
        }
        self.out[length_at] = (self.out.len() - length_at - 1) as u8;
        Ok(())
    }

    fn next_hash(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let expected = "a base32hex hash";
        let word = self.plain(first, expected)?;
        let length_at = self.out.len();
        self.out.push(0);
        let is_hash = word.bytes.len() <= 408 && encodings::base32hex(word.bytes, self.out);
        let length = self.out.len() - length_at - 1;
        if !is_hash || length == 0 {
            return Err(not_a(&word, expected));
        }
        self.out[length_at] = length as u8;
        Ok(())
    }

    /// Types to the end of the entry, as windows of 256 (RFC 4034 §4.1.2).
    fn bitmap(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        self.scratch.clear();
        while let Some(word) = self.next_word(first)? {
            let form = types::by_text(word.bytes).filter(|_| !word.is_quoted);
            let form = form.ok_or_else(|| not_a(&word, "a record type"))?;
            self.scratch.push(form.number);
            if self.scratch.len() > usize::from(u16::MAX) {
                return Err(word.error(TextProblem::TooMuch));
            }
        }
        self.scratch.sort_unstable();
        for window in self.scratch.chunk_by(|left, right| left >> 8 == right >> 8) {
            let mut bits = [0_u8; 32];
            let mut length = 0;
            for &number in window {
                let low = usize::from(number & 0xff);
                bits[low / 8] |= 0x80 >> (low % 8);
                length = low / 8 + 1;
            }
            self.out.push((window[0] >> 8) as u8);
            self.out.push(length as u8);
            self.out.extend_from_slice(&bits[..length]);
        }
        Ok(())
    }

    pub(super) fn algorithm(&mut self, first: &mut Option<Word<'t>>) -> Result<(), TextError> {
        let expected = "an algorithm's number or mnemonic";
        let word = self.plain(first, expected)?;
        let number = encodings::number(word.bytes, 255).map(|number| number as u8);
        let number = number.or_else(|| types::algorithm(word.bytes));
        self.out.push(number.ok_or_else(|| not_a(&word, expected))?);
        Ok(())
    }

    fn named_number(
        &mut self,
        field: Field,
        first: &mut Option<Word<'t>>,
    ) -> Result<(), TextError> {
        let (expected, maximum) = match field {
            Field::Scheme => ("a scheme's number, or NOTIFY", 255),
            _ => ("a certificate type's number or mnemonic", 65_535),
        };
        let word = self.plain(first, expected)?;
        let by_name = || match field {
            Field::Scheme => types::by_name(&[("NOTIFY", 1_u64)], word.bytes),
            _ => types::certificate_type(word.bytes).map(u64::from),
        };
        let number = encodings::number(word.bytes, maximum).or_else(by_name);
        let number = number.ok_or_else(|| not_a(&word, expected))?.to_be_bytes();
        let octets = if field == Field::Scheme { 1 } else { 2 };
        self.out.extend_from_slice(&number[8 - octets..]);
        Ok(())
    }

    /// Data as `\# length hex` (RFC 3597 §5).
    fn unknown(&mut self) -> Result<(), TextError> {
        let start = self.out.len();
        let expected = "the number of octets that follow";
        let word = self.plain(&mut None, expected)?;
        let length = encodings::number(word.bytes, RDATA_OCTETS_MAX as u64);
        let length = length.ok_or_else(|| not_a(&word, expected))?;
        let mut hex = Hex::default();
        while let Some(word) = self.lexer.word()? {
            if word.is_quoted || !hex.push(word.bytes, self.out) {
                return Err(not_a(&word, "hexadecimal data"));
            }
            self.check_room(start, &word)?;
        }
        let is_right = hex.finish() && (self.out.len() - start) as u64 == length;
        if is_right { Ok(()) } else { Err(not_a(&word, "the number of octets that follow")) }
    }
}

/// A word as text, if it has no backslashes.
pub(super) fn text_of<'t>(word: &Word<'t>) -> Option<&'t str> {
    if word.has_escape { None } else { std::str::from_utf8(word.bytes).ok() }
}

pub(super) fn not_a(word: &Word<'_>, expected: &'static str) -> TextError {
    word.error(TextProblem::NotA { expected })
}
