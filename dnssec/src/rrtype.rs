//! Record types as numbers, and what DNSSEC needs to know of them.
//! The mnemonics of all types live in `rdata`; here are those that the signer treats apart.

/// A record type (RFC 1035 §3.2.2 and IANA's registry), by number; any number is legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RrType(pub u16);

/// The only class a zone may have: IN.
pub const CLASS_IN: u16 = 1;

impl RrType {
    /// IPv4 address.
    pub const A: RrType = RrType(1);
    /// Name server.
    pub const NS: RrType = RrType(2);
    /// Alias.
    pub const CNAME: RrType = RrType(5);
    /// Start of authority.
    pub const SOA: RrType = RrType(6);
    /// Pointer.
    pub const PTR: RrType = RrType(12);
    /// Mail exchange.
    pub const MX: RrType = RrType(15);
    /// Text.
    pub const TXT: RrType = RrType(16);
    /// IPv6 address.
    pub const AAAA: RrType = RrType(28);
    /// Server of a service (RFC 2782).
    pub const SRV: RrType = RrType(33);
    /// Subtree alias (RFC 6672).
    pub const DNAME: RrType = RrType(39);
    /// Delegation signer (RFC 4034 §5).
    pub const DS: RrType = RrType(43);
    /// Signature (RFC 4034 §3).
    pub const RRSIG: RrType = RrType(46);
    /// Next name (RFC 4034 §4).
    pub const NSEC: RrType = RrType(47);
    /// Zone key (RFC 4034 §2).
    pub const DNSKEY: RrType = RrType(48);
    /// Next hashed name (RFC 5155 §3).
    pub const NSEC3: RrType = RrType(50);
    /// Parameters of the hash chain (RFC 5155 §4).
    pub const NSEC3PARAM: RrType = RrType(51);
    /// Child's DS (RFC 7344).
    pub const CDS: RrType = RrType(59);
    /// Child's DNSKEY (RFC 7344).
    pub const CDNSKEY: RrType = RrType(60);
    /// Digest of the zone (RFC 8976).
    pub const ZONEMD: RrType = RrType(63);
}
