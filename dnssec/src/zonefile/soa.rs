//! Which zone a file is of: the owner of its first SOA record.
//! In: the bytes of a zone file, a guess at its origin. Out: a name. Never: included files.

use super::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
};
use crate::{Name, RrType};

/// Owner of the first SOA record, relative names read under `guess`; `None` when there is none
/// before the first error or `$INCLUDE`.
pub fn first_soa_owner(bytes: &[u8], guess: Option<&Name>) -> Option<Name> {
    let mut finder = Finder { owner: None };
    // Finding the record ends the reading with an "error"; a real one is told when the zone is
    // read in earnest.
    let _ =
        Reader::new(State::new(guess.cloned(), 0)).read_block(bytes, BlockEnd::Final, &mut finder);
    finder.owner
}

struct Finder {
    owner: Option<Name>,
}

impl Sink for Finder {
    type Error = ();

    fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), ()> {
        if record.rtype != RrType::SOA {
            return Ok(());
        }
        self.owner = Some(record.owner.clone());
        Err(())
    }

    fn warning(&mut self, _: Warning, _: Position) -> Result<(), ()> {
        Ok(())
    }

    fn include(&mut self, _: IncludeRequest<'_>) -> Result<Included, ()> {
        Err(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soa_tells_the_zone() {
        let guess = Name::parse(b"guess.", None).unwrap();
        let owner = |text: &str| {
            first_soa_owner(text.as_bytes(), Some(&guess)).map(|name| name.to_string())
        };
        let rdata = "SOA ns. host. 1 2 3 4 5\n";
        assert_eq!(owner(&format!("@ 1 IN {rdata}")).as_deref(), Some("guess."));
        let text = format!("$ORIGIN real.example.\na 1 A 192.0.2.1\n@ 1 IN {rdata}");
        assert_eq!(owner(&text).as_deref(), Some("real.example."));
        assert_eq!(owner("a 1 A 192.0.2.1\n"), None);
        assert_eq!(owner("a 1 A nonsense\n"), None);
    }
}
