//! Policies as a kasp.xml, in the form that OpenDNSSEC 2.1's `policy export` has: two blanks per
//! level, durations in the normal form, nothing left to defaults but what is not there.
//! In: policies. Out: text that [`read_kasp`](crate::read_kasp) reads back as the same policies.
//! Other than there: `<RegistrationDelay>` is where the schema has it, and `<Passthrough/>`,
//! `<RFC5011/>` and marks in descriptions are not lost.

use dnssec::Seconds;
use dnssec::breaker::InputLimits;
use dnssec::first_keys::wanted_bits;
use dnssec::key::KeyRole;
use dnssec::parent::{NotifyPolicy, ParentalAgents};
use dnssec::policy::{AuditMode, DenialPolicy, KeyPolicy, Policy, RollType, SerialMode};

use crate::duration::format_duration;
use crate::input_limits::NONE;
use crate::zonelist_edit::escape;
use std::net::SocketAddr;

/// What 2.x assumes without `<MaxZoneTTL>`, and exports.
const MAX_ZONE_TTL_DEFAULT: Seconds = Seconds(86_400);

/// The file.
pub fn write_kasp<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> String {
    let mut writer = Writer::default();
    policies.into_iter().for_each(|policy| writer.policy(policy));
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    match writer.text.is_empty() {
        true => format!("{head}<KASP/>\n"),
        false => format!("{head}<KASP>\n{}</KASP>\n", writer.text),
    }
}

