//! What is other in a policy, element by element as kasp.xml has it.
//! In: two policies of one name. Out: a line for each element that differs.

use appliance_config::write_kasp;
use dnssec::policy::Policy;
use std::collections::BTreeMap;

/// Most differences that are told.
const LINES_MAX: usize = 40;

/// A line for each element that differs: its path below `<Policy>`, what it was and what it is.
pub(super) fn differences(old: &Policy, new: &Policy) -> String {
    let (was, is) = (leaves(&write_kasp([old])), leaves(&write_kasp([new])));
    let mut lines = Vec::new();
    for (path, value) in &is {
        match was.get(path) {
            Some(before) if before == value => {}
            Some(before) => lines.push(format!("  {}: {before} -> {value}\n", shown(path))),
            None => lines.push(format!("  {}: (none) -> {value}\n", shown(path))),
        }
    }
    for (path, before) in was.iter().filter(|(path, _)| !is.contains_key(*path)) {
        lines.push(format!("  {}: {before} -> (none)\n", shown(path)));
    }
    let more = lines.len().saturating_sub(LINES_MAX);
    let mut text: String = lines.into_iter().take(LINES_MAX).collect();
    if more > 0 {
        text += &format!("  and {more} more\n");
    }
    text
}

/// A path, with the number of its element where there are several of one name.
type Path = Vec<(String, usize)>;

fn shown(path: &Path) -> String {
    let names = path.iter().map(|(name, number)| match number {
        1 => name.clone(),
        number => format!("{name}[{number}]"),
    });
    names.collect::<Vec<_>>().join("/")
}

/// The elements of our own kasp.xml that have no children, with what stands in them. Each element
/// begins on a line of its own there.
fn leaves(text: &str) -> BTreeMap<Path, String> {
    let (mut leaves, mut seen) = (BTreeMap::new(), BTreeMap::<Path, usize>::new());
    let mut path = Path::new();
    for line in text.lines().map(str::trim) {
        let Some(rest) = line.strip_prefix('<').filter(|rest| !rest.starts_with('?')) else {
            continue;
        };
        if rest.starts_with('/') {
            path.pop();
            continue;
        }
        let Some((tag, content)) = rest.split_once('>') else { continue };
        let is_empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let place = |number| [path.as_slice(), &[(name.to_owned(), number)]].concat();
        let number = seen.entry(place(1)).and_modify(|number| *number += 1).or_insert(1);
        let own = place(*number);
        let value = content.split_once("</").map_or("", |(value, _)| value);
        match (is_empty, content.contains("</")) {
            (true, _) => drop(leaves.insert(own, "set".to_owned())),
            (_, true) if attributes.is_empty() => drop(leaves.insert(own, value.to_owned())),
            (_, true) => drop(leaves.insert(own, format!("{value} ({attributes})"))),
            _ => path = own,
        }
    }
    // Root and policy are the same for both.
    leaves.into_iter().map(|(path, value)| (path.into_iter().skip(2).collect(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnssec::policy::DenialPolicy;
    use dnssec::{Algorithm, Seconds};
    use expect_test::expect;

    /// The lines without the indentation that each of them has, which `expect!` does not see.
    fn lines(text: &str) -> String {
        let lines = text.lines().map(|line| line.strip_prefix("  ").expect("it is indented"));
        lines.map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn what_differs_is_told_by_its_element() {
        let old = Policy::anchorite_default("token");
        let mut new = old.clone();
        assert_eq!(differences(&old, &new), "");
        new.keys.keys[0].algorithm = Algorithm::EcdsaP384Sha384;
        new.keys.ttl = Seconds(7200);
        new.keys.purge = None;
        new.denial = DenialPolicy::Nsec;
        let zsk = new.keys.keys[1].clone();
        new.keys.keys.push(zsk);
        expect![[r#"
              Denial/NSEC: (none) -> set
              Keys/KSK/Algorithm: 13 (length="256") -> 14 (length="384")
              Keys/TTL: PT1H -> PT2H
              Keys/ZSK[2]/Algorithm: (none) -> 13 (length="256")
              Keys/ZSK[2]/Lifetime: (none) -> P2M28D
              Keys/ZSK[2]/Repository: (none) -> token
              Keys/ZSK[2]/Standby: (none) -> 0
              Keys/ZSK[2]/ZskRollType: (none) -> ZskPrePublication
              Denial/NSEC3/Hash/Algorithm: 1 -> (none)
              Denial/NSEC3/Hash/Iterations: 0 -> (none)
              Denial/NSEC3/Hash/Salt: set -> (none)
              Denial/NSEC3/Resalt: P3M7D -> (none)
              Keys/Purge: P14D -> (none)
        "#]]
        .assert_eq(&lines(&differences(&old, &new)));
    }
}
