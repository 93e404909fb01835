//! `$ORIGIN`, `$TTL`, `$INCLUDE` and the way to `$GENERATE`. RFC 1035 §5.1, RFC 2308 §4.
//! In: the fields of a directive. Out: a changed state, or records of the included file.
//! After an included file origin and owner are what they were (RFC 1035 §5.1); TTLs set in it
//! stay, as in BIND. An included file is read whole.

use super::error::{Problem, ReadError, SyntaxError};
use super::reader::{BlockEnd, Place, Reader, end_offset, parse_ttl};
use super::{IncludeRequest, Included, Sink};
use crate::Name;
use crate::rdata::{Field, excerpt, unescape};

impl Reader {
    /// Carries out the directive in `fields`, of which the first starts with `$`.
    pub(super) fn read_directive<S: Sink>(
        &mut self,
        fields: &[Field<'_>],
        place: Place<'_>,
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        let name = fields[0].text;
        if name.eq_ignore_ascii_case(b"$ORIGIN") {
            let origin = argument(fields, 1, "$ORIGIN", "a domain name", place)?;
            refuse_more(fields, 2, "$ORIGIN", place)?;
            let origin = self.parse_origin(origin, place)?;
            self.set_origin(Some(origin));
            Ok(())
        } else if name.eq_ignore_ascii_case(b"$TTL") {
            let ttl = argument(fields, 1, "$TTL", "a TTL", place)?;
            refuse_more(fields, 2, "$TTL", place)?;
            self.state.default_ttl = Some(parse_ttl(ttl, place)?);
            Ok(())
        } else if name.eq_ignore_ascii_case(b"$INCLUDE") {
            self.read_include(fields, place, sink)
        } else if name.eq_ignore_ascii_case(b"$GENERATE") {
            self.read_generate(fields, place, sink)
        } else {
            let found = excerpt(name);
            Err(place.wrong(fields[0].offset, Problem::UnknownDirective { found }).into())
        }
    }

    fn set_origin(&mut self, origin: Option<Name>) {
        self.state.origin = origin;
        // The owner's text may now mean another name.
        self.owner_text.clear();
    }

    fn parse_origin(&self, field: &Field<'_>, place: Place<'_>) -> Result<Name, SyntaxError> {
        Name::parse(field.text, self.state.origin.as_ref()).map_err(|cause| {
            place.wrong(field.offset, Problem::BadOrigin { found: excerpt(field.text), cause })
        })
    }

    fn read_include<S: Sink>(
        &mut self,
        fields: &[Field<'_>],
        place: Place<'_>,
        sink: &mut S,
    ) -> Result<(), ReadError<S::Error>> {
        let file = argument(fields, 1, "$INCLUDE", "a file name", place)?;
        let mut path = Vec::new();
        unescape(file.text, &mut path).map_err(|cause| {
            place.wrong(file.offset, Problem::BadPath { found: excerpt(file.text), cause })
        })?;
        let inner_origin = match fields.get(2) {
            Some(field) => Some(self.parse_origin(field, place)?),
            None => self.state.origin.clone(),
        };
        refuse_more(fields, 3, "$INCLUDE", place)?;
        if self.include_depth >= self.limits.include_depth {
            let limit = self.limits.include_depth;
            return Err(place.wrong(file.offset, Problem::IncludeTooDeep { limit }).into());
        }
        if self.include_count >= self.limits.include_count {
            let limit = self.limits.include_count;
            return Err(place.wrong(file.offset, Problem::TooManyIncludes { limit }).into());
        }
        let at = place.at(file.offset);
        let including = self.state.source;
        let Included { source, bytes } = sink
            .include(IncludeRequest { path: &path, including, at })
            .map_err(|reason| ReadError::Stopped { at, reason })?;
        self.include_depth += 1;
        self.include_count += 1;
        let outer = (self.state.origin.take(), self.state.owner.clone(), self.state.line);
        self.set_origin(inner_origin);
        self.state.source = source;
        self.state.line = 1;
        let result = self.read_block(&bytes, BlockEnd::Final, sink);
        if result.is_ok() {
            let (origin, owner, line) = outer;
            self.set_origin(origin);
            self.state.owner = owner;
            self.state.line = line;
            self.state.source = including;
        }
        self.include_depth -= 1;
        result.map(|_| ())
    }
}

/// The argument at `index`, which must be there.
pub(super) fn argument<'f, 'a>(
    fields: &'f [Field<'a>],
    index: usize,
    directive: &'static str,
    expected: &'static str,
    place: Place<'_>,
) -> Result<&'f Field<'a>, SyntaxError> {
    fields.get(index).ok_or_else(|| {
        place.wrong(end_offset(fields), Problem::MissingArgument { directive, expected })
    })
}

fn refuse_more(
    fields: &[Field<'_>],
    index: usize,
    directive: &'static str,
    place: Place<'_>,
) -> Result<(), SyntaxError> {
    match fields.get(index) {
        None => Ok(()),
        Some(field) => {
            let found = excerpt(field.text);
            Err(place.wrong(field.offset, Problem::ExtraArgument { directive, found }))
        }
    }
}
