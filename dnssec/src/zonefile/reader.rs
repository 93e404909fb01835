//! Logical lines to records: owner, TTL, class, type and RDATA, with what carries over from line
//! to line. RFC 1035 §5.1, RFC 2181 §8 (TTL), RFC 2308 §4.
//! In: blocks. Out: records to the sink, in file order. Never: allocation per record.
//! Limits: see [`Limits`].

use super::error::{Position, Problem, ReadError, SyntaxError, Warning};
use super::scanner::{LogicalLine, Scan};
use super::{RecordRef, Sink};
use crate::rdata::{
    self, Field, RdataError, class_from_mnemonic, excerpt, parse_period, rrtype_from_mnemonic,
};
use crate::rrtype::CLASS_IN;
use crate::{Name, RrType, Ttl};

/// Bounds on what one zone file may ask of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a logical line, comments and line ends included.
    pub line_octets: usize,
    /// Files within files; the first file counts as none.
    pub include_depth: u32,
    /// Included files in all.
    pub include_count: u32,
    /// Records that one `$GENERATE` may make.
    pub generate_count: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            line_octets: 65_535,
            include_depth: 16,
            include_count: 1024,
            generate_count: 1 << 20,
        }
    }
}

/// What carries over from line to line, and so from block to block.
#[derive(Clone, Debug)]
pub struct State {
    /// The origin of relative names.
    pub origin: Option<Name>,
    /// The owner of the record before.
    pub owner: Option<Name>,
    /// The TTL of the last `$TTL`.
    pub default_ttl: Option<Ttl>,
    /// The TTL written last in a record, or the MINIMUM of a first SOA without one.
    pub last_ttl: Option<Ttl>,
    /// The caller's number for the file.
    pub source: u32,
    /// Number of the line at the start of the next block, from 1.
    pub line: u32,
}

impl State {
    /// The state at the start of a file whose number is `source`.
    pub fn new(origin: Option<Name>, source: u32) -> State {
        State { origin, owner: None, default_ttl: None, last_ttl: None, source, line: 1 }
    }
}

/// Whether more of the file follows a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockEnd {
    /// More follows: a line that does not end in the block is left for the next one.
    More,
    /// The file ends here: the last line may lack its line end.
    Final,
}

/// Reads a zone file block by block.
pub struct Reader {
    /// What carries over from block to block.
    pub state: State,
    pub(super) limits: Limits,
    pub(super) include_depth: u32,
    pub(super) include_count: u32,
    /// The owner's text when `state.owner` was made of it under the present origin; else empty.
    pub(super) owner_text: Vec<u8>,
    rdata: Vec<u8>,
}

/// Where the fields at hand stand, to tell positions from offsets.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// A logical line that starts at this position.
    Line { text: &'a [u8], start: Position },
    /// Text made by a directive at this position.
    Made { by: Position },
}

impl Place<'_> {
    /// The position of the octet at `offset`.
    pub(super) fn at(&self, offset: usize) -> Position {
        match self {
            Place::Made { by } => *by,
            Place::Line { text, start } => {
                let before = &text[..offset.min(text.len())];
                let newlines = before.iter().filter(|octet| **octet == b'\n').count();
                let line_start = before.iter().rposition(|octet| *octet == b'\n');
                let column = before.len() - line_start.map_or(0, |newline| newline + 1) + 1;
                let line = start.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
                let column = u32::try_from(column).unwrap_or(u32::MAX);
                Position { source: start.source, line, column }
            }
        }
    }

    /// The start of the line.
    fn start(&self) -> Position {
        match self {
            Place::Made { by } => *by,
            Place::Line { start, .. } => *start,
        }
    }

    pub(super) fn wrong(&self, offset: usize, problem: Problem) -> SyntaxError {
        SyntaxError { at: self.at(offset), problem }
    }
}

