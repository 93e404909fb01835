//! The operator's part of a picture: a lane with a number for each moment at which somebody has to
//! do something, and the list that says what. In: a timeline. Out: SVG.
//! Limit: [`LINES_MAX`] lines; how many more there are is said.

use super::chart::{LEFT, RIGHT, label, place};
use super::date;
use super::timeline::Timeline;

/// Most lines of the list.
pub(super) const LINES_MAX: usize = 16;
/// Height of the lane.
pub(super) const LANE: f64 = 30.0;
/// Height of a line of the list, and of its head.
const LINE: f64 = 17.0;
const HEAD: f64 = 30.0;
/// Most characters of a line; longer ones would leave the picture.
const TEXT_MAX: usize = 120;
/// Width of a digit, and of what is around the numbers.
const DIGIT: f64 = 7.2;
const PADDING: f64 = 9.0;

/// Height of the list.
pub(super) fn height(timeline: &Timeline) -> f64 {
    match timeline.yours.len() {
        0 => 0.0,
        count => HEAD + LINE * count.min(LINES_MAX + 1) as f64,
    }
}

/// Numbers above their moments; those that would cover each other stand in one frame.
pub(super) fn lane(out: &mut String, timeline: &Timeline, top: f64) {
    if timeline.yours.is_empty() {
        return;
    }
    label(out, "key", (24.0, top + 19.0), "start", "You act");
    let shown = timeline.yours.len().min(LINES_MAX);
    let mut first = 0;
    while first < shown {
        let text = |last: usize| match last == first {
            true => (first + 1).to_string(),
            false => format!("{}-{}", first + 1, last + 1),
        };
        let width = |last: usize| DIGIT * text(last).len() as f64 + PADDING;
        let x = |index: usize| place(timeline, timeline.yours[index].0);
        let mut last = first;
        // The next one joins when its own frame would touch this one.
        while last + 1 < shown
            && x(last + 1) - x(first) < (width(last) + width(last + 1)) / 2.0 + 3.0
        {
            last += 1;
        }
        let half = width(last) / 2.0;
        let middle = x(first).clamp(LEFT + half, RIGHT - half);
        let (left, foot) = (middle - half, top + LANE);
        out.push_str(&format!(
            "<path class=\"leader\" d=\"M{0:.1},{1:.1} V{foot:.1}\"/>\n\
             <rect class=\"number\" x=\"{left:.1}\" y=\"{2:.1}\" width=\"{3:.1}\" height=\"17\" \
             rx=\"4\"/>\n",
            x(first),
            top + 23.0,
            top + 6.0,
            half * 2.0
        ));
        label(out, "inverse", (middle, top + 19.0), "middle", &text(last));
        first = last + 1;
    }
}

/// What each number stands for.
pub(super) fn list(out: &mut String, timeline: &Timeline, top: f64) {
    if timeline.yours.is_empty() {
        return;
    }
    label(out, "key", (24.0, top + 16.0), "start", "What you do, and when (UTC)");
    let mut y = top + HEAD;
    for (index, (at, text)) in timeline.yours.iter().take(LINES_MAX).enumerate() {
        label(out, "small", (46.0, y + 4.0), "end", &(index + 1).to_string());
        label(out, "small", (58.0, y + 4.0), "start", &date::minute(*at));
        let text: String = text.chars().take(TEXT_MAX).collect();
        label(out, "small", (LEFT, y + 4.0), "start", &text);
        y += LINE;
    }
    let more = timeline.yours.len().saturating_sub(LINES_MAX);
    if more > 0 {
        let text = format!("and {more} more, which the command \"plan\" tells");
        label(out, "small", (LEFT, y + 4.0), "start", &text);
    }
}
