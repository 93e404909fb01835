//! The auditor's reader of zone files on any octets: nothing panics, an error is somewhere in the
//! text, records are records, and a text in two sections says what it says in one. Used by the fuzz
//! target and, over mutated good texts, by the auditor's tests.

use audit::presentation::{Carried, read_rdata, read_section, read_text, read_time};
use audit::{name_text, observe};

/// Octets before the text: where it is cut in two, as a fraction of it.
pub(crate) const HEAD_OCTETS: usize = 2;

/// The origin of these texts.
const ORIGIN: &[u8] = b"\x07example\0";

/// Reads what the octets say, in several ways.
pub(crate) fn read(data: &[u8]) {
    let Some((&cut, text)) = data.split_first_chunk::<HEAD_OCTETS>() else { return };
    let origin = || Some(ORIGIN.to_vec());
    let whole = match read_text(text, origin()) {
        Ok(whole) => whole,
        Err(error) => {
            let (line, column) = error.line_and_column(text);
            assert!(line >= 1 && column >= 1, "{error:?}");
            assert!(line <= text.len() + 1 && column <= text.len() + 1, "{error:?}");
            return;
        }
    };
    let observed = observe(&[&whole.records], Some(ORIGIN));
    drop(observed.apex.as_deref().map(name_text));
    let at = usize::from(u16::from_be_bytes(cut)) * text.len() / 0xffff;
    in_two(text, at, (&whole.records, whole.record_count));
    if let Ok(text) = std::str::from_utf8(text) {
        drop(read_rdata("A", text));
        drop(read_rdata("SVCB", text));
        let _ = read_time(text.as_bytes());
    }
}

/// A text that can be read in one piece can be read in two, the second with what the first hands
/// on.
fn in_two(text: &[u8], at: usize, (records, count): (&[u8], usize)) {
    let Ok(first) = read_section(&text[..at], &Carried::new(Some(ORIGIN.to_vec())), false) else {
        // Cut in the middle of an entry, which only its rest makes good.
        return;
    };
    assert!(first.consumed <= at);
    let rest = read_section(&text[first.consumed..], &first.carried, true);
    let rest = rest.unwrap_or_else(|error| panic!("the rest of a good text: {error:?}"));
    assert_eq!(first.record_count + rest.record_count, count);
    assert_eq!([first.records, rest.records].concat(), records);
}