/// The offset behind the last field, where something is missing.
pub(super) fn end_offset(fields: &[Field<'_>]) -> usize {
    fields.last().map_or(0, |field| field.offset + field.text.len() + 2 * usize::from(field.quoted))
}

impl Reader {
    /// A reader at the state given, with the default limits.
    pub fn new(state: State) -> Reader {
        Reader::with_limits(state, Limits::default())
    }

    /// A reader at the state given.
    pub fn with_limits(state: State, limits: Limits) -> Reader {
        let owner_text = Vec::new();
        let rdata = Vec::new();
        Reader { state, limits, include_depth: 0, include_count: 0, owner_text, rdata }
    }

    /// Reads all whole lines of `block`, which starts at a line start; returns how many octets
    /// that were. The caller puts what is left, and more of the file, into the next block. When
    /// nothing was taken, the block must grow: beyond [`Limits::line_octets`] it is an error.
    pub fn read_block<S: Sink>(
        &mut self,
        block: &[u8],
        end: BlockEnd,
        sink: &mut S,
    ) -> Result<usize, ReadError<S::Error>> {
        let mut line = LogicalLine::new();
        let mut taken = 0;
        if self.state.line == 1 && block.starts_with(b"\xEF\xBB\xBF") {
            let at = Position { source: self.state.source, line: 1, column: 1 };
            return Err(SyntaxError { at, problem: Problem::ByteOrderMark }.into());
        }
        while taken < block.len() {
            let rest = &block[taken..];
            let text = &rest[..rest.len().min(self.limits.line_octets.saturating_add(1))];
            let start = Position { source: self.state.source, line: self.state.line, column: 1 };
            let place = Place::Line { text, start };
            let is_final = end == BlockEnd::Final && text.len() == rest.len();
            let scanned = line
                .scan(text, is_final)
                .map_err(|error| place.wrong(error.offset, error.problem))?;
            let length = match scanned {
                Scan::Line { length } => length,
                Scan::NeedMore => text.len(),
            };
            if length > self.limits.line_octets {
                let limit = self.limits.line_octets;
                return Err(place.wrong(0, Problem::LineTooLong { limit }).into());
            }
            if scanned == Scan::NeedMore {
                return Ok(taken);
            }
            self.read_line(&line, place, sink)?;
            self.state.line = self.state.line.saturating_add(line.newlines);
            taken += length;
        }
        Ok(taken)
    }

    fn read_line<S: Sink>(
        &mut self,
        line: &LogicalLine<'_>,
        place: Place<'_>,
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        match line.fields.first() {
            None => Ok(()),
            Some(first) if first.text.first() == Some(&b'$') && !first.quoted => {
                self.read_directive(&line.fields, place, sink)
            }
            Some(_) => self.read_record(line, place, sink),
        }
    }

    /// Reads one record and delivers it.
    pub(super) fn read_record<S: Sink>(
        &mut self,
        line: &LogicalLine<'_>,
        place: Place<'_>,
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        let fields = &line.fields[..];
        let mut index = 0;
        if !line.blank_owner {
            self.read_owner(&fields[0], place)?;
            index = 1;
        } else if self.state.owner.is_none() {
            return Err(place.wrong(0, Problem::NoOwner).into());
        }
        let head = read_head(fields, &mut index, place)?;
        if let Some((class, offset)) = head.class.filter(|(class, _)| *class != CLASS_IN) {
            let at = place.at(offset);
            sink.warning(Warning::ClassChanged { class }, at)
                .map_err(|reason| ReadError::Stopped { at, reason })?;
        }
        self.rdata.clear();
        rdata::parse(head.rtype, &fields[index..], self.state.origin.as_ref(), &mut self.rdata)
            .map_err(|cause| rdata_error(fields, index, head.rtype, cause, place))?;
        let at = place.start();
        let ttl = match head.ttl {
            Some(ttl) => {
                self.state.last_ttl = Some(ttl);
                ttl
            }
            None => match self.state.default_ttl.or(self.state.last_ttl) {
                Some(ttl) => ttl,
                None => {
                    let offset = fields[index - 1].offset;
                    let ttl = self.soa_minimum(head.rtype, place, offset)?;
                    self.state.last_ttl = Some(ttl);
                    sink.warning(Warning::TtlFromSoaMinimum { ttl }, at)
                        .map_err(|reason| ReadError::Stopped { at, reason })?;
                    ttl
                }
            },
        };
        let Some(owner) = &self.state.owner else {
            return Err(place.wrong(0, Problem::NoOwner).into());
        };
        let record = RecordRef { owner, rtype: head.rtype, ttl, rdata: &self.rdata };
        sink.record(record, at).map_err(|reason| ReadError::Stopped { at, reason })
    }

    /// Takes the owner over from `field`, unless it is the one before.
    fn read_owner(&mut self, field: &Field<'_>, place: Place<'_>) -> Result<(), SyntaxError> {
        if !field.text.is_empty() && field.text == self.owner_text {
            return Ok(());
        }
        let origin = self.state.origin.as_ref();
        let owner = Name::parse(field.text, origin).map_err(|cause| {
            place.wrong(field.offset, Problem::BadOwner { found: excerpt(field.text), cause })
        })?;
        self.state.owner = Some(owner);
        self.owner_text.clear();
        self.owner_text.extend_from_slice(field.text);
        Ok(())
    }

    /// The TTL of a record where none was given yet: MINIMUM, if it is the SOA.
    fn soa_minimum(
        &self,
        rtype: RrType,
        place: Place<'_>,
        offset: usize,
    ) -> Result<Ttl, SyntaxError> {
        match self.rdata.last_chunk::<4>() {
            Some(minimum) if rtype == RrType::SOA => {
                let ttl = u32::from_be_bytes(*minimum);
                let too_big = || Problem::TtlTooBig { found: ttl.to_string() };
                checked_ttl(ttl).ok_or_else(|| place.wrong(offset, too_big()))
            }
            _ => Err(place.wrong(offset, Problem::NoTtl)),
        }
    }
}

/// What stands between owner and RDATA.
struct Head {
    ttl: Option<Ttl>,
    /// The class, and where it stands.
    class: Option<(u16, usize)>,
    rtype: RrType,
}

/// Reads TTL and class, in either order and either missing, and the type; `index` then points
/// behind the type.
fn read_head(
    fields: &[Field<'_>],
    index: &mut usize,
    place: Place<'_>,
) -> Result<Head, SyntaxError> {
    let mut ttl = None;
    let mut class = None;
    loop {
        let Some(field) = fields.get(*index) else {
            return Err(place.wrong(end_offset(fields), Problem::MissingType));
        };
        *index += 1;
        let text = field.text;
        if ttl.is_none() && text.first().is_some_and(u8::is_ascii_digit) {
            ttl = Some(parse_ttl(field, place)?);
        } else if class.is_none() && text.eq_ignore_ascii_case(b"IN") {
            class = Some((CLASS_IN, field.offset));
        } else if let Some(rtype) = rrtype_from_mnemonic(text) {
            return Ok(Head { ttl, class, rtype });
        } else if let Some(number) = class_from_mnemonic(text).filter(|_| class.is_none()) {
            class = Some((number, field.offset));
        } else {
            let found = excerpt(text);
            return Err(place.wrong(field.offset, Problem::UnknownType { found }));
        }
    }
}

/// Reads a TTL of a record or of `$TTL`.
pub(super) fn parse_ttl(field: &Field<'_>, place: Place<'_>) -> Result<Ttl, SyntaxError> {
    let found = || excerpt(field.text);
    let digits_only = field.text.iter().all(u8::is_ascii_digit);
    let problem = match parse_period(field.text) {
        Some(seconds) => match checked_ttl(seconds) {
            Some(ttl) => return Ok(ttl),
            None => Problem::TtlTooBig { found: found() },
        },
        None if digits_only && !field.text.is_empty() => Problem::TtlTooBig { found: found() },
        None => Problem::BadTtl { found: found() },
    };
    Err(place.wrong(field.offset, problem))
}

fn checked_ttl(seconds: u32) -> Option<Ttl> {
    Some(Ttl(seconds)).filter(|ttl| *ttl <= Ttl::MAX)
}

/// Puts an error of the RDATA code where it belongs in the file. `first` is the index of the
/// first field of RDATA, the type stands before it.
fn rdata_error(
    fields: &[Field<'_>],
    first: usize,
    rtype: RrType,
    cause: RdataError,
    place: Place<'_>,
) -> SyntaxError {
    let at_field = |index: usize| fields.get(index).map_or(0, |field| field.offset);
    let offset = match (&cause, cause.field()) {
        (RdataError::Missing { .. }, _) => end_offset(fields),
        (_, Some(field)) => at_field(first + field),
        (_, None) => at_field(first - 1),
    };
    place.wrong(offset, Problem::Rdata { rtype, cause })
}
