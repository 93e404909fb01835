//! Why a transfer is not used.

use crate::rdata::RdataError;
use crate::transfer::rcode::Rcode;
use crate::zone::load::LimitUnit;
use crate::{Name, RrType, Serial};

/// Why a transfer is not used. What we have stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Bytes that make no sense.
    #[error("a message makes no sense at byte {at}")]
    Malformed {
        /// Offset in the message.
        at: usize,
    },
    /// A message that is no answer to what was asked: id, QR, opcode or question.
    #[error("a message is no answer to what was asked")]
    NotTheAnswer,
    /// The master says no, or that it cannot.
    #[error("answered {rcode}")]
    Refused {
        /// Its RCODE.
        rcode: Rcode,
    },
    /// A message on a stream says that it is cut short.
    #[error("a message that came by stream is marked as truncated")]
    TruncatedStream,
    /// A message without records.
    #[error("a message has no records")]
    NoRecords,
    /// The first record is no SOA of the zone.
    #[error("the first record is not the zone's SOA")]
    NoFirstSoa,
    /// A SOA of another name.
    #[error("SOA record at {owner}, which is not the zone's name")]
    SoaElsewhere {
        /// Its owner.
        owner: Name,
    },
    /// The last SOA is not the first one.
    #[error("the last SOA record is not the first one: the zone changed meanwhile")]
    SoaChanged,
    /// Something follows the last SOA.
    #[error("records follow the last SOA record")]
    RecordsAfterEnd,
    /// A class other than IN.
    #[error("a record of class {class}, not IN")]
    ClassNotIn {
        /// The class.
        class: u16,
    },
    /// RDATA that does not have the structure of its type.
    #[error("{rtype} record at {owner}: {cause}")]
    BadRdata {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
        /// What is wrong.
        #[source]
        cause: RdataError,
    },
    /// The first difference does not begin where we are.
    #[error("differences from serial {got}, not from {wanted}")]
    WrongStart {
        /// What we have.
        wanted: Serial,
        /// Where it begins.
        got: Serial,
    },
    /// A difference does not begin where the last one ended.
    #[error("a difference from serial {got} after one to {wanted}")]
    Gap {
        /// Where the last one ended.
        wanted: Serial,
        /// Where the next begins.
        got: Serial,
    },
    /// A difference to a serial that is not newer.
    #[error("a difference from serial {from} to {to}, which is not newer")]
    SerialNotRising {
        /// Before it.
        from: Serial,
        /// After it.
        to: Serial,
    },
    /// More differences than an IXFR may have.
    #[error("more than {} differences", super::STEP_COUNT_MAX)]
    TooManySteps,
    /// More records or bytes than allowed.
    #[error("larger than the limit of {limit} {unit}")]
    LimitExceeded {
        /// The limit.
        limit: u64,
        /// What it counts.
        unit: LimitUnit,
    },
}
