//! Tables of a comparison. In: what each tool took. Out: lines for a person.

use super::Tool;
use crate::measure::Cost;
use crate::workspace::Outcome;

/// One tool's line; instead of the cost, why it failed.
pub(super) struct Row<'a> {
    pub(super) tool: &'a Tool,
    pub(super) cost: Outcome<Cost>,
    /// 0: not shown.
    pub(super) output_bytes: u64,
    pub(super) note: String,
}

/// The smallest value of each column among the peers; without any peer no number, or 0, so that no
/// promise is kept for lack of a peer (see `promises::judge`).
pub(super) fn best_peer(rows: &[Row<'_>]) -> Cost {
    let peers =
        || rows.iter().filter(|row| !row.tool.is_ours).filter_map(|row| row.cost.as_ref().ok());
    let least = |key: fn(&Cost) -> f64| peers().map(key).reduce(f64::min);
    Cost {
        wall_seconds: least(|cost| cost.wall_seconds).unwrap_or(f64::NAN),
        user_seconds: least(|cost| cost.user_seconds).unwrap_or(f64::NAN),
        peak_bytes: peers().map(|cost| cost.peak_bytes).min().unwrap_or(0),
    }
}

/// What the tool of this name took, if it did not fail.
pub(super) fn cost_of(rows: &[Row<'_>], name: &str) -> Option<Cost> {
    rows.iter().find(|row| row.tool.name == name)?.cost.as_ref().ok().copied()
}

pub(super) fn print(rows: &[Row<'_>]) {
    let best = best_peer(rows);
    println!(
        "  {:<16} {:>8} {:>8} {:>9} {:>9} {:>8} {:>8}",
        "", "wall s", "user s", "peak MB", "out MB", "time x", "memory x"
    );
    for row in rows {
        let cost = match &row.cost {
            Ok(cost) => cost,
            Err(message) => {
                println!("  {:<16} not measured: {message}", row.tool.name);
                continue;
            }
        };
        println!(
            "  {:<16} {:>8.2} {:>8.2} {:>9.1} {:>9} {:>8.2} {:>8.2}   {}",
            row.tool.name,
            cost.wall_seconds,
            cost.user_seconds,
            cost.peak_bytes as f64 / 1e6,
            if row.output_bytes == 0 {
                String::new()
            } else {
                format!("{:.1}", row.output_bytes as f64 / 1e6)
            },
            cost.wall_seconds / best.wall_seconds,
            cost.peak_bytes as f64 / best.peak_bytes as f64,
            row.note,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_peer_leaves_out_ours_and_those_that_failed() {
        let tool = |name, is_ours| Tool { name, is_ours, note: "", once_when_large: false };
        let (ours, fast, lean, failed) =
            (tool("ours", true), tool("fast", false), tool("lean", false), tool("failed", false));
        let cost = |wall_seconds, peak_bytes| Cost { wall_seconds, user_seconds: 1.0, peak_bytes };
        let row = |tool, cost| Row { tool, cost, output_bytes: 0, note: String::new() };
        let rows = [
            row(&ours, Ok(cost(1.0, 1))),
            row(&fast, Ok(cost(2.0, 9))),
            row(&lean, Ok(cost(3.0, 4))),
            row(&failed, Err("it broke".to_owned())),
        ];
        assert_eq!(best_peer(&rows), cost(2.0, 4));
        assert!(best_peer(&rows[..1]).wall_seconds.is_nan());
    }
}
