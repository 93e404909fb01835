//! The table keeps its own rules, and words find their command.

use super::*;
use std::collections::BTreeSet;

fn words(line: &str) -> Vec<String> {
    crate::line::words(line)
}

#[test]
fn every_entry_is_well_formed() {
    for command in all().chain(of(Family::Ksmutil)) {
        let name = command.path;
        assert!(!name.is_empty() && !name.contains("  ") && name.trim() == name, "{name:?}");
        let lines = command.usage;
        assert!(lines.is_empty() || lines.ends_with('\n'), "{name}");
        assert!(command.help.is_empty() || command.help.ends_with('\n'), "{name}");
        let longs: BTreeSet<_> = command.options().map(|one| one.long).collect();
        let shorts: BTreeSet<_> = command.options().map(|one| one.short).collect();
        assert_eq!(longs.len(), command.options().count(), "{name}");
        assert_eq!(shorts.len(), command.options().count(), "{name}");
        assert!(command.operands.least <= command.operands.most, "{name}");
        let may_change = !matches!(command.role, Role::Monitor | Role::Auditor);
        assert!(
            command.effect == Effect::Read || may_change,
            "{name} changes and is for everybody"
        );
    }
}

/// What shows something and has no rows: it prints a file, a drawing, a plugin's line or prose.
const PROSE: &[&str] = &[
    "audit log export",
    "audit log verify",
    "backup",
    "config get",
    "explain key",
    "explain zone",
    "help",
    "key explain",
    "key export",
    "key timeline",
    "look-ahead",
    "metrics",
    "monitor",
    "policy export",
    "running",
];

#[test]
fn what_lists_something_has_json() {
    let shows = |command: &&Command| command.effect == Effect::Read;
    let (mut prose, mut rows) = (BTreeSet::new(), BTreeSet::new());
    for command in all().filter(shows) {
        let has_json = command.options().any(|one| one.long == "json");
        assert_eq!(has_json, command.renderer == Renderer::Rows, "{}", command.path);
        if has_json {
            rows.insert(command.path)
        } else {
            prose.insert(command.path)
        };
        let is_told = command.usage.contains("--json");
        let is_ours = command.family == Family::Appliance;
        assert!(!is_ours || is_told == has_json, "{}: the usage has to tell", command.path);
    }
    assert_eq!(prose, PROSE.iter().copied().collect(), "is it a list? then it has rows");
    assert_eq!(rows.intersection(&prose).next(), None, "both of two with one name, or neither");
}

#[test]
fn a_path_is_once_in_a_family_and_ours_where_both_daemons_have_it() {
    let paths = |family| of(family).iter().map(|command| command.path).collect::<Vec<_>>();
    for family in [Family::Enforcer, Family::Signer, Family::Appliance, Family::Ksmutil] {
        let unique: BTreeSet<_> = paths(family).into_iter().collect();
        assert_eq!(unique.len(), of(family).len(), "{family:?}");
        assert!(of(family).iter().all(|command| command.family == family));
    }
    let ours = paths(Family::Appliance);
    for path in paths(Family::Enforcer) {
        let is_twice = paths(Family::Signer).contains(&path);
        assert!(!is_twice || ours.contains(&path), "{path}: ours is missing");
    }
}

#[test]
fn words_find_the_longest_path_of_their_front_end() {
    let found = |front_end, line: &str| {
        find(front_end, &words(line)).map(|(command, count)| (command.family, command.path, count))
    };
    use FrontEnd::{Appliance, Enforcer, Signer};
    assert_eq!(found(Enforcer, "zone list -z x"), Some((Family::Enforcer, "zone list", 2)));
    assert_eq!(found(Enforcer, "zone"), None);
    assert_eq!(found(Enforcer, "zones"), None);
    assert_eq!(found(Enforcer, "runningx"), None);
    assert_eq!(found(Enforcer, "ZONE LIST"), None);
    assert_eq!(found(Enforcer, ""), None);
    assert_eq!(found(Signer, "zones"), Some((Family::Signer, "zones", 1)));
    assert_eq!(found(Signer, "zone list"), None);
    assert_eq!(found(Signer, "signer zones"), None);
    assert_eq!(found(Appliance, "zones"), Some((Family::Signer, "zones", 1)));
    assert_eq!(found(Appliance, "zone list"), Some((Family::Appliance, "zone list", 2)));
    assert_eq!(found(Appliance, "stop"), Some((Family::Appliance, "stop", 1)));
    assert_eq!(found(Appliance, "signer stop"), Some((Family::Signer, "stop", 2)));
    assert_eq!(found(Appliance, "enforcer zones"), None);
    assert_eq!(found(Appliance, "enforcer enforcer stop"), None);
    assert_eq!(found(Appliance, "enforcer"), None);
}
