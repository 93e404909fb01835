//! Which zone a file is of, and which version: the first SOA record.
//! In: the bytes of a zone file, a guess at its origin. Out: a name, a serial. Never: included
//! files.

use super::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
};
use crate::zone::soa_serial;
use crate::{Name, RrType, Serial};

/// Owner of the first SOA record, relative names read under `guess`; `None` when there is none
/// before the first error or `$INCLUDE`.
pub fn first_soa_owner(bytes: &[u8], guess: Option<&Name>) -> Option<Name> {
    first_soa(bytes, guess).map(|(owner, _)| owner)
}

/// The serial of the version of `zone` that a file of absolute names holds; `None` when it holds
/// something else.
pub fn serial_of_file(bytes: &[u8], zone: &Name) -> Option<Serial> {
    let (owner, serial) = first_soa(bytes, None)?;
    (owner.to_lowercase() == zone.to_lowercase()).then_some(serial)
}

fn first_soa(bytes: &[u8], guess: Option<&Name>) -> Option<(Name, Serial)> {
    let mut finder = Finder { found: None };
    // Finding the record ends the reading with an "error"; a real one is told when the zone is
    // read in earnest.
    let _ =
        Reader::new(State::new(guess.cloned(), 0)).read_block(bytes, BlockEnd::Final, &mut finder);
    finder.found
}

struct Finder {
    found: Option<(Name, Serial)>,
}

impl Sink for Finder {
    type Error = ();

    fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), ()> {
        if record.rtype != RrType::SOA {
            return Ok(());
        }
        self.found = soa_serial(record.rdata).map(|serial| (record.owner.clone(), serial));
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

    #[test]
    fn the_serial_is_that_of_the_zone_asked_for() {
        let zone = Name::parse(b"Zone.example.", None).unwrap();
        let serial = |text: &str| serial_of_file(text.as_bytes(), &zone);
        let soa = "zone.EXAMPLE. 1 IN SOA ns. host. 17 2 3 4 5\n";
        assert_eq!(serial(soa), Some(Serial(17)));
        assert_eq!(serial(&format!("{soa}nonsense\n")), Some(Serial(17)));
        assert_eq!(serial("other.example. 1 IN SOA ns. host. 17 2 3 4 5\n"), None);
        assert_eq!(serial("@ 1 IN SOA ns. host. 17 2 3 4 5\n"), None);
        assert_eq!(serial("<html>"), None);
        assert_eq!(serial(""), None);
    }
}
