//! Everything one HSM slot can be told.

use super::{Room, SlotFailure};
use crate::runtime::{Message, Reply};
use dnssec::key::{KeyId, PublicKey};
use dnssec::{Algorithm, Timestamp};
use hsm::{GenerateRequest, Slot, SlotError};
use std::sync::Arc;

/// Everything one HSM slot can be told.
pub enum SlotMessage {
    /// Query. The open slot; signing then needs no message.
    Lease {
        /// The slot, or why it is not open.
        reply: Reply<Result<Arc<dyn Slot>, SlotFailure>>,
    },
    /// Command. Makes a key under an id that is saved.
    Generate {
        /// What to make.
        request: GenerateRequest,
        /// Its public half, and when it was made.
        reply: Reply<Result<(PublicKey, Timestamp), SlotFailure>>,
    },
    /// Query. The public half of a key.
    PublicKey {
        /// The key.
        id: KeyId,
        /// Its algorithm.
        algorithm: Algorithm,
        /// Its public half; "not found" is never proof of absence.
        reply: Reply<Result<PublicKey, SlotFailure>>,
    },
    /// Event. A leased slot failed while signing.
    Failed {
        /// The slot that was leased: by now there may be another one.
        slot: Arc<dyn Slot>,
        /// How.
        error: SlotError,
    },
    /// Query. How many more keys the token has room for.
    Room {
        /// `None` without a `<Capacity>`.
        reply: Reply<Result<Option<u64>, SlotFailure>>,
    },
    /// Event. An open slot was asked for a signature of no use.
    Probed {
        /// The slot of that opening.
        slot: Arc<dyn Slot>,
        /// Whether it made one.
        result: Result<(), SlotError>,
    },
    /// Event. The keys of an open slot were counted.
    Counted {
        /// The slot of that opening.
        slot: Arc<dyn Slot>,
        /// How full it is.
        room: Room,
    },
    /// Event. It was found out that a key has to be signed with in another way than this slot does.
    MechanismLearnt {
        /// The slot of that opening.
        slot: Arc<dyn Slot>,
    },
    /// Command. The operator has mended something: a slot that is closed is opened now.
    TryAgain,
}

impl Message for SlotMessage {
    type Result = ();
}
