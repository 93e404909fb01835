//! Positions in zone files, and what can be wrong there.
//! Out: errors that say what was expected and what was found. The caller knows the names of its
//! files and prints `file:line:column: error`.

use crate::name::NameError;
use crate::rdata::RdataError;
use crate::{RrType, Ttl};

/// A place in a zone file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The caller's number for the file.
    pub source: u32,
    /// Line, from 1.
    pub line: u32,
    /// Column in octets, from 1.
    pub column: u32,
}

/// Why reading ended early; `E` is the receiver's error.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The file is wrong.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The receiver refused a record or a warning, or could not include a file.
    #[error("{reason}")]
    Stopped {
        /// What was delivered.
        at: Position,
        /// The receiver's reason.
        reason: E,
    },
}

/// Something wrong in a zone file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct SyntaxError {
    /// Where.
    pub at: Position,
    /// What.
    #[source]
    pub problem: Problem,
}

/// What can be wrong in a zone file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// An octet that no text file has.
    #[error("octet 0x{octet:02x} is not text: is this a zone file?")]
    NotText {
        /// The octet.
        octet: u8,
    },
    /// A UTF-8 byte order mark, which would become part of the first owner name.
    #[error("the file starts with a byte order mark: save it without one")]
    ByteOrderMark,
    /// A logical line above the limit.
    #[error("line is longer than {limit} octets (is a parenthesis open?)")]
    LineTooLong {
        /// The limit in octets.
        limit: usize,
    },
    /// A quoted text without an end on its line.
    #[error("the text that starts here has no closing quote on its line")]
    OpenQuote,
    /// A backslash as the last octet of a line or file.
    #[error("a backslash at the end of the line")]
    EscapeAtLineEnd,
    /// A `(` without `)`.
    #[error("the parenthesis that opens here is never closed")]
    OpenParenthesis,
    /// A `)` without `(`.
    #[error("a closing parenthesis without an opening one")]
    StrayParenthesis,
    /// A line that starts with white space where no record came before.
    #[error("no owner name: the line starts with white space, but no record comes before it")]
    NoOwner,
    /// An owner name that is none.
    #[error("expected an owner name, found `{found}`: {cause}")]
    BadOwner {
        /// What stands there.
        found: String,
        /// Why it is no name.
        #[source]
        cause: NameError,
    },
    /// A line without a record type.
    #[error("expected a TTL, class or record type, but the line ends here")]
    MissingType,
    /// Something else where TTL, class or type belong.
    #[error("expected a TTL, class or record type, found `{found}`")]
    UnknownType {
        /// What stands there.
        found: String,
    },
    /// A number that is no TTL.
    #[error("expected a TTL in seconds or as 1h30m, found `{found}`")]
    BadTtl {
        /// What stands there.
        found: String,
    },
    /// A TTL above 2^31-1 (RFC 2181 §8).
    #[error("TTL {found} is above 2147483647")]
    TtlTooBig {
        /// What stands there.
        found: String,
    },
    /// A record without a TTL where none can be derived.
    #[error("no TTL: write one, or a $TTL directive before this line")]
    NoTtl,
    /// RDATA that does not fit its type.
    #[error("{rtype}: {cause}")]
    Rdata {
        /// The type.
        rtype: RrType,
        /// What is wrong.
        #[source]
        cause: RdataError,
    },
    /// A directive other than `$ORIGIN`, `$TTL`, `$INCLUDE` and `$GENERATE`.
    #[error("unknown directive `{found}` (known: $ORIGIN, $TTL, $INCLUDE, $GENERATE)")]
    UnknownDirective {
        /// What stands there.
        found: String,
    },
    /// A directive without its argument.
    #[error("{directive} needs {expected}")]
    MissingArgument {
        /// The directive.
        directive: &'static str,
        /// What it needs.
        expected: &'static str,
    },
    /// A directive with something behind its arguments.
    #[error("{directive} ends before `{found}`")]
    ExtraArgument {
        /// The directive.
        directive: &'static str,
        /// What follows.
        found: String,
    },
    /// An origin that is no name.
    #[error("expected an origin, found `{found}`: {cause}")]
    BadOrigin {
        /// What stands there.
        found: String,
        /// Why it is no name.
        #[source]
        cause: NameError,
    },
    /// A file name with a bad escape.
    #[error("expected a file name, found `{found}`: {cause}")]
    BadPath {
        /// What stands there.
        found: String,
        /// Why it is none.
        #[source]
        cause: NameError,
    },
    /// Includes within includes within includes.
    #[error("$INCLUDE is nested deeper than {limit} files (does a file include itself?)")]
    IncludeTooDeep {
        /// The limit.
        limit: u32,
    },
    /// More includes than the limit.
    #[error("more than {limit} files are included")]
    TooManyIncludes {
        /// The limit.
        limit: u32,
    },
    /// A `$GENERATE` range that is none.
    #[error("expected a range like 1-10 or 1-10/2, found `{found}`")]
    BadRange {
        /// What stands there.
        found: String,
    },
    /// A `$GENERATE` range with too many values.
    #[error("$GENERATE of {count} records is above the limit of {limit}")]
    RangeTooLong {
        /// Records it would make.
        count: u64,
        /// The limit.
        limit: u64,
    },
    /// A `${...}` that is none.
    #[error("expected ${{offset,width,base}} with base d, o, x, X, n or N, found `{found}`")]
    BadModifier {
        /// What stands there.
        found: String,
    },
    /// A value with its offset below zero or above 2^31-1.
    #[error("$GENERATE yields {value}, which is not within 0 to 2147483647")]
    ValueOutOfRange {
        /// The value.
        value: i64,
    },
}

/// Something that was read otherwise than written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// A class other than IN was read as IN.
    #[error("class {class} changed to IN")]
    ClassChanged {
        /// The class written, by number.
        class: u16,
    },
    /// The SOA has no TTL and no `$TTL` comes before it: its MINIMUM is used (RFC 1035 §5).
    #[error("no TTL before the SOA: its MINIMUM {ttl} is used")]
    TtlFromSoaMinimum {
        /// The TTL used.
        ttl: Ttl,
    },
}
