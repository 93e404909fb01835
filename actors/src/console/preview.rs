//! What another policy will do to zones' keys, before it does it.
//! In: zones as the enforcer sees them, under their policy and under the other one. Out: lines for
//! operators. The core is asked twice, with each policy; what only the new one brings about is
//! said, and with the plans of both, when. Times are UTC.
//! Limit: [`PLANNED_ZONES_MAX`] zones with plans; of the others only what begins now is told.

use super::plan_commands::{Wish, assumptions};
use crate::enforcer::{Sight, Sights};
use crate::settings::{EnforcerSettings, zone_text};
use dnssec::enforcer::plan::{Plan, Roll, length_text, minute_text, plan, rolls};
use dnssec::enforcer::{Action, Evaluation, KeyUse, Leaving, Scene, bars_from_unsigned, evaluate};
use dnssec::first_keys::wanted_bits;
use dnssec::key::KeyRole;
use dnssec::policy::{KeyPolicy, Policy};

/// Zones whose plans are compared; a plan takes some milliseconds.
const PLANNED_ZONES_MAX: usize = 200;

/// Lines about zones that go from one policy to another: each that changes by name, the others by
/// their number. `sights`: each zone twice, under its policy and under the other one.
pub(super) fn lines(sights: &Sights) -> String {
    let (mut text, mut same_count, mut unplanned_count) = (String::new(), 0, 0);
    let (pairs, _) = sights.zones.as_chunks::<2>();
    for (index, [old, new]) in pairs.iter().enumerate() {
        let depth = match index < PLANNED_ZONES_MAX {
            true => Depth::Planned,
            false => Depth::Now,
        };
        match change((old, new), &sights.settings, depth) {
            Some(change) => text += &change,
            None if depth == Depth::Now => unplanned_count += 1,
            None => same_count += 1,
        }
    }
    let counted = |count: usize| match count {
        1 => "1 zone".to_owned(),
        count => format!("{count} zones"),
    };
    if !text.is_empty() {
        let delay = length_text(Wish::year(pairs[0][0].now).parent_delay);
        text += &format!("Times are UTC; the parent is assumed to act {delay} after it is told.\n");
    }
    if same_count > 0 {
        text += &format!("Keys and rolls of {} do not change.\n", counted(same_count));
    }
    if unplanned_count > 0 {
        text += &format!(
            "The keys of {} more stay; when they roll is not compared for more than \
             {PLANNED_ZONES_MAX} zones (\"anchorite plan --kasp\" tells it for each).\n",
            counted(unplanned_count)
        );
    }
    text
}

/// Lines about the one zone that goes from one policy to another.
pub(super) fn zone_lines(sights: &Sights) -> String {
    let [old, new] = sights.zones.as_slice() else { return String::new() };
    let said = change((old, new), &sights.settings, Depth::Planned);
    said.unwrap_or_else(|| format!("Zone {}: its keys stay.\n", zone_text(&old.zone)))
}

/// Why zones cannot go to the other policy: it would make one unsigned whose CSK validators follow
/// (RFC 5011), and nothing else signs the zone.
pub(super) fn refusal(sights: &Sights) -> Option<String> {
    let (pairs, _) = sights.zones.as_chunks::<2>();
    let barred = |[old, new]: &[Sight; 2]| {
        let is_barred = bars_from_unsigned(&old.life, &old.policy).is_some();
        let key = bars_from_unsigned(&new.life, &new.policy).filter(|_| !is_barred)?;
        let (zone, policy) = (zone_text(&new.zone), &new.policy.name);
        Some(format!(
            "policy {policy} cannot make zone {zone} unsigned now: validators follow its CSK {key} \
             (RFC5011), which alone signs the zone and cannot be revoked before another key does. \
             Put a KSK with RFC5011 and a ZSK into the policy in its place and wait until the ZSK \
             is active; or, if nobody follows the zone, take RFC5011 away from the key first"
        ))
    };
    pairs.iter().find_map(barred)
}

/// How far a preview looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// At what begins now.
    Now,
    /// At the plans of a year.
    Planned,
}

