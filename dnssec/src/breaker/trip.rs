//! What trips the breaker, in words with numbers, names and a remedy.
//! In: counts. Out: text. The numbers are those of the auditor's list for the same things; they are
//! stable, and none is used again.

use super::Sample;
use crate::{Name, RrType, Serial};
use std::fmt;

/// One reason why an input is not signed before an operator has looked at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trip {
    /// The number of records changed too much.
    Size {
        /// Records before.
        before: u64,
        /// Records now.
        now: u64,
        /// The limit, in percent.
        limit: u32,
        /// Owner names that are gone.
        gone: Sample,
    },
    /// The number of records of a type changed too much.
    TypeSize {
        /// The type.
        rtype: RrType,
        /// Records before.
        before: u64,
        /// Records now.
        now: u64,
        /// The limit, in percent.
        limit: u32,
    },
    /// Too many delegations are gone.
    DelegationsLost {
        /// Delegations before.
        before: u64,
        /// Those that are gone.
        lost: Sample,
        /// The limit, in percent.
        limit: u32,
    },
    /// No name server of the zone stayed.
    ApexServersReplaced {
        /// Name servers before.
        before: u64,
        /// Name servers now.
        now: u64,
    },
    /// The serial is not newer than that of the last input.
    SerialBackwards {
        /// Serial before.
        before: Serial,
        /// Serial now.
        now: Serial,
    },
    /// Names end in the origin twice.
    DoubledOrigin {
        /// So many more than before.
        names: Sample,
        /// The limit.
        limit: u64,
    },
    /// TTLs are too long.
    LongTtl {
        /// RRsets with such a TTL, more than before.
        owners: Sample,
        /// The longest, in seconds.
        longest: u32,
        /// The limit, in seconds.
        limit: u64,
    },
    /// Name servers below their own delegation have no address.
    MissingGlue {
        /// So many more than before, and delegations that have one.
        delegations: Sample,
        /// The limit.
        limit: u64,
    },
    /// The file does not end with a line end.
    NoFinalNewline,
    /// The file does not end with the line that it has to end with.
    NoEndMarker {
        /// That line.
        marker: String,
    },
    /// The zone's digest is not that of the zone.
    WrongDigest {
        /// What the one who verified it says.
        detail: String,
    },
}

impl Trip {
    /// Its number in the list, as `B106`.
    pub fn code(&self) -> &'static str {
        match self {
            Trip::Size { .. } => "B103",
            Trip::TypeSize { .. } => "B104",
            Trip::DelegationsLost { .. } => "B106",
            Trip::ApexServersReplaced { .. } => "B107",
            Trip::SerialBackwards { .. } => "B109",
            Trip::DoubledOrigin { .. } => "B110",
            Trip::LongTtl { .. } => "B112",
            Trip::MissingGlue { .. } => "B114",
            Trip::NoFinalNewline => "B115",
            Trip::NoEndMarker { .. } => "B116",
            Trip::WrongDigest { .. } => "B117",
        }
    }

    /// What to do when it is not meant.
    pub fn remedy(&self) -> &'static str {
        match self {
            Trip::Size { .. } | Trip::TypeSize { .. } | Trip::DelegationsLost { .. } => {
                "see whether the file was cut off or is an old copy, and load it again"
            }
            Trip::ApexServersReplaced { .. } => "see whether the file is another zone's",
            Trip::SerialBackwards { .. } => {
                "raise the serial at the source; an old copy may have come in"
            }
            Trip::DoubledOrigin { .. } => "write the final dot behind absolute names at the source",
            Trip::LongTtl { .. } => "lower the TTL at the source, or raise <MaxTTL>",
            Trip::MissingGlue { .. } => "add the addresses of these name servers at the source",
            Trip::NoFinalNewline => {
                "see whether the file was cut off; a source that never ends its last line wants \
                 <FinalNewline>none</FinalNewline>"
            }
            Trip::NoEndMarker { .. } => "see whether the file was cut off, and load it again",
            Trip::WrongDigest { .. } => "the file was changed or cut off on its way: load it again",
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.code())?;
        match self {
            Trip::Size { before, now, limit, gone } => {
                write!(f, "{} records became {}", grouped(*before), grouped(*now))?;
                write!(f, ", limit {limit} %{}", ListOf("gone", gone))?;
            }
            Trip::TypeSize { rtype, before, now, limit } => {
                write!(f, "{} records of type {rtype}", grouped(*before))?;
                write!(f, " became {}, limit {limit} %", grouped(*now))?;
            }
            Trip::DelegationsLost { before, lost, limit } => {
                write!(f, "lost {} of {} delegations", grouped(lost.count), grouped(*before))?;
                write!(f, ", limit {limit} %{}", ListOf("gone", lost))?;
            }
            Trip::ApexServersReplaced { before, now } => {
                write!(f, "none of the {before} name servers of the zone is among the {now} new")?;
            }
            Trip::SerialBackwards { before, now } => {
                write!(f, "serial {now} is not newer than {before}, which was signed last")?;
            }
            Trip::DoubledOrigin { names, limit } => {
                write!(f, "{} names more end in the origin twice", grouped(names.count))?;
                write!(f, ", limit {limit}{}", ListOf("at", names))?;
            }
            Trip::LongTtl { owners, longest, limit } => {
                write!(f, "{} RRsets more have a TTL above {limit} s", grouped(owners.count))?;
                write!(f, ", the longest {longest} s{}", ListOf("at", owners))?;
            }
            Trip::MissingGlue { delegations, limit } => {
                write!(f, "{} name servers more", grouped(delegations.count))?;
                write!(f, " lie below their own delegation and have no address")?;
                write!(f, ", limit {limit}{}", ListOf("of", delegations))?;
            }
            Trip::NoFinalNewline => f.write_str("the last line of the file is not ended")?,
            Trip::NoEndMarker { marker } => {
                write!(f, "the last line of the file is not \"{marker}\"")?;
            }
            Trip::WrongDigest { detail } => write!(f, "the zone's ZONEMD is wrong: {detail}")?,
        }
        write!(f, "; {}", self.remedy())
    }
}

/// Some names, and that there are more.
struct ListOf<'a>(&'static str, &'a Sample);

impl fmt::Display for ListOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListOf(word, Sample { count, names }) = self;
        if names.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = names.iter().map(Name::to_string).collect();
        let more = if *count > names.len() as u64 { ", ..." } else { "" };
        write!(f, ": {word} {}{more}", texts.join(", "))
    }
}

/// A number with its thousands apart, as people read it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
