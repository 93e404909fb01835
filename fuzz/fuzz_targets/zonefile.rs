//! Zone files from any bytes: records, warnings or an error with its place, never a panic; each
//! record that was read prints as text that reads back as the same record.
#![no_main]

use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
    print_record,
};
use dnssec::{Name, RrType, Ttl};
use libfuzzer_sys::fuzz_target;

/// Records that one run keeps; `$GENERATE` can make many more.
const RECORDS_MAX: usize = 1000;

type Kept = (Vec<u8>, Ttl, RrType, Vec<u8>);

#[derive(Default)]
struct Keep(Vec<Kept>);

/// The sink has enough, or refuses an `$INCLUDE`: a fuzz target opens no files.
struct Stop;

impl Sink for Keep {
    type Error = Stop;

    fn record(&mut self, record: RecordRef<'_>, _at: Position) -> Result<(), Stop> {
        if self.0.len() == RECORDS_MAX {
            return Err(Stop);
        }
        let owner = record.owner.as_wire().to_vec();
        self.0.push((owner, record.ttl, record.rtype, record.rdata.to_vec()));
        Ok(())
    }

    fn warning(&mut self, _warning: Warning, _at: Position) -> Result<(), Stop> {
        Ok(())
    }

    fn include(&mut self, _request: IncludeRequest<'_>) -> Result<Included, Stop> {
        Err(Stop)
    }
}

fn read(text: &[u8]) -> Keep {
    let mut kept = Keep::default();
    let mut reader = Reader::new(State::new(Some(Name::root()), 0));
    let _ = reader.read_block(text, BlockEnd::Final, &mut kept);
    kept
}

fuzz_target!(|data: &[u8]| {
    let first = read(data);
    let mut text = Vec::new();
    for (owner, ttl, rr_type, rdata) in &first.0 {
        print_record(owner, *ttl, *rr_type, rdata, &mut text);
    }
    assert!(read(&text).0 == first.0, "printed records read back differently");
});