/// What changes for a zone; `None`: nothing.
fn change(
    (old, new): (&Sight, &Sight),
    settings: &EnforcerSettings,
    depth: Depth,
) -> Option<String> {
    let said = keys(old, new, settings);
    let zone = zone_text(&old.zone);
    let head = match said.is_empty() {
        true => format!("Zone {zone}: its keys stay.\n"),
        false => format!("Zone {zone}: {}.\n", said.join("; ")),
    };
    let moments = match depth {
        Depth::Now => String::new(),
        Depth::Planned => {
            let wish = Wish::year(old.now);
            let plans = [old, new].map(|sight| {
                let plan = plan(&sight.life, &assumptions(sight, settings, &wish));
                (rolls(&sight.life, &plan), plan)
            });
            let [(before, _), (after, planned)] = &plans;
            moments((before, after), planned)
        }
    };
    (!said.is_empty() || !moments.is_empty()).then_some(head + &moments)
}

/// Which keys the other policy lets leave, and which it wants.
fn keys(old: &Sight, new: &Sight, settings: &EnforcerSettings) -> Vec<String> {
    let (before, after) = (look(old, settings), look(new, settings));
    let leaving = |evaluation: &Evaluation| {
        let leaves = evaluation.actions.iter().filter_map(|action| match action {
            Action::KeyLeaves { id, why: Leaving::NotInPolicy | Leaving::SpareStandby } => Some(id),
            _ => None,
        });
        leaves.cloned().collect::<Vec<_>>()
    };
    let known = leaving(&before);
    let mut said: Vec<String> = Vec::new();
    for key in &new.life.keys {
        if leaving(&after).contains(&key.id) && !known.contains(&key.id) {
            let (role, tag, algorithm) = (key.role, key.key_tag.0, key.algorithm);
            said.push(format!("{role} {tag} ({algorithm}, {} bits) will be rolled out", key.bits));
        }
    }
    let mut expected = coming(&before, &old.policy);
    for key in coming(&after, &new.policy) {
        match expected.iter().position(|known| *known == key) {
            Some(known) => drop(expected.remove(known)),
            None => said.push(format!("a new {key} will be rolled in")),
        }
    }
    let becomes_unsigned =
        |evaluation: &Evaluation| evaluation.actions.contains(&Action::NoKeysConfigured);
    if becomes_unsigned(&after) && !becomes_unsigned(&before) {
        said.push("it becomes unsigned when its DS is gone from the parent".to_owned());
    }
    said
}

/// Without keys in supply the core says which ones it wants.
fn look(sight: &Sight, settings: &EnforcerSettings) -> Evaluation {
    let scene = Scene { supply: &[], ..sight.scene(settings) };
    evaluate(&sight.life, &scene)
}

/// The keys that an evaluation wants, in words.
fn coming(evaluation: &Evaluation, policy: &Policy) -> Vec<String> {
    let wanted = evaluation.actions.iter().filter_map(|action| match action {
        Action::KeyWanted { policy_key, purpose } => {
            Some(described(policy.keys.keys.get(*policy_key)?, *purpose))
        }
        _ => None,
    });
    wanted.collect()
}

fn described(key: &KeyPolicy, purpose: KeyUse) -> String {
    let standby = if purpose == KeyUse::Standby { "standby " } else { "" };
    format!("{standby}{} ({}, {} bits)", key.role, key.algorithm, wanted_bits(key))
}

/// Lines for each role: the first of its rolls that is another one.
fn moments((before, after): (&[Roll], &[Roll]), planned: &Plan) -> String {
    let mut text = String::new();
    for role in [KeyRole::Ksk, KeyRole::Csk, KeyRole::Zsk] {
        let of = |rolls: &[Roll]| -> Vec<Roll> {
            rolls.iter().filter(|roll| roll.role == role).cloned().collect()
        };
        let (was, is) = (of(before), of(after));
        let Some(index) = (0..was.len().max(is.len())).find(|at| was.get(*at) != is.get(*at))
        else {
            continue;
        };
        text += &match (was.get(index), is.get(index)) {
            (was, Some(is)) => {
                let was = was.map_or("no roll within a year".to_owned(), |was| told(was, planned));
                format!("  {role}s: {}\n    by today's policy: {was}\n", told(is, planned))
            }
            (Some(was), None) => format!(
                "  {role}s: no further roll within a year\n    by today's policy: {}\n",
                told(was, planned)
            ),
            (None, None) => continue,
        };
    }
    text
}