/// Writes elements, each on lines of its own.
#[derive(Default)]
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        // The root is around everything.
        self.text.push_str(&"  ".repeat(self.depth + 1));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn within(&mut self, tag: &str, name: &str, content: impl FnOnce(&mut Writer)) {
        self.line(&format!("<{tag}>"));
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn element(&mut self, name: &str, content: impl FnOnce(&mut Writer)) {
        self.within(name, name, content);
    }

    fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        self.line(&format!("<{name}>{value}</{name}>"));
    }

    fn duration(&mut self, name: &str, length: Seconds) {
        self.value(name, format_duration(length));
    }

    fn flag(&mut self, name: &str, is_set: bool) {
        if is_set {
            self.line(&format!("<{name}/>"));
        }
    }

    fn policy(&mut self, policy: &Policy) {
        self.within(&format!("Policy name=\"{}\"", escape(&policy.name)), "Policy", |writer| {
            writer.flag("Passthrough", policy.passthrough);
            match policy.description.as_str() {
                "" => writer.flag("Description", true),
                description => writer.value("Description", escape(description)),
            }
            writer.signatures(policy);
            writer.element("Denial", |writer| writer.denial(&policy.denial));
            writer.keys(policy);
            writer.zone(policy);
            writer.parent(policy);
            if policy.audit == AuditMode::Partial {
                writer.element("Audit", |writer| writer.flag("Partial", true));
            }
            if policy.input != InputLimits::default() {
                writer.element("InputLimits", |writer| writer.input_limits(&policy.input));
            }
        });
    }

    fn signatures(&mut self, policy: &Policy) {
        let signatures = &policy.signatures;
        self.element("Signatures", |writer| {
            writer.duration("Resign", signatures.resign);
            writer.duration("Refresh", signatures.refresh);
            writer.element("Validity", |writer| {
                writer.duration("Default", signatures.validity_default);
                writer.duration("Denial", signatures.validity_denial);
                if let Some(keyset) = signatures.validity_keyset.filter(|length| length.0 != 0) {
                    writer.duration("Keyset", keyset);
                }
            });
            writer.duration("Jitter", signatures.jitter);
            writer.duration("InceptionOffset", signatures.inception_offset);
            writer.duration("MaxZoneTTL", signatures.max_zone_ttl.unwrap_or(MAX_ZONE_TTL_DEFAULT));
        });
    }

    fn denial(&mut self, denial: &DenialPolicy) {
        let DenialPolicy::Nsec3(nsec3) = denial else { return self.flag("NSEC", true) };
        self.element("NSEC3", |writer| {
            if nsec3.param_ttl.0 != 0 {
                writer.duration("TTL", nsec3.param_ttl);
            }
            writer.flag("OptOut", nsec3.opt_out);
            writer.duration("Resalt", nsec3.resalt);
            writer.element("Hash", |writer| {
                writer.value("Algorithm", nsec3.hash_algorithm);
                writer.value("Iterations", nsec3.iterations);
                writer.line(&format!("<Salt length=\"{}\"/>", nsec3.salt_length));
            });
        });
    }

    fn keys(&mut self, policy: &Policy) {
        let keys = &policy.keys;
        self.element("Keys", |writer| {
            writer.duration("TTL", keys.ttl);
            writer.duration("RetireSafety", keys.retire_safety);
            writer.duration("PublishSafety", keys.publish_safety);
            writer.flag("ShareKeys", keys.share_keys);
            if let Some(purge) = keys.purge {
                writer.duration("Purge", purge);
            }
            // The schema has them in the order of their roles.
            for role in [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk] {
                let keys = keys.keys.iter().filter(|key| key.role == role);
                keys.for_each(|key| writer.key(key));
            }
        });
    }

    fn key(&mut self, key: &KeyPolicy) {
        let (name, roll) = match key.role {
            KeyRole::Ksk => ("KSK", "KskRollType"),
            KeyRole::Zsk => ("ZSK", "ZskRollType"),
            KeyRole::Csk => ("CSK", "CskRollType"),
        };
        self.element(name, |writer| {
            writer.line(&format!(
                "<Algorithm length=\"{}\">{}</Algorithm>",
                wanted_bits(key),
                key.algorithm.number()
            ));
            writer.duration("Lifetime", key.lifetime);
            writer.value("Repository", escape(&key.repository));
            writer.value("Standby", key.standby);
            writer.flag("ManualRollover", key.manual_rollover);
            writer.value(roll, roll_type(key.roll_type));
            writer.flag("RFC5011", key.rfc5011);
        });
    }

    fn zone(&mut self, policy: &Policy) {
        let zone = &policy.zone;
        self.element("Zone", |writer| {
            writer.duration("PropagationDelay", zone.propagation_delay);
            writer.element("SOA", |writer| {
                writer.duration("TTL", zone.soa_ttl);
                writer.duration("Minimum", zone.soa_minimum);
                writer.value("Serial", serial(zone.serial));
            });
            writer.flag("ZoneMD", zone.makes_zonemd);
        });
    }

    fn parent(&mut self, policy: &Policy) {
        let parent = &policy.parent;
        self.element("Parent", |writer| {
            writer.duration("PropagationDelay", parent.propagation_delay);
            writer.element("DS", |writer| writer.duration("TTL", parent.ds_ttl));
            writer.element("SOA", |writer| {
                writer.duration("TTL", parent.soa_ttl);
                writer.duration("Minimum", parent.soa_minimum);
            });
            if parent.registration_delay.0 != 0 {
                writer.duration("RegistrationDelay", parent.registration_delay);
            }
            writer.flag("CDS", parent.publishes_cds);
            if let Some(agents) = &parent.agents {
                writer.element("Agents", |writer| writer.agents(agents));
            }
            if let Some(notify) = &parent.notify {
                writer.element("Notify", |writer| writer.notify(notify));
            }
        });
    }

    fn agents(&mut self, agents: &ParentalAgents) {
        self.servers("Agent", &agents.addresses);
        self.duration("Interval", agents.interval);
        for anchor in &agents.anchors {
            self.value("TrustAnchor", anchor);
        }
        if let Some(file) = &agents.anchor_file {
            self.value("TrustAnchorFile", escape(file));
        }
    }

    fn notify(&mut self, notify: &NotifyPolicy) {
        self.servers("Resolver", &notify.resolvers);
        if let Some(delay) = notify.delay {
            self.duration("Delay", delay);
        }
    }

    fn input_limits(&mut self, limits: &InputLimits) {
        fn limit<T: std::fmt::Display>(writer: &mut Writer, name: &str, value: Option<T>) {
            match value {
                Some(value) => writer.value(name, value),
                None => writer.value(name, NONE),
            }
        }
        let hold = |is_on: bool| if is_on { "hold" } else { NONE };
        limit(self, "Shrink", limits.shrink_percent);
        limit(self, "Growth", limits.growth_percent);
        limit(self, "TypeShrink", limits.type_shrink_percent);
        limit(self, "TypeGrowth", limits.type_growth_percent);
        self.value("SmallChange", limits.small_change);
        self.value("SmallGrowth", limits.small_growth);
        limit(self, "DelegationsLost", limits.delegations_percent);
        self.value("SmallLoss", limits.small_loss);
        self.value("ApexServers", hold(limits.keeps_apex_server));
        limit(self, "DoubledOrigin", limits.doubled_origin);
        limit(self, "MissingGlue", limits.missing_glue);
        limit(self, "MaxTTL", limits.ttl_max.map(format_duration));
        self.value("SerialBackwards", hold(limits.holds_old_serial));
        self.value("FinalNewline", hold(limits.needs_newline));
        if let Some(marker) = &limits.end_marker {
            self.value("EndMarker", escape(marker));
        }
        self.value("ZoneDigest", hold(limits.verifies_digest));
    }

    fn servers(&mut self, item: &str, addresses: &[SocketAddr]) {
        for address in addresses {
            self.element(item, |writer| {
                writer.value("Address", address.ip());
                writer.value("Port", address.port());
            });
        }
    }
}

