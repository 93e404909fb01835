//! Units as types: a bare number never says whether it counts seconds, keys or versions.
//! In: numbers from the wire, from files, from the caller's clock. Out: the same, typed.
//! Never: reads a clock.

use std::cmp::Ordering;
use std::fmt;

/// Time to live of a record, in seconds; at most 2^31-1 (RFC 2181 §8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(pub u32);

impl Ttl {
    /// The largest TTL there is (RFC 2181 §8).
    pub const MAX: Ttl = Ttl(0x7FFF_FFFF);
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A length of time, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u64);

impl Seconds {
    /// The same length as a TTL, capped at [`Ttl::MAX`].
    pub fn as_ttl(self) -> Ttl {
        Ttl(self.0.min(u64::from(Ttl::MAX.0)) as u32)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment as it stands in an RRSIG: modulo 2^32 (RFC 4034 §3.1.5).
    pub fn to_wire(self) -> u32 {
        self.0 as u32
    }

    /// The moment that the RRSIG field `wire` means, read as within 68 years of `near`
    /// (RFC 4034 §3.1.5, RFC 1982).
    pub fn from_wire(wire: u32, near: Timestamp) -> Timestamp {
        let distance = wire.wrapping_sub(near.to_wire()) as i32;
        Timestamp(near.0.saturating_add_signed(i64::from(distance)))
    }

    /// `self + length`, saturating.
    pub fn plus(self, length: Seconds) -> Timestamp {
        Timestamp(self.0.saturating_add(length.0))
    }

    /// `self - length`, not before 1970.
    pub fn minus(self, length: Seconds) -> Timestamp {
        Timestamp(self.0.saturating_sub(length.0))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0))
    }
}

/// A zone's serial; compared in sequence space (RFC 1982 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Serial(pub u32);

impl Serial {
    /// The serial `step` versions later; `step` is at most 2^31-1 (RFC 1982 §3.1).
    pub fn plus(self, step: u32) -> Serial {
        debug_assert!(step <= 0x7FFF_FFFF);
        Serial(self.0.wrapping_add(step))
    }

    /// Whether `self` is a later version than `other`. Two serials 2^31 apart are neither.
    pub fn is_after(self, other: Serial) -> bool {
        self.partial_cmp(&other) == Some(Ordering::Greater)
    }
}

impl PartialOrd for Serial {
    fn partial_cmp(&self, other: &Serial) -> Option<Ordering> {
        match self.0.wrapping_sub(other.0) {
            0 => Some(Ordering::Equal),
            1..=0x7FFF_FFFF => Some(Ordering::Greater),
            0x8000_0000 => None,
            _ => Some(Ordering::Less),
        }
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Key tag of a DNSKEY (RFC 4034 appendix B): a hint, not an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyTag(pub u16);

impl fmt::Display for KeyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_compare_in_sequence_space_rfc1982() {
        assert!(Serial(1).is_after(Serial(0)));
        assert!(Serial(0).is_after(Serial(u32::MAX)));
        assert!(!Serial(5).is_after(Serial(5)));
        assert_eq!(Serial(0).partial_cmp(&Serial(0x8000_0000)), None);
        assert_eq!(Serial(u32::MAX).plus(1), Serial(0));
    }

    #[test]
    fn rrsig_times_wrap_in_2106_rfc4034_3_1_5() {
        let near = Timestamp((1 << 32) - 10);
        assert_eq!(Timestamp::from_wire(5, near), Timestamp((1 << 32) + 5));
        assert_eq!(Timestamp::from_wire(u32::MAX, near), Timestamp((1 << 32) - 1));
    }
}