fn told(roll: &Roll, planned: &Plan) -> String {
    let begins = match (roll.is_under_way, roll.begins == planned.from) {
        (true, _) => "the roll that is under way".to_owned(),
        (false, true) => "a roll begins now".to_owned(),
        (false, false) => format!("the next roll begins {}", minute_text(roll.begins)),
    };
    let ds = roll.ds.map(|at| format!(", DS to the parent {}", minute_text(at)));
    let ends = match roll.ends {
        Some(at) => format!(", done {}", minute_text(at)),
        None => ", not done within a year".to_owned(),
    };
    format!("{begins}{}{ends}", ds.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::enforcer::plan::{Assumptions, DsCommands};
    use dnssec::{Algorithm, Name, Seconds, Timestamp};
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    /// A zone under a policy, half a year into its life.
    fn sight(zone: &str, begun: &Policy, policy: &Policy) -> Sight {
        let begin = NOW.minus(Seconds(180 * 86_400));
        let none = BTreeSet::new();
        let assumptions = Assumptions {
            scene: crate::enforcer::scene(begun, begin, &[], None, &EnforcerSettings::default()),
            until: NOW,
            parent_delay: Seconds(86_400),
            commands: DsCommands::default(),
            backed_up: &none,
            keys_by_hand: false,
            salted: None,
        };
        Sight {
            zone: Name::parse(zone.as_bytes(), None).unwrap(),
            policy: Arc::new(policy.clone()),
            now: NOW,
            life: plan(&dnssec::enforcer::ZoneLife::default(), &assumptions).end,
            supply: Vec::new(),
            parent: None,
            salted: None,
        }
    }

    fn said(change: impl Fn(&mut Policy)) -> String {
        let old = Policy::anchorite_default("token");
        let mut new = old.clone();
        change(&mut new);
        let zones = ["a.example.", "b.example.", "c.example."];
        let sights = |zone: &&str| {
            let new = if *zone == "b.example." { &old } else { &new };
            [sight(zone, &old, &old), sight(zone, &old, new)]
        };
        let zones = zones.iter().flat_map(sights).collect();
        let settings = EnforcerSettings::default();
        lines(&Sights { zones, settings, free: Default::default() })
    }

    #[test]
    fn each_zone_that_changes_is_named_and_the_others_are_counted() {
        let said = [
            said(|_| {}),
            said(|new| {
                for key in &mut new.keys.keys {
                    key.algorithm = Algorithm::EcdsaP384Sha384;
                }
            }),
            said(|new| new.keys.ttl = Seconds(2 * 86_400)),
            said(|new| new.keys.keys[0].roll_type = dnssec::policy::RollType::KskDoubleDs),
            said(|new| new.keys.keys[1].lifetime = Seconds(30 * 86_400)),
            said(|new| new.keys.keys.clear()),
        ];
        expect_test::expect_file!["preview.txt"].assert_eq(&said.join("\n"));
    }

    #[test]
    fn a_followed_csk_is_in_the_way_of_an_unsigned_zone() {
        let mut old = Policy::anchorite_default("token");
        let csk = KeyPolicy { role: KeyRole::Csk, rfc5011: true, ..old.keys.keys[0].clone() };
        old.keys.keys = vec![csk];
        let refused = |begun: &Policy, change: fn(&mut Policy)| {
            let mut new = begun.clone();
            change(&mut new);
            let zones = vec![sight("a.example.", &old, begun), sight("a.example.", &old, &new)];
            let settings = EnforcerSettings::default();
            refusal(&Sights { zones, settings, free: Default::default() })
        };
        let why = refused(&old, |new| new.passthrough = true).unwrap();
        assert!(why.contains("zone a.example") && why.contains("RFC5011"), "{why}");
        assert!(refused(&old, |new| new.keys.keys.clear()).is_some());
        assert_eq!(refused(&old, |new| new.keys.ttl = Seconds(60)), None);
        let mut unsigned = old.clone();
        unsigned.passthrough = true;
        // It is so already, and goes on.
        assert_eq!(refused(&unsigned, |new| new.keys.ttl = Seconds(60)), None);
    }

    #[test]
    fn ten_thousand_zones_are_previewed_in_a_moment() {
        let old = Policy::anchorite_default("token");
        let mut new = old.clone();
        new.keys.keys[0].algorithm = Algorithm::EcdsaP384Sha384;
        let pair = [sight("a.example.", &old, &old), sight("a.example.", &old, &new)];
        let zones = std::iter::repeat_n(pair, 10_000).flatten().collect();
        let sights =
            Sights { zones, settings: EnforcerSettings::default(), free: Default::default() };
        let begin = crate::runtime::Clock::system();
        let start = begin.uptime();
        let said = lines(&sights);
        assert!(said.matches("will be rolled out").count() == 10_000);
        let took = begin.uptime() - start;
        assert!(took < Duration::from_secs(15), "{took:?}");
    }
}
