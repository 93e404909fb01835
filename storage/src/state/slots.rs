//! Tokens in the state store: what is remembered of the token of each repository, so that another
//! one in its place is noticed (rules HSM-2, HSM-3, HSM-8). Key: the repository's name in conf.xml;
//! members of a group are repositories. Value: `TokenValue` of `FORMAT.md`.
//! The canary is made in three steps, like a key: its id is saved, the token makes it, that it is
//! there is saved. A table that came later than the file is made with its first value.

use super::StateStore;
use super::error::{Failure, StateError, ValueProblem};
use super::values::{decode, encode};
use dnssec::key::KeyId;
use dnssec::{Algorithm, Timestamp};
use redb::{TableDefinition, TableError};
use serde::{Deserialize, Serialize};

const TOKENS: TableDefinition<&str, &[u8]> = TableDefinition::new("tokens");
const NAME: &str = "tokens";

/// What is remembered of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial: String,
    /// Version of its firmware, when the mechanisms were chosen.
    pub firmware: String,
    /// The object that proves that the token shows what it holds.
    pub canary: Canary,
    /// Which mechanism signs for which algorithm (numbers of PKCS#11), as found out by trying.
    pub mechanisms: Vec<(Algorithm, u64)>,
    /// Most sessions at once that it was seen to allow.
    pub sessions_max: Option<u64>,
    /// When it was used for the first time.
    pub first_seen: Timestamp,
}

/// How far the canary is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Canary {
    /// It may be in the token, or not.
    Intent(KeyId),
    /// It is in the token.
    Present(KeyId),
    /// The token takes none.
    Refused,
}

#[derive(Serialize, Deserialize)]
enum TokenValue {
    V0(TokenV0),
}

#[derive(Serialize, Deserialize)]
struct TokenV0 {
    label: String,
    serial: String,
    firmware: String,
    canary: CanaryV0,
    mechanisms: Vec<(u8, u64)>,
    sessions_max: Option<u64>,
    first_seen: u64,
}

#[derive(Serialize, Deserialize)]
enum CanaryV0 {
    Intent(Vec<u8>),
    Present(Vec<u8>),
    Refused,
}

impl StateStore {
    /// What is remembered of a repository's token; `None` for one never seen.
    pub fn token(&self, repository: &str) -> Result<Option<TokenRecord>, StateError> {
        self.read(|transaction| {
            let table = match transaction.open_table(TOKENS) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let value = table.get(repository)?;
            value.map(|value| decode_token(value.value())).transpose()
        })
    }

    /// Remembers a repository's token in place of what was remembered.
    pub fn token_put(&self, repository: &str, token: &TokenRecord) -> Result<(), StateError> {
        let value = encode_token(token);
        self.write(|transaction| {
            transaction.open_table(TOKENS)?.insert(repository, value?.as_slice())?;
            Ok(())
        })
    }
}

fn encode_token(token: &TokenRecord) -> Result<Vec<u8>, Failure> {
    let value = TokenV0 {
        label: token.label.clone(),
        serial: token.serial.clone(),
        firmware: token.firmware.clone(),
        canary: match &token.canary {
            Canary::Intent(id) => CanaryV0::Intent(id.as_bytes().to_vec()),
            Canary::Present(id) => CanaryV0::Present(id.as_bytes().to_vec()),
            Canary::Refused => CanaryV0::Refused,
        },
        mechanisms: token.mechanisms.iter().map(|(of, number)| (of.number(), *number)).collect(),
        sessions_max: token.sessions_max,
        first_seen: token.first_seen.0,
    };
    encode(NAME, &TokenValue::V0(value))
}

fn decode_token(bytes: &[u8]) -> Result<TokenRecord, Failure> {
    let malformed = || Failure::Value { table: NAME, problem: ValueProblem::Malformed };
    let id = |bytes: &[u8]| KeyId::new(bytes).ok_or_else(malformed);
    let TokenValue::V0(value) = decode(NAME, bytes)?;
    let mechanism =
        |(of, number)| Algorithm::from_number(of).map(|of| (of, number)).ok_or_else(malformed);
    Ok(TokenRecord {
        label: value.label,
        serial: value.serial,
        firmware: value.firmware,
        canary: match value.canary {
            CanaryV0::Intent(bytes) => Canary::Intent(id(&bytes)?),
            CanaryV0::Present(bytes) => Canary::Present(id(&bytes)?),
            CanaryV0::Refused => Canary::Refused,
        },
        mechanisms: value.mechanisms.into_iter().map(mechanism).collect::<Result<_, _>>()?,
        sessions_max: value.sessions_max,
        first_seen: Timestamp(value.first_seen),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use std::path::Path;

    fn token(canary: Canary) -> TokenRecord {
        TokenRecord {
            label: "ods".to_owned(),
            serial: "1f".to_owned(),
            firmware: "2.6".to_owned(),
            canary,
            mechanisms: vec![(Algorithm::EcdsaP256Sha256, 0x1041)],
            sessions_max: Some(16),
            first_seen: Timestamp(7),
        }
    }

    /// The example of FORMAT.md.
    const EXAMPLE: &[u8] = b"\x00\x03ods\x021f\x032.6\x01\x02\xca\xfe\x01\x0d\xc1\x20\x01\x10\x07";

    #[test]
    fn the_example_of_the_format() {
        let id = KeyId::new(&[0xca, 0xfe]).unwrap();
        let bytes = encode_token(&token(Canary::Present(id))).ok().unwrap();
        assert_eq!(bytes, EXAMPLE);
        let text: String = EXAMPLE.iter().map(|byte| format!("{byte:02x} ")).collect();
        let format = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/FORMAT.md"));
        let format = format.unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(format.contains(text.trim_end()), "{text}");
    }

    #[test]
    fn a_token_is_remembered_until_another_takes_its_place() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("memory"), Timestamp(1)).unwrap();
        let store = open();
        assert_eq!(store.token("SoftHSM").unwrap(), None);
        let id = KeyId::new(&[1; 16]).unwrap();
        for canary in [Canary::Intent(id.clone()), Canary::Present(id), Canary::Refused] {
            let record = token(canary);
            store.token_put("SoftHSM", &record).unwrap();
            assert_eq!(store.token("SoftHSM").unwrap(), Some(record));
            assert_eq!(store.token("softhsm").unwrap(), None);
        }
        drop(store);
        assert_eq!(open().token("SoftHSM").unwrap(), Some(token(Canary::Refused)));
    }

    #[test]
    fn no_bytes_panic() {
        for length in 0..EXAMPLE.len() {
            assert!(decode_token(&EXAMPLE[..length]).is_err(), "{length}");
        }
        for position in 0..EXAMPLE.len() {
            let mut bytes = EXAMPLE.to_vec();
            bytes[position] = 0xff;
            // What matters is that it comes back.
            let _ = decode_token(&bytes);
        }
    }
}
