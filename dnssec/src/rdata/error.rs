//! What the RDATA code is given (fields of a line) and what it answers when they are wrong.
//! In: text and wire data that did not fit. Out: errors that say what was expected and found.
//! Never: positions in a file; `field` counts within the fields given, the caller knows where.

use super::table::TypeStatus;
use crate::RrType;
use crate::name::NameError;

/// Longest piece of input that an error repeats, in octets.
const EXCERPT_LENGTH_MAX: usize = 40;

/// One field of a zone file line, escapes not yet resolved, quotes taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The text as it stands in the file, without the quotes around it.
    pub text: &'a [u8],
    /// Octets from the start of the logical line to the field (to the quote if there is one).
    pub offset: usize,
    /// Whether it stood in quotes.
    pub quoted: bool,
    /// Whether no white space separates it from the field before, as in `alpn="h2"`.
    pub joined: bool,
}

impl<'a> Field<'a> {
    /// A field that stands alone and unquoted, at the start of its line.
    pub fn plain(text: &'a [u8]) -> Field<'a> {
        Field { text, offset: 0, quoted: false, joined: false }
    }
}

/// Why fields or octets are not RDATA of their type. `field` is an index into the fields given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    /// The fields end too early.
    #[error("expected {expected}, but the record ends here")]
    Missing {
        /// What should have followed.
        expected: &'static str,
    },
    /// A field is not what its type asks for.
    #[error("expected {expected}, found `{found}`")]
    Unexpected {
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// Which field it is.
        field: usize,
    },
    /// A field should be a domain name and is none.
    #[error("expected a domain name, found `{found}`: {cause}")]
    BadName {
        /// What stands there.
        found: String,
        /// Which field it is.
        field: usize,
        /// Why it is no name.
        #[source]
        cause: NameError,
    },
    /// More fields than the type has.
    #[error("expected the end of the record, found `{found}`")]
    Trailing {
        /// The first field too many.
        found: String,
        /// Which field it is.
        field: usize,
    },
    /// The data does not fit into 65,535 octets.
    #[error("record data is longer than 65535 octets")]
    TooLong,
    /// `\# length` and the data after it disagree (RFC 3597 §5).
    #[error("\\# promises {stated} octets of data, but {actual} follow")]
    GenericLength {
        /// The length written.
        stated: usize,
        /// Octets that follow.
        actual: usize,
        /// The field with the length.
        field: usize,
    },
    /// Octets that do not have the structure of their type.
    #[error("malformed {rtype} data: expected {expected} at octet {offset}")]
    Malformed {
        /// The type.
        rtype: RrType,
        /// What should stand there.
        expected: &'static str,
        /// Octets from the start of the RDATA.
        offset: usize,
    },
    /// A type that no zone may hold.
    #[error("{rtype} records are not allowed in a zone: {status}")]
    Refused {
        /// The type.
        rtype: RrType,
        /// Obsolete or meta.
        status: TypeStatus,
    },
}

impl RdataError {
    /// Index of the field at fault among the fields given, where one is.
    pub fn field(&self) -> Option<usize> {
        match self {
            RdataError::Unexpected { field, .. }
            | RdataError::BadName { field, .. }
            | RdataError::Trailing { field, .. }
            | RdataError::GenericLength { field, .. } => Some(*field),
            RdataError::Missing { .. }
            | RdataError::TooLong
            | RdataError::Malformed { .. }
            | RdataError::Refused { .. } => None,
        }
    }
}

/// Input text for an error message: cut short, control characters and non-ASCII as `\DDD`.
pub fn excerpt(text: &[u8]) -> String {
    let mut shown = String::new();
    for octet in text.iter().take(EXCERPT_LENGTH_MAX) {
        match octet {
            b' '..=b'~' => shown.push(char::from(*octet)),
            _ => shown.push_str(&format!("\\{octet:03}")),
        }
    }
    if text.len() > EXCERPT_LENGTH_MAX {
        shown.push_str("...");
    }
    shown
}
