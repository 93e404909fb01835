//! A timeline as a picture: SVG 1.1, one row for each record, grouped by key.
//! In: a timeline. Out: the file's text. States differ in shade and hatching, not in colour alone,
//! so the picture survives colour-blind eyes and printers without colours.
//! Never: scripts, links, fonts from elsewhere.

use super::agenda;
use super::date::{self, DAY};
use super::names::plain;
use super::timeline::{Mark, Span, Timeline, Track};
use super::words;
use crate::Timestamp;
use crate::enforcer::{RecordKind, RecordState};

/// Width of the picture; all lengths are in pixels of SVG.
const WIDTH: f64 = 1200.0;
/// Where the plot begins and ends.
pub(super) const LEFT: f64 = 176.0;
pub(super) const RIGHT: f64 = 1176.0;
/// Where the rows begin.
const TOP: f64 = 124.0;
/// Room below the rows.
const BOTTOM: f64 = 40.0;
/// Height of a bar of the legend.
const LEGEND_BAR: f64 = 12.0;
/// Narrowest bar that can be seen.
const BAR_LEAST: f64 = 4.0;
/// Room for a mark, and for a group of marks with their dates.
const MARK_WIDTH: f64 = 13.0;
const MARK_ROOM: f64 = 112.0;
/// What is printable of an A4 page, landscape, in millimetres.
const PAGE_WIDTH: f64 = 277.0;
const PAGE_HEIGHT: f64 = 190.0;
/// Width of a letter of a mark's dates.
const LETTER: f64 = 6.6;
/// Most dates on the axis.
const TICKS_MAX: usize = 13;

