//! What a policy allows an input to change by before an operator is asked (`<InputLimits>`).
//! In: nothing. Out: values with their defaults. `None` switches a limit off.

use crate::Seconds;

/// Longest `<EndMarker>`, in octets.
pub const END_MARKER_LENGTH_MAX: usize = 1024;

/// How large a change of the input may be. Of each percentage and the number beside it, both have
/// to be exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// `<Shrink>`: so many of a hundred records may go.
    pub shrink_percent: Option<u32>,
    /// `<Growth>`: so many records may come for each hundred.
    pub growth_percent: Option<u32>,
    /// `<TypeShrink>`: the same for the records of each type.
    pub type_shrink_percent: Option<u32>,
    /// `<TypeGrowth>`: the same for the records of each type.
    pub type_growth_percent: Option<u32>,
    /// `<SmallChange>`: a loss of so many records is never too large.
    pub small_change: u64,
    /// `<SmallGrowth>`: a growth by so many records is never too large.
    pub small_growth: u64,
    /// `<DelegationsLost>`: so many of a hundred delegations may go.
    pub delegations_percent: Option<u32>,
    /// `<SmallLoss>`: so many delegations may always go.
    pub small_loss: u64,
    /// `<ApexServers>`: whether one name server of the zone has to stay.
    pub keeps_apex_server: bool,
    /// `<DoubledOrigin>`: so many names more may end in the origin twice.
    pub doubled_origin: Option<u64>,
    /// `<MissingGlue>`: so many name servers more may lie below their own delegation and have no
    /// address.
    pub missing_glue: Option<u64>,
    /// `<MaxTTL>`: no TTL is longer.
    pub ttl_max: Option<Seconds>,
    /// `<SerialBackwards>`: whether a serial that is not newer than the last one is held.
    pub holds_old_serial: bool,
    /// `<FinalNewline>`: whether the last line of the file has to be ended.
    pub needs_newline: bool,
    /// `<EndMarker>`: what the last line of the file has to be, a comment.
    pub end_marker: Option<String>,
    /// `<ZoneDigest>`: whether a ZONEMD of the input is verified (RFC 8976 §4).
    pub verifies_digest: bool,
}

impl InputLimits {
    /// No limit at all: for somebody who names the file and looks at what becomes of it.
    #[must_use]
    pub fn none() -> InputLimits {
        InputLimits {
            shrink_percent: None,
            growth_percent: None,
            type_shrink_percent: None,
            type_growth_percent: None,
            small_change: 0,
            small_growth: 0,
            delegations_percent: None,
            small_loss: 0,
            keeps_apex_server: false,
            doubled_origin: None,
            missing_glue: None,
            ttl_max: None,
            holds_old_serial: false,
            needs_newline: false,
            end_marker: None,
            verifies_digest: false,
        }
    }
}

impl Default for InputLimits {
    /// A day's work at a registry fits into it several times; what cut off the inputs of .de in
    /// 2010 and doubled the names of .se in 2009 does not. A small zone may become several times
    /// as large at once: it is filled for the first time, or a few hosts get records of a new type.
    fn default() -> InputLimits {
        InputLimits {
            shrink_percent: Some(20),
            growth_percent: Some(100),
            type_shrink_percent: Some(30),
            type_growth_percent: Some(200),
            small_change: 50,
            small_growth: 5_000,
            delegations_percent: Some(10),
            small_loss: 10,
            keeps_apex_server: true,
            doubled_origin: Some(3),
            missing_glue: Some(10),
            ttl_max: Some(Seconds(7 * 86_400)),
            holds_old_serial: true,
            needs_newline: true,
            end_marker: None,
            verifies_digest: true,
        }
    }
}
