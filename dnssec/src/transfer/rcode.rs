//! Response codes: RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §6.1.3, RFC 8945 §3.
//! In: numbers of the wire. Out: the same, with the names that operators know.
//! Never: what to do about one.

use std::fmt;

/// A response code, extended ones and those of TSIG among them; any number is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// No error.
    pub const NOERROR: Rcode = Rcode(0);
    /// The message cannot be understood.
    pub const FORMERR: Rcode = Rcode(1);
    /// The server has no usable zone.
    pub const SERVFAIL: Rcode = Rcode(2);
    /// No such name.
    pub const NXDOMAIN: Rcode = Rcode(3);
    /// Not implemented.
    pub const NOTIMP: Rcode = Rcode(4);
    /// Not for this peer.
    pub const REFUSED: Rcode = Rcode(5);
    /// A name exists that should not (RFC 2136).
    pub const YXDOMAIN: Rcode = Rcode(6);
    /// An RRset exists that should not (RFC 2136).
    pub const YXRRSET: Rcode = Rcode(7);
    /// An RRset that should exist does not (RFC 2136).
    pub const NXRRSET: Rcode = Rcode(8);
    /// Not authoritative (RFC 2136), or not authenticated (RFC 8945).
    pub const NOTAUTH: Rcode = Rcode(9);
    /// A name is not within the zone (RFC 2136).
    pub const NOTZONE: Rcode = Rcode(10);
    /// EDNS version not supported (RFC 6891); the same number as [`Rcode::BADSIG`].
    pub const BADVERS: Rcode = Rcode(16);
    /// The MAC is wrong (RFC 8945; only in a TSIG).
    pub const BADSIG: Rcode = Rcode(16);
    /// The key is not known (RFC 8945; only in a TSIG).
    pub const BADKEY: Rcode = Rcode(17);
    /// The time signed is too far away (RFC 8945; only in a TSIG).
    pub const BADTIME: Rcode = Rcode(18);
    /// The MAC is cut shorter than is accepted (RFC 8945; only in a TSIG).
    pub const BADTRUNC: Rcode = Rcode(22);

    /// The name of a code in the error field of a TSIG, where 16 means another thing.
    pub fn tsig_name(self) -> String {
        match self {
            Rcode::BADSIG => "BADSIG".to_string(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            16 => "BADVERS",
            17 => "BADKEY",
            18 => "BADTIME",
            22 => "BADTRUNC",
            number => return write!(f, "RCODE{number}"),
        };
        f.write_str(name)
    }
}
