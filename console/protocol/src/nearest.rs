//! What somebody may have meant. In: a wrong word and the right ones. Out: the nearest of them.
//! Limit: words longer than [`LENGTH_MAX`] have no neighbours, since nobody typed them.

/// Longest word that is looked at, in characters.
pub const LENGTH_MAX: usize = 64;

/// The word of `known` that takes the fewest changes (a letter more, less or other, or two
/// neighbours in the wrong order), if that is at most a third of it; the first of several.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wrong.chars().take(LENGTH_MAX + 1).count() > LENGTH_MAX {
        return None;
    }
    let wrong: Vec<char> = wrong.chars().collect();
    let near = |candidate: &'a str| {
        let right: Vec<char> = candidate.chars().collect();
        let changes = changes(&wrong, &right);
        (changes <= right.len().div_ceil(3)).then_some((changes, candidate))
    };
    known.into_iter().filter_map(near).min_by_key(|(changes, _)| *changes).map(|(_, word)| word)
}

/// Changes that make one text of the other (Damerau and Levenshtein, neighbours swapped once).
fn changes(one: &[char], other: &[char]) -> usize {
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, left) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in other.iter().enumerate() {
            let same = usize::from(left != right);
            let mut best = (rows[i][j] + same).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *right && *left == other[j - 1] {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_near() {
        let known = ["zones", "zone list", "policy list", "stop", "running"];
        for (wrong, right) in [
            ("zone lits", Some("zone list")),
            ("polcy list", Some("policy list")),
            ("sotp", Some("stop")),
            ("runing", Some("running")),
            ("zone", Some("zones")),
            ("xyzzy", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), right, "{wrong}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known), None);
    }
}
