//! The made zone in memory, for the benches of the engine and of changes. In: text of a zone file.
//! Out: packed records, versions. Never: a file.

use dnssec::Name;
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{Assembly, Limits, LoadError, Packed, Packer, Place};
use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
};

/// The zone's name.
pub(crate) const ORIGIN: &str = "bench.";

/// Delegations in the zone: 1,000 when criterion runs each bench once to see that it works, as
/// `cargo test` does, which leaves out `--bench`.
pub(crate) fn zone_size() -> u64 {
    let has = |word: &str| std::env::args().any(|argument| argument == word);
    if has("--bench") && !has("--test") { 100_000 } else { 1_000 }
}

/// The zone's name.
pub(crate) fn apex() -> Name {
    Name::parse(ORIGIN.as_bytes(), None).expect("it is absolute")
}

/// Packs records.
struct Packing(Packer);

impl Sink for Packing {
    type Error = LoadError;

    fn record(&mut self, record: RecordRef<'_>, at: Position) -> Result<(), Self::Error> {
        let place = Place { source: at.source, line: at.line };
        self.0.add(record.owner, record.rtype, record.ttl, record.rdata, place)
    }

    fn warning(&mut self, _: Warning, _: Position) -> Result<(), Self::Error> {
        Ok(())
    }

    fn include(&mut self, request: IncludeRequest<'_>) -> Result<Included, Self::Error> {
        Ok(Included { source: request.including, bytes: Vec::new() })
    }
}

/// Gives every record of the text to `sink`.
pub(crate) fn read<S: Sink<Error: std::fmt::Debug>>(apex: &Name, text: &[u8], sink: &mut S) {
    let mut reader = Reader::new(State::new(Some(apex.clone()), 0));
    reader.read_block(text, BlockEnd::Final, sink).expect("a made zone has no errors");
}

/// The records, packed in the order of the text.
pub(crate) fn packer(apex: &Name, text: &[u8]) -> Packer {
    let mut packing = Packing(Packer::new(apex, Limits::default()));
    read(apex, text, &mut packing);
    packing.0
}

/// The records, packed and sorted.
pub(crate) fn pack(apex: &Name, text: &[u8]) -> Packed {
    packer(apex, text).finish()
}

/// The version that they make.
pub(crate) fn assemble(apex: &Name, packed: Packed) -> ZoneVersion {
    let assembly = Assembly::new(apex, vec![packed], Limits::default());
    let assembly = assembly.expect("a made zone has no errors");
    let ranges = assembly.ranges(1).into_iter();
    let built = ranges.map(|range| assembly.build(range).expect("nor here")).collect();
    assembly.finish(built).version
}
