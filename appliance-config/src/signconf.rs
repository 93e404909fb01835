//! Writes signconf.xml: what OpenDNSSEC's enforcer tells its signer about a zone (catalogue 2.4),
//! for those who read such files. In: policy, salt, keys. Out: the bytes of the file, as 2.1 has
//! them. Never: reading it; nothing here goes by it.

use dnssec::Algorithm;
use dnssec::key::{KeyId, REVOKE};
use dnssec::policy::{DenialPolicy, Policy, SerialMode};
use std::fmt::Write;

use crate::duration::format_duration;
use crate::zonelist_edit::escape;

/// A key of the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignconfKey {
    /// DNSKEY flags; with the REVOKE bit, the key is revoked (RFC 5011 §2.1).
    pub flags: u16,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// CKA_ID.
    pub id: KeyId,
    /// Whether it signs the DNSKEY RRset.
    pub signs_keyset: bool,
    /// Whether it signs the rest of the zone.
    pub signs_zone: bool,
    /// Whether its DNSKEY is in the zone.
    pub is_published: bool,
}

/// The file of a zone. `zone`: its name without the final dot. `salt`: of its NSEC3 chain.
pub fn write_signconf(zone: &str, policy: &Policy, salt: &[u8], keys: &[SignconfKey]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text += "<SignerConfiguration>\n";
    // Writing into a string does not fail.
    let _ = writeln!(text, "  <Zone name=\"{}\">", escape(zone));
    if policy.passthrough {
        text += "    <Passthrough/>\n";
    }
    signatures(policy, &mut text);
    denial(policy, salt, &mut text);
    let _ = writeln!(text, "    <Keys>\n      <TTL>{}</TTL>", format_duration(policy.keys.ttl));
    keys.iter().for_each(|key| write_key(key, &mut text));
    let zone = &policy.zone;
    let serial = match zone.serial {
        SerialMode::Counter => "counter",
        SerialMode::DateCounter => "datecounter",
        SerialMode::UnixTime => "unixtime",
        SerialMode::Keep => "keep",
    };
    let _ = write!(
        text,
        "    </Keys>\n    <SOA>\n      <TTL>{}</TTL>\n      <Minimum>{}</Minimum>\n      \
         <Serial>{serial}</Serial>\n    </SOA>\n  </Zone>\n</SignerConfiguration>\n",
        format_duration(zone.soa_ttl),
        format_duration(zone.soa_minimum),
    );
    text
}

fn signatures(policy: &Policy, text: &mut String) {
    let signatures = &policy.signatures;
    let mut element = |indent: &str, name: &str, length| {
        let _ = writeln!(text, "{indent}<{name}>{}</{name}>", format_duration(length));
    };
    // The two that hold others are put in afterwards by their first and last child.
    element("    <Signatures>\n      ", "Resign", signatures.resign);
    element("      ", "Refresh", signatures.refresh);
    element("      <Validity>\n        ", "Default", signatures.validity_default);
    element("        ", "Denial", signatures.validity_denial);
    if let Some(keyset) = signatures.validity_keyset.filter(|length| length.0 != 0) {
        element("        ", "Keyset", keyset);
    }
    element("      </Validity>\n      ", "Jitter", signatures.jitter);
    element("      ", "InceptionOffset", signatures.inception_offset);
    if let Some(ttl) = signatures.max_zone_ttl {
        element("      ", "MaxZoneTTL", ttl);
    }
    text.push_str("    </Signatures>\n");
}

fn denial(policy: &Policy, salt: &[u8], text: &mut String) {
    text.push_str("    <Denial>\n");
    match &policy.denial {
        DenialPolicy::Nsec => text.push_str("      <NSEC/>\n"),
        DenialPolicy::Nsec3(nsec3) => {
            text.push_str("      <NSEC3>\n");
            if nsec3.param_ttl.0 != 0 {
                let ttl = format_duration(nsec3.param_ttl);
                let _ = writeln!(text, "        <TTL>{ttl}</TTL>");
            }
            if nsec3.opt_out {
                text.push_str("        <OptOut/>\n");
            }
            let salt: String = salt.iter().map(|octet| format!("{octet:02x}")).collect();
            let _ = write!(
                text,
                "        <Hash>\n          <Algorithm>{}</Algorithm>\n          \
                 <Iterations>{}</Iterations>\n          <Salt>{salt}</Salt>\n        </Hash>\n\
                 \x20     </NSEC3>\n",
                nsec3.hash_algorithm, nsec3.iterations,
            );
        }
    }
    text.push_str("    </Denial>\n");
}

fn write_key(key: &SignconfKey, text: &mut String) {
    let _ = write!(
        text,
        "      <Key>\n        <Flags>{}</Flags>\n        <Algorithm>{}</Algorithm>\n        \
         <Locator>{}</Locator>\n",
        key.flags,
        key.algorithm.number(),
        key.id,
    );
    let marks = [
        (key.signs_keyset, "KSK"),
        (key.signs_zone, "ZSK"),
        (key.is_published, "Publish"),
        (key.flags & REVOKE != 0, "RFC5011"),
    ];
    for (_, name) in marks.iter().filter(|(is_so, _)| *is_so) {
        let _ = writeln!(text, "        <{name}/>");
    }
    text.push_str("      </Key>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::Seconds;
    use dnssec::policy::Nsec3Policy;

    /// What OpenDNSSEC 2.1.12 wrote for the policy of this test.
    const RECORDED: &str = include_str!("signconf_recorded.xml");

    #[test]
    fn the_file_is_that_of_opendnssec() {
        let mut policy = Policy::anchorite_default("SoftHSM");
        policy.signatures.resign = Seconds(7200);
        policy.signatures.refresh = Seconds(3 * 86_400);
        policy.signatures.validity_default = Seconds(14 * 86_400);
        policy.signatures.validity_denial = Seconds(14 * 86_400);
        policy.signatures.validity_keyset = None;
        policy.signatures.jitter = Seconds(12 * 3600);
        policy.signatures.inception_offset = Seconds(3600);
        policy.signatures.max_zone_ttl = Some(Seconds(86_400));
        policy.denial = DenialPolicy::Nsec3(Nsec3Policy {
            param_ttl: Seconds(0),
            opt_out: true,
            resalt: Seconds(100 * 86_400),
            hash_algorithm: 1,
            iterations: 5,
            salt_length: 8,
        });
        policy.keys.ttl = Seconds(3600);
        policy.zone.soa_ttl = Seconds(3600);
        policy.zone.soa_minimum = Seconds(3600);
        policy.zone.serial = SerialMode::UnixTime;
        let key = |flags, id: &str| SignconfKey {
            flags,
            algorithm: Algorithm::from_number(8).unwrap(),
            id: KeyId::from_hex(id).unwrap(),
            signs_keyset: flags == 257,
            signs_zone: flags == 256,
            is_published: true,
        };
        let keys = [
            key(257, "403c47a417f7ecfc6bb20bbdb9116017"),
            key(256, "de9c1cf0e6f6c31caefbb3c3ac586689"),
        ];
        let salt = [0xeb, 0x95, 0x75, 0x81, 0x13, 0x61, 0xf3, 0x0e];
        assert_eq!(write_signconf("ods1", &policy, &salt, &keys), RECORDED);
    }

    #[test]
    fn nothing_in_a_name_is_markup() {
        let policy = Policy::anchorite_default("r");
        let text = write_signconf("a\"<b>&", &policy, &[], &[]);
        assert!(text.contains("<Zone name=\"a&quot;&lt;b&gt;&amp;\">"), "{text}");
    }
}
