//! Why an update is not done, and the response code that says so (RFC 2136 §2.2).

use crate::rdata::RdataError;
use crate::transfer::Rcode;
use crate::zone::patch::PatchError;
use crate::{Name, RrType};

/// Why an update is not done. Nothing of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateFault {
    /// Its sections cannot be read.
    #[error("the update cannot be read")]
    Malformed,
    /// Something outside of the zone.
    #[error("{owner} is not in the zone")]
    NotInZone {
        /// The owner.
        owner: Name,
    },
    /// Data that does not have the structure of its type.
    #[error("{rtype} record of {owner}: {cause}")]
    BadRdata {
        /// The owner.
        owner: Name,
        /// Its type.
        rtype: RrType,
        /// What is wrong.
        cause: RdataError,
    },
    /// A combination of class, type, TTL and data that RFC 2136 gives no meaning.
    #[error("{rtype} record of {owner} with class {class} says nothing in an update")]
    Meaningless {
        /// The owner.
        owner: Name,
        /// Its type.
        rtype: RrType,
        /// Its class.
        class: u16,
    },
    /// A prerequisite that does not hold.
    #[error("the prerequisite {rtype} at {owner} does not hold: {rcode}")]
    Prerequisite {
        /// The owner.
        owner: Name,
        /// Its type.
        rtype: RrType,
        /// What is answered.
        rcode: Rcode,
    },
    /// What only the signer makes.
    #[error("{rtype} records, such as that of {owner}, are made by the signer")]
    SignersType {
        /// The owner.
        owner: Name,
        /// Its type.
        rtype: RrType,
    },
    /// What would come out is no zone.
    #[error("the zone would not be one: {0}")]
    Unfit(#[source] PatchError),
}

impl UpdateFault {
    /// What is answered.
    pub fn rcode(&self) -> Rcode {
        match self {
            UpdateFault::Malformed
            | UpdateFault::BadRdata { .. }
            | UpdateFault::Meaningless { .. } => Rcode::FORMERR,
            UpdateFault::NotInZone { .. } => Rcode::NOTZONE,
            UpdateFault::Prerequisite { rcode, .. } => *rcode,
            UpdateFault::SignersType { .. } | UpdateFault::Unfit(_) => Rcode::REFUSED,
        }
    }
}
