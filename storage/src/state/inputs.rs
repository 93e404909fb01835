//! Inputs that are held: of each zone, the one that an operator was asked about last, with the
//! answer.
//! In: a zone, what was found. Out: the same. An answer is to that very input, by its digest.
//! Never: why an input is held; that is the breaker's. Nor the input itself: a copy lies beside the
//! snapshots.

use super::StateStore;
use super::error::{Failure, StateError};
use super::lives::User;
use super::tables::{INPUTS, zone_key};
use super::values::{decode, encode};
use dnssec::{Name, Serial, Timestamp};
use redb::ReadableTable;
use serde::{Deserialize, Serialize};

/// Octets of a digest.
const DIGEST_LENGTH: usize = 32;
const TABLE: &str = "inputs";

/// An input that is not signed before an operator says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldInput {
    /// SHA-256 of what it holds.
    pub digest: [u8; DIGEST_LENGTH],
    /// Its serial.
    pub serial: Option<Serial>,
    /// When it was held first.
    pub held_at: Timestamp,
    /// Why: a line each.
    pub reasons: Vec<String>,
    /// What the operator said; `None`: nothing yet.
    pub answer: Option<InputAnswer>,
}

/// An operator's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputAnswer {
    /// Which.
    pub choice: InputChoice,
    /// When it was given.
    pub given_at: Timestamp,
    /// Who gave it.
    pub given_by: Option<User>,
}

/// What becomes of a held input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputChoice {
    /// It is signed.
    Accepted,
    /// It is not, and nobody is asked again.
    Rejected,
}

#[derive(Serialize, Deserialize)]
enum InputValue {
    V0(InputV0),
}

#[derive(Serialize, Deserialize)]
struct InputV0 {
    digest: [u8; DIGEST_LENGTH],
    serial: Option<u32>,
    held_at: u64,
    reasons: Vec<String>,
    answer: Option<AnswerV0>,
}

#[derive(Serialize, Deserialize)]
struct AnswerV0 {
    is_accepted: bool,
    given_at: u64,
    given_by: Option<(u32, Option<String>)>,
}

fn encode_input(input: &HeldInput) -> Result<Vec<u8>, Failure> {
    let answer = input.answer.as_ref().map(|answer| AnswerV0 {
        is_accepted: answer.choice == InputChoice::Accepted,
        given_at: answer.given_at.0,
        given_by: answer.given_by.as_ref().map(|user| (user.id, user.name.clone())),
    });
    let value = InputV0 {
        digest: input.digest,
        serial: input.serial.map(|serial| serial.0),
        held_at: input.held_at.0,
        reasons: input.reasons.clone(),
        answer,
    };
    encode(TABLE, &InputValue::V0(value))
}

fn decode_input(bytes: &[u8]) -> Result<HeldInput, Failure> {
    let InputValue::V0(value) = decode(TABLE, bytes)?;
    let choice = |is_accepted| match is_accepted {
        true => InputChoice::Accepted,
        false => InputChoice::Rejected,
    };
    Ok(HeldInput {
        digest: value.digest,
        serial: value.serial.map(Serial),
        held_at: Timestamp(value.held_at),
        reasons: value.reasons,
        answer: value.answer.map(|answer| InputAnswer {
            choice: choice(answer.is_accepted),
            given_at: Timestamp(answer.given_at),
            given_by: answer.given_by.map(|(id, name)| User { id, name }),
        }),
    })
}

impl StateStore {
    /// The input that a zone's operator was asked about last.
    pub fn held_input(&self, zone: &Name) -> Result<Option<HeldInput>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(INPUTS)?;
            let value = table.get(zone_key(zone).as_slice())?;
            value.map(|value| decode_input(value.value())).transpose()
        })
    }

    /// Remembers an input that is held, in the place of the one before; `None`: none is held.
    pub fn hold_input(&self, zone: &Name, input: Option<&HeldInput>) -> Result<(), StateError> {
        let value = input.map(encode_input);
        self.write(|transaction| {
            let mut table = transaction.open_table(INPUTS)?;
            let key = zone_key(zone);
            match value {
                Some(value) => drop(table.insert(key.as_slice(), value?.as_slice())?),
                None => drop(table.remove(key.as_slice())?),
            }
            Ok(())
        })
    }

    /// Takes an answer to the input with this digest. `false`: it is not that one that is held.
    pub fn answer_input(
        &self,
        zone: &Name,
        digest: [u8; DIGEST_LENGTH],
        answer: &InputAnswer,
    ) -> Result<bool, StateError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(INPUTS)?;
            let key = zone_key(zone);
            let held = table.get(key.as_slice())?.map(|value| decode_input(value.value()));
            let Some(held) = held.transpose()?.filter(|held| held.digest == digest) else {
                return Ok(false);
            };
            let value = encode_input(&HeldInput { answer: Some(answer.clone()), ..held })?;
            table.insert(key.as_slice(), value.as_slice())?;
            Ok(true)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use std::path::Path;

    fn zone() -> Name {
        Name::parse(b"Example.com.", None).unwrap()
    }

    fn held(octet: u8) -> HeldInput {
        HeldInput {
            digest: [octet; DIGEST_LENGTH],
            serial: Some(Serial(7)),
            held_at: Timestamp(5),
            reasons: vec!["B106 lost 600 of 900".to_owned()],
            answer: None,
        }
    }

    #[test]
    fn an_answer_is_to_one_input_and_survives() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let store = open();
        let given_by = Some(User { id: 7, name: Some("ann".to_owned()) });
        let accepted =
            InputAnswer { choice: InputChoice::Accepted, given_at: Timestamp(9), given_by };
        assert!(!store.answer_input(&zone(), [1; 32], &accepted).unwrap());
        store.hold_input(&zone(), Some(&held(1))).unwrap();
        assert!(!store.answer_input(&zone(), [2; 32], &accepted).unwrap());
        assert_eq!(store.held_input(&zone()).unwrap(), Some(held(1)));
        assert!(store.answer_input(&zone(), [1; 32], &accepted).unwrap());
        drop(store);
        let store = open();
        let answered = HeldInput { answer: Some(accepted), ..held(1) };
        assert_eq!(store.held_input(&zone()).unwrap(), Some(answered));
        // Another input: nobody has answered yet.
        store.hold_input(&zone(), Some(&held(2))).unwrap();
        assert_eq!(store.held_input(&zone()).unwrap(), Some(held(2)));
        store.hold_input(&zone(), None).unwrap();
        assert_eq!(store.held_input(&zone()).unwrap(), None);
    }

    #[test]
    fn a_damaged_value_is_an_error() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let damaged = store.write(|transaction| {
            let mut table = transaction.open_table(INPUTS)?;
            table.insert(zone_key(&zone()).as_slice(), [9, 9].as_slice())?;
            Ok(())
        });
        damaged.unwrap();
        assert!(store.held_input(&zone()).is_err());
    }
}
