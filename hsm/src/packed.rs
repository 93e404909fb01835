//! Many byte strings in one buffer: messages to sign and the signatures that come back.
//! In: strings one by one. Out: the same strings by position, or the whole as two plain vectors.
//! Never: one allocation per string. Limit: [`Packed::BYTES_MAX`] bytes in all.

use crate::wire::block;
use serde::{Deserialize, Serialize};

/// A list of byte strings: one buffer, and where each string ends in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Packed {
    #[serde(with = "block")]
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

/// What another process sends as a list; not yet known to be one.
#[derive(Deserialize)]
struct Parts {
    #[serde(with = "block")]
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl TryFrom<Parts> for Packed {
    type Error = &'static str;

    fn try_from(parts: Parts) -> Result<Packed, &'static str> {
        Packed::from_parts(parts.bytes, parts.ends).ok_or("no list of strings")
    }
}

impl Packed {
    /// Most bytes that one list takes.
    pub const BYTES_MAX: usize = 256 << 20;

    /// An empty list with room for `strings` strings of `bytes` bytes together.
    pub fn with_capacity(strings: usize, bytes: usize) -> Packed {
        Packed { bytes: Vec::with_capacity(bytes), ends: Vec::with_capacity(strings) }
    }

    /// Appends a string. `false`, and nothing appended, when the list would outgrow its limit.
    #[must_use]
    pub fn push(&mut self, string: &[u8]) -> bool {
        let end = self.bytes.len() + string.len();
        if end > Packed::BYTES_MAX {
            return false;
        }
        self.bytes.extend_from_slice(string);
        // BYTES_MAX is below 2^32.
        self.ends.push(end as u32);
        true
    }

    /// A list out of its two vectors, as [`Packed::parts`] gave them; `None` when the ends do
    /// not rise or do not fit the bytes.
    pub fn from_parts(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Packed> {
        let last = ends.last().map_or(0, |end| *end as usize);
        let fits = last == bytes.len() && last <= Packed::BYTES_MAX && ends.is_sorted();
        fits.then_some(Packed { bytes, ends })
    }

    /// The buffer and the ends.
    pub fn parts(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.ends)
    }

    /// The string at `position`.
    pub fn get(&self, position: usize) -> Option<&[u8]> {
        let end = *self.ends.get(position)? as usize;
        let start = if position == 0 { 0 } else { self.ends[position - 1] as usize };
        self.bytes.get(start..end)
    }

    /// The strings from `start` up to `end` as a list of their own; both are cut to the list.
    pub fn slice(&self, start: usize, end: usize) -> Packed {
        let end = end.min(self.len());
        let mut part = Packed::default();
        for position in start..end {
            // A part is never longer than the whole, so there is room.
            let _ = part.push(self.get(position).unwrap_or_default());
        }
        part
    }

    /// Appends every string of another list. `false`, and nothing appended, when there is no room.
    #[must_use]
    pub fn append(&mut self, other: &Packed) -> bool {
        if self.bytes.len() + other.bytes.len() > Packed::BYTES_MAX {
            return false;
        }
        // BYTES_MAX is below 2^32.
        let base = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| base + end));
        true
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|position| self.get(position).unwrap_or_default())
    }
}

impl<'a> FromIterator<&'a [u8]> for Packed {
    /// Panics when the strings are longer than [`Packed::BYTES_MAX`] together: use
    /// [`Packed::push`] for strings of unknown length.
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(strings: I) -> Packed {
        let mut packed = Packed::default();
        for string in strings {
            assert!(packed.push(string), "more than Packed::BYTES_MAX bytes");
        }
        packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_went_in() {
        let strings: [&[u8]; 4] = [b"one", b"", b"three", b""];
        let packed: Packed = strings.into_iter().collect();
        assert_eq!(packed.iter().collect::<Vec<_>>(), strings);
        assert_eq!(packed.get(4), None);
        let (bytes, ends) = packed.parts();
        assert_eq!(Packed::from_parts(bytes.to_vec(), ends.to_vec()), Some(packed));
    }

    #[test]
    fn ends_that_do_not_fit_are_refused() {
        assert_eq!(Packed::from_parts(b"abc".to_vec(), vec![2]), None);
        assert_eq!(Packed::from_parts(b"abc".to_vec(), vec![2, 1, 3]), None);
        assert_eq!(Packed::from_parts(b"abc".to_vec(), vec![4]), None);
        assert_eq!(Packed::from_parts(b"abc".to_vec(), vec![]), None);
    }

    #[test]
    fn slices_make_the_whole_again() {
        let packed: Packed = [b"one".as_slice(), b"", b"three", b"4"].into_iter().collect();
        let mut whole = packed.slice(0, 1);
        assert!(whole.append(&packed.slice(1, 3)) && whole.append(&packed.slice(3, 9)));
        assert_eq!(whole, packed);
        assert!(packed.slice(4, 4).is_empty());
    }
}
