//! Master files: a reader over blocks of bytes and a writer of records. RFC 1035 §5, RFC 2308 §4
//! (`$TTL`), RFC 3597 §5, and BIND's `$GENERATE`.
//! In: blocks of a file in order, each from where the one before stopped. Out: records in wire
//! form, warnings and requests for included files, all to a [`Sink`]; errors with file, line and
//! column. Never: files, allocation per record, classes other than IN (changed, with a warning).
//! Everything that passes from one block to the next is in [`State`], so that blocks can be read
//! apart once their states are known; [`cut_point`] finds where a block may end.

mod directive;
mod error;
mod generate;
mod print;
mod reader;
mod scanner;
mod soa;
#[cfg(test)]
pub(crate) mod tests;

pub use error::{Position, Problem, ReadError, SyntaxError, Warning};
pub use print::print_record;
pub use reader::{BlockEnd, Limits, Reader, State};
pub use scanner::{cut_point, line_count, may_have_directive};
pub use soa::{first_soa_owner, serial_of_file};

use crate::{Name, RrType, Ttl};

/// One record, valid during the call that delivers it.
#[derive(Clone, Copy, Debug)]
pub struct RecordRef<'a> {
    /// Owner name, case as in the file.
    pub owner: &'a Name,
    /// Type; never an obsolete or meta type.
    pub rtype: RrType,
    /// Time to live.
    pub ttl: Ttl,
    /// RDATA in wire form, names whole, case as in the file.
    pub rdata: &'a [u8],
}

/// An `$INCLUDE` directive (RFC 1035 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct IncludeRequest<'a> {
    /// The file as written, escapes resolved.
    pub path: &'a [u8],
    /// The file that includes it, as numbered by the caller.
    pub including: u32,
    /// Where the directive stands.
    pub at: Position,
}

/// An included file, read by the caller.
#[derive(Clone, Debug)]
pub struct Included {
    /// The caller's number for this file; positions in it carry this number.
    pub source: u32,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Receives what a zone file says. An error from any call ends the reading.
pub trait Sink {
    /// Why the receiver wants to stop.
    type Error;

    /// Takes one record; `at` is the start of its line.
    fn record(&mut self, record: RecordRef<'_>, at: Position) -> Result<(), Self::Error>;

    /// Takes a warning: something was read otherwise than written.
    fn warning(&mut self, warning: Warning, at: Position) -> Result<(), Self::Error>;

    /// Fetches an included file, relative to whatever the caller finds right.
    fn include(&mut self, request: IncludeRequest<'_>) -> Result<Included, Self::Error>;
}