const STYLE: &str = r##"<defs>
<pattern id="coming" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#d6ebf8"/>
<path d="M-1,1 L1,-1 M0,6 L6,0 M5,7 L7,5" stroke="#0072b2" stroke-width="1.3"/></pattern>
<pattern id="going" width="6" height="6" patternUnits="userSpaceOnUse">
<rect width="6" height="6" fill="#fdf0d5"/>
<path d="M-1,5 L1,7 M0,0 L6,6 M5,-1 L7,1" stroke="#b04a00" stroke-width="1.3"/></pattern>
</defs>
<style>
text { font-family: "DejaVu Sans", Verdana, Arial, sans-serif; font-size: 12px; fill: #111;
 paint-order: stroke; stroke: #fff; stroke-width: 3px }
.title { font-size: 20px; font-weight: bold }
.key { font-size: 13px; font-weight: bold }
.small { font-size: 11px }
.grid { stroke: #d0d0d0; stroke-width: 1 }
.base { stroke: #c4c4c4; stroke-width: 1 }
.rumoured { fill: url(#coming); stroke: #0072b2; stroke-width: 0.8 }
.omnipresent { fill: #005b8f; stroke: #00395a; stroke-width: 0.8 }
.unretentive { fill: url(#going); stroke: #b04a00; stroke-width: 0.8 }
.leader { stroke: #111; stroke-width: 0.8; fill: none }
.full { fill: #111; stroke: #111; stroke-width: 1.2 }
.open { fill: #fff; stroke: #111; stroke-width: 1.4 }
.halo { stroke: #fff; stroke-width: 4 }
.now { stroke: #111; stroke-width: 1.6; stroke-dasharray: 6 3 }
.plan { fill: #f3f4f6 }
.number { fill: #111 }
.inverse { font-size: 11px; font-weight: bold; fill: #fff; stroke: none }
@page { size: A4 landscape; margin: 10mm }
</style>
"##;

/// Heights of what belongs to one key.
struct Rows {
    /// Of its first row, with its name and its marks.
    header: f64,
    /// Of a record's row, and of the bar in it.
    row: f64,
    bar: f64,
    /// Of what is free behind it.
    gap: f64,
}

/// Few keys have more room, so that many still fit a page.
const FEW: Rows = Rows { header: 24.0, row: 17.0, bar: 12.0, gap: 8.0 };
const MANY: Rows = Rows { header: 20.0, row: 13.0, bar: 9.0, gap: 3.0 };
/// Most keys that are few.
const FEW_MAX: usize = 8;

impl Rows {
    fn of(timeline: &Timeline) -> &'static Rows {
        if timeline.tracks.len() <= FEW_MAX { &FEW } else { &MANY }
    }

    fn height(&self, track: &Track) -> f64 {
        self.header + self.gap + self.row * track.records.len() as f64
    }
}

/// The picture.
pub fn svg(timeline: &Timeline) -> String {
    let lane = if timeline.yours.is_empty() { 0.0 } else { agenda::LANE };
    let first = TOP + lane;
    let rows = Rows::of(timeline);
    let all: f64 = timeline.tracks.iter().map(|track| rows.height(track)).sum();
    let bottom = first + all.max(rows.row);
    let list = agenda::height(timeline);
    let height = bottom + BOTTOM + list;
    let scale = (PAGE_WIDTH / WIDTH).min(PAGE_HEIGHT / height);
    let title = format!("Keys of {}", plain(&timeline.zone));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{:.1}mm\" \
         height=\"{:.1}mm\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{}</title>\n",
        WIDTH * scale,
        height * scale,
        escape(&title)
    );
    out += STYLE;
    out += &format!("<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n");
    plan_ground(&mut out, timeline, bottom);
    head(&mut out, timeline, &title);
    axis(&mut out, timeline, bottom);
    let mut top = first;
    for track in &timeline.tracks {
        draw_track(&mut out, (timeline, rows), track, top);
        top += rows.height(track);
    }
    now_line(&mut out, timeline, bottom);
    agenda::lane(&mut out, timeline, TOP);
    top = first;
    for track in &timeline.tracks {
        draw_marks(&mut out, (timeline, rows), track, top);
        top += rows.height(track);
    }
    let more = match (timeline.tracks.is_empty(), timeline.left_out) {
        (true, _) => "No key is seen in this time.".to_owned(),
        (_, 0) => String::new(),
        (_, count) => format!("{count} more keys are not shown."),
    };
    label(&mut out, "small", (LEFT, bottom + 32.0), "start", &more);
    agenda::list(&mut out, timeline, bottom + BOTTOM - 4.0);
    out + "</svg>\n"
}

/// A ground under what is planned.
fn plan_ground(out: &mut String, timeline: &Timeline, bottom: f64) {
    let x = place(timeline, timeline.now);
    out.push_str(&format!(
        "<rect class=\"plan\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" \
         height=\"{:.1}\"/>\n",
        RIGHT - x,
        bottom - TOP
    ));
}

fn head(out: &mut String, timeline: &Timeline, title: &str) {
    label(out, "title", (24.0, 34.0), "start", title);
    let text = format!(
        "Policy {}. {} to {}, UTC. Left of the dashed line: what happened; right of it, on grey: \
         the plan.",
        plain(&timeline.policy),
        date::date(timeline.from),
        date::date(timeline.until)
    );
    label(out, "small", (24.0, 54.0), "start", &text);
    let states = [RecordState::Rumoured, RecordState::Omnipresent, RecordState::Unretentive];
    let words = [
        "coming: published, not in all caches yet",
        "in all caches",
        "going: withdrawn, in some caches still",
    ];
    let mut x = 24.0;
    for (state, text) in states.into_iter().zip(words) {
        out.push_str(&format!(
            "<rect class=\"{state}\" x=\"{x:.1}\" y=\"66\" width=\"26\" height=\"{LEGEND_BAR}\"/>\n"
        ));
        label(out, "small", (x + 32.0, 76.0), "start", text);
        x += 32.0 + 6.2 * text.len() as f64 + 10.0;
    }
    x = 24.0;
    label(out, "small", (x, 97.0), "start", "DS at the parent:");
    x += 112.0;
    let marks = [
        (Mark::Submitted, "handed over"),
        (Mark::Seen, "seen there"),
        (Mark::Retracted, "asked to remove it"),
        (Mark::Gone, "gone from there"),
    ];
    for (mark, text) in marks {
        glyph(out, mark, x, 93.0);
        label(out, "small", (x + 10.0, 97.0), "start", text);
        x += 10.0 + 6.2 * text.len() as f64 + 18.0;
    }
}

fn axis(out: &mut String, timeline: &Timeline, bottom: f64) {
    for (at, text) in ticks(timeline.from, timeline.until, TICKS_MAX) {
        let x = place(timeline, at);
        let lower = bottom + 4.0;
        out.push_str(&format!(
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{lower:.1}\"/>\n"
        ));
        label(out, "small", (x, bottom + 17.0), "middle", &text);
    }
}

fn draw_track(out: &mut String, (timeline, rows): (&Timeline, &Rows), track: &Track, top: f64) {
    let line = top + 1.0;
    out.push_str(&format!(
        "<line class=\"base\" x1=\"24\" y1=\"{line:.1}\" x2=\"{RIGHT}\" y2=\"{line:.1}\"/>\n"
    ));
    label(out, "key", (24.0, top + rows.header - 6.0), "start", &track.name.text);
    let mut y = top + rows.header;
    for record in &track.records {
        let text = words::record(record.kind);
        label(out, "small", (36.0, y + rows.bar / 2.0 + 4.0), "start", text);
        let middle = y + rows.bar / 2.0;
        out.push_str(&format!(
            "<line class=\"base\" x1=\"{LEFT}\" y1=\"{middle:.1}\" x2=\"{RIGHT}\" \
             y2=\"{middle:.1}\"/>\n"
        ));
        // What passes is drawn last: it may be widened to be seen.
        let order = |span: &&Span| span.state != RecordState::Omnipresent;
        let mut spans: Vec<&Span> = record.spans.iter().collect();
        spans.sort_by_key(order);
        for span in spans {
            bar(out, timeline, (track, record.kind, span), (y, rows.bar));
        }
        y += rows.row;
    }
}

fn bar(
    out: &mut String,
    timeline: &Timeline,
    (track, kind, span): (&Track, RecordKind, &Span),
    (y, bar): (f64, f64),
) {
    let x = place(timeline, span.from);
    let width = (place(timeline, span.until) - x).max(BAR_LEAST);
    let told = format!(
        "{kind} of {}: {}, {} to {}",
        track.name.text,
        words::state(span.state),
        date::minute(span.from),
        date::minute(span.until)
    );
    out.push_str(&format!(
        "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{bar}\">\
         <title>{}</title></rect>\n",
        span.state,
        escape(&told)
    ));
}

/// Marks stand in the key's first row above their moments; those that would cover each other stand
/// beside each other, with their dates behind them.
fn draw_marks(out: &mut String, (timeline, rows): (&Timeline, &Rows), track: &Track, top: f64) {
    let mut rest = track.marks.as_slice();
    let y = top + rows.header / 2.0;
    let mut free_from = LEFT;
    while let Some((first, _)) = rest.first() {
        let x = place(timeline, *first).clamp(LEFT + 5.0, RIGHT - MARK_ROOM);
        let is_near = |at: Timestamp| place(timeline, at) < x + MARK_ROOM;
        let count = rest.iter().take_while(|(at, _)| is_near(*at)).count().clamp(1, 4);
        let (group, others) = rest.split_at(count);
        rest = others;
        let foot = top + rows.header;
        out.push_str(&format!("<path class=\"leader\" d=\"M{x:.1},{y:.1} V{foot:.1}\"/>\n"));
        let mut dates: Vec<String> = Vec::new();
        for (index, (at, mark)) in group.iter().enumerate() {
            glyph(out, *mark, x + MARK_WIDTH * index as f64, y);
            let date = day(*at);
            if dates.last() != Some(&date) {
                dates.push(date);
            }
        }
        let behind = x + MARK_WIDTH * group.len() as f64 - 4.0;
        let dates = dates.join(", ");
        let length = LETTER * dates.len() as f64;
        let now = place(timeline, timeline.now);
        // The line of the present does not cross the dates: they stand before the marks then, or
        // behind the line.
        let is_crossed = now > behind - 3.0 && now < behind + length;
        let begin = x - 8.0 - length;
        let (place, anchor) = match is_crossed {
            true if begin > free_from => (x - 8.0, "end"),
            true => (now + 6.0, "start"),
            false => (behind, "start"),
        };
        free_from = if anchor == "end" { behind } else { place + length };
        label(out, "small", (place, y + 4.0), anchor, &dates);
    }
}

fn glyph(out: &mut String, mark: Mark, x: f64, y: f64) {
    out.push_str(&match mark {
        Mark::Submitted => {
            format!("<path class=\"full\" d=\"M{x:.1},{:.1} l5,9 h-10 z\"/>\n", y - 5.0)
        }
        Mark::Seen => format!("<circle class=\"full\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.4\"/>\n"),
        Mark::Retracted => {
            format!("<path class=\"open\" d=\"M{x:.1},{:.1} l5,-9 h-10 z\"/>\n", y + 5.0)
        }
        Mark::Gone => format!("<circle class=\"open\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.2\"/>\n"),
    });
}

fn now_line(out: &mut String, timeline: &Timeline, bottom: f64) {
    let x = place(timeline, timeline.now);
    let top = TOP - 4.0;
    out.push_str(&format!(
        "<line class=\"halo\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\n"
    ));
    out.push_str(&format!(
        "<line class=\"now\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\n"
    ));
    let anchor = match x {
        x if x < LEFT + 60.0 => "start",
        x if x > RIGHT - 60.0 => "end",
        _ => "middle",
    };
    let text = format!("now: {}", date::date(timeline.now));
    label(out, "small", (x, top - 4.0), anchor, &text);
}

pub(super) fn place(timeline: &Timeline, at: Timestamp) -> f64 {
    let length = timeline.until.since(timeline.from).0.max(1) as f64;
    let part = at.since(timeline.from).0 as f64 / length;
    LEFT + (RIGHT - LEFT) * part.min(1.0)
}

pub(super) fn label(out: &mut String, class: &str, (x, y): (f64, f64), anchor: &str, text: &str) {
    if !text.is_empty() {
        out.push_str(&format!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             text-anchor=\"{anchor}\">{}</text>\n",
            escape(text)
        ));
    }
}

/// Text in XML.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for one in plain(text).chars() {
        match one {
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '&' => out += "&amp;",
            '"' => out += "&quot;",
            one => out.push(one),
        }
    }
    out
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(number: u64) -> &'static str {
    MONTHS[(number as usize + 11) % 12]
}

/// `24 Nov`.
fn day(at: Timestamp) -> String {
    let civil = date::civil(at);
    format!("{} {}", civil.day, month(civil.month))
}

/// Dates of a time axis: round moments, at most `most`, with labels.
pub(super) fn ticks(from: Timestamp, until: Timestamp, most: usize) -> Vec<(Timestamp, String)> {
    let length = until.since(from).0;
    let most = most.max(2) as u64;
    let steps =
        [60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
    if let Some(step) = steps.into_iter().find(|step| length / step < most) {
        let first = from.0.div_ceil(step).saturating_mul(step);
        let moments = (0..most).map(|index| Timestamp(first.saturating_add(index * step)));
        let inside = moments.filter(|at| *at <= until);
        return inside.map(|at| (at, short_label(at, step))).collect();
    }
    let months_of = |at| {
        let civil = date::civil(at);
        civil.year * 12 + civil.month - 1
    };
    let (first, last) = (months_of(from) + 1, months_of(until));
    let steps = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 12_000];
    let step = steps.into_iter().find(|step| (last - first.min(last)) / step < most);
    let step = step.unwrap_or(12_000);
    let months = (first.div_ceil(step)..=last / step).map(|index| index * step);
    let labelled = |number: u64| {
        let at = date::month_begins(number / 12, number % 12 + 1);
        let text = match step >= 12 {
            true => (number / 12).to_string(),
            false => format!("{} {}", month(number % 12 + 1), number / 12),
        };
        (at, text)
    };
    months.map(labelled).collect()
}

fn short_label(at: Timestamp, step: u64) -> String {
    match step < DAY {
        true => date::minute(at).split(' ').next_back().unwrap_or_default().to_owned(),
        false => day(at),
    }
}
