//! What parents acknowledged (RFC 9859): of each zone, a digest of the CDS and CDNSKEY that its
//! parent was last told of. In: a zone, a digest. Out: the same.
//! Never: what is published; that is in the snapshots.

use super::StateStore;
use super::error::{Failure, StateError, ValueProblem};
use super::tables::{ANNOUNCED, zone_key};
use dnssec::Name;

/// Octets of a digest.
const DIGEST_LENGTH: usize = 32;

impl StateStore {
    /// What the zone's parent acknowledged last; `None`: nothing, or nothing that still counts.
    pub fn announced(&self, zone: &Name) -> Result<Option<[u8; DIGEST_LENGTH]>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(ANNOUNCED)?;
            let value = table.get(zone_key(zone).as_slice())?;
            let malformed =
                |_| Failure::Value { table: "announced", problem: ValueProblem::Malformed };
            value.map(|value| value.value().try_into().map_err(malformed)).transpose()
        })
    }

    /// Remembers what the zone's parent acknowledged.
    pub fn announced_put(
        &self,
        zone: &Name,
        digest: Option<[u8; DIGEST_LENGTH]>,
    ) -> Result<(), StateError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(ANNOUNCED)?;
            let key = zone_key(zone);
            match digest {
                Some(digest) => drop(table.insert(key.as_slice(), digest.as_slice())?),
                None => drop(table.remove(key.as_slice())?),
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use crate::state::tables::{LIVES, are_complete};
    use dnssec::Timestamp;
    use std::path::Path;

    fn zone() -> Name {
        Name::parse(b"Example.com.", None).unwrap()
    }

    #[test]
    fn what_was_acknowledged_stays_until_it_is_replaced() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let store = open();
        assert_eq!(store.announced(&zone()).unwrap(), None);
        store.announced_put(&zone(), Some([7; 32])).unwrap();
        drop(store);
        let store = open();
        let lower = Name::parse(b"example.com.", None).unwrap();
        assert_eq!(store.announced(&lower).unwrap(), Some([7; 32]));
        store.announced_put(&zone(), None).unwrap();
        assert_eq!(store.announced(&zone()).unwrap(), None);
    }

    /// Files that were made before this table was.
    #[test]
    fn an_older_file_gets_the_table_when_it_is_opened() {
        let disk = FaultDisk::default();
        let open = || StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let store = open();
        let dropped = store.write(|transaction| Ok(transaction.delete_table(ANNOUNCED)?));
        assert!(dropped.unwrap());
        let is_complete = store.read(|transaction| {
            transaction.open_table(LIVES)?;
            are_complete(transaction)
        });
        assert!(!is_complete.unwrap());
        drop(store);
        assert_eq!(open().announced(&zone()).unwrap(), None);
    }

    #[test]
    fn a_damaged_value_is_an_error() {
        let disk = FaultDisk::default();
        let store = StateStore::open_on(&disk, Path::new("state"), Timestamp(1)).unwrap();
        let damaged = store.write(|transaction| {
            let mut table = transaction.open_table(ANNOUNCED)?;
            table.insert(zone_key(&zone()).as_slice(), [1, 2].as_slice())?;
            Ok(())
        });
        damaged.unwrap();
        assert!(store.announced(&zone()).is_err());
    }
}