fn roll_type(roll_type: RollType) -> &'static str {
    match roll_type {
        RollType::KskDoubleRrset => "KskDoubleRRset",
        RollType::KskDoubleDs => "KskDoubleDS",
        RollType::KskDoubleSignature => "KskDoubleSignature",
        RollType::ZskDoubleSignature => "ZskDoubleSignature",
        RollType::ZskPrePublication => "ZskPrePublication",
        RollType::ZskDoubleRrsig => "ZskDoubleRRsig",
        RollType::CskDoubleRrset => "CskDoubleRRset",
        RollType::CskSingleSignature => "CskSingleSignature",
        RollType::CskDoubleDs => "CskDoubleDS",
        RollType::CskDoubleSignature => "CskDoubleSignature",
        RollType::CskPrePublication => "CskPrePublication",
    }
}

fn serial(serial: SerialMode) -> &'static str {
    match serial {
        SerialMode::Counter => "counter",
        SerialMode::DateCounter => "datecounter",
        SerialMode::UnixTime => "unixtime",
        SerialMode::Keep => "keep",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_kasp;
    use dnssec::Algorithm;

    #[test]
    fn what_is_written_is_read_back() {
        let mut full = Policy::anchorite_default("a & b");
        full.name = "full <\"> é".to_owned();
        full.description = "with > all & \"marks\"".to_owned();
        full.passthrough = true;
        full.signatures.validity_keyset = Some(Seconds(5_000_000));
        full.keys.share_keys = true;
        full.keys.purge = None;
        full.parent.registration_delay = Seconds(61);
        full.zone.serial = SerialMode::Keep;
        full.audit = AuditMode::Partial;
        let DenialPolicy::Nsec3(nsec3) = &mut full.denial else { panic!("it has NSEC3") };
        (nsec3.param_ttl, nsec3.opt_out, nsec3.salt_length) = (Seconds(60), true, 8);
        let key = &mut full.keys.keys[0];
        (key.algorithm, key.length_bits) = (Algorithm::RsaSha256, Some(3072));
        (key.standby, key.manual_rollover, key.rfc5011) = (2, true, true);
        key.roll_type = RollType::KskDoubleDs;
        let mut csk = key.clone();
        (csk.role, csk.roll_type) = (KeyRole::Csk, RollType::CskSingleSignature);
        full.keys.keys.push(csk);
        let mut nsec = Policy::anchorite_default("token");
        nsec.denial = DenialPolicy::Nsec;
        nsec.keys.keys.clear();
        let text = write_kasp([&full, &nsec]);
        let read = read_kasp("kasp.xml", text.as_bytes()).unwrap().value;
        assert_eq!(read, [full, nsec], "{text}");
    }

    #[test]
    fn no_policies_are_a_file_too() {
        let text = write_kasp([]);
        assert_eq!(text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KASP/>\n");
        assert!(read_kasp("kasp.xml", text.as_bytes()).unwrap().value.is_empty());
    }
}
