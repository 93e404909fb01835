//! A timeline for terminals: a line for each record, 80 columns, ASCII.
//! In: a timeline. Out: text. `/` comes, `#` is everywhere, `\` goes, `.` is in no cache.

use super::agenda::LINES_MAX;
use super::chart::ticks;
use super::date;
use super::names::plain;
use super::timeline::{Mark, RecordTrack, Timeline, Track};
use crate::Timestamp;
use crate::enforcer::RecordState;

/// Where the plot begins.
const LEFT: usize = 18;
/// Columns of the plot.
const COLUMNS: usize = 80 - LEFT;

/// The picture.
pub fn strip(timeline: &Timeline) -> String {
    let head = format!(
        "Keys of {}, policy {}: {} to {} (UTC)",
        plain(&timeline.zone),
        plain(&timeline.policy),
        date::date(timeline.from),
        date::date(timeline.until)
    );
    let mut text = super::table::wrap(&head, 2) + "\n";
    if timeline.tracks.is_empty() {
        return text + "No key is seen in this time.\n";
    }
    let now = column(timeline, timeline.now);
    text += &labels(timeline);
    text += &match now + 5 > COLUMNS {
        true => format!("{:>1$}\n", "now v", LEFT + now + 1),
        false => format!("{:1$}v now\n", "", LEFT + now),
    };
    for track in &timeline.tracks {
        text += &header(timeline, track);
        for record in &track.records {
            let label = format!("  {}", super::words::record(record.kind));
            text += &format!("{label:LEFT$}{}\n", cells(timeline, record));
        }
    }
    if timeline.left_out > 0 {
        text += &format!("and {} more keys\n", timeline.left_out);
    }
    text += "\n/ is coming   # in all caches   \\ is going   . in no cache\n\
             DS: S handed to the parent, s seen there; R to be removed, r gone\n";
    text + &yours(timeline)
}

/// What operators have to do.
fn yours(timeline: &Timeline) -> String {
    let mut text = String::new();
    for (at, told) in timeline.yours.iter().take(LINES_MAX) {
        text += &super::table::wrap(&format!("  {}  {}", date::minute(*at), plain(told)), 20);
    }
    match timeline.yours.len() {
        0 => text,
        count if count > LINES_MAX => {
            format!("\nYou:\n{text}  and {} more (plan tells them)\n", count - LINES_MAX)
        }
        _ => format!("\nYou:\n{text}"),
    }
}

fn column(timeline: &Timeline, at: Timestamp) -> usize {
    let length = u128::from(timeline.until.since(timeline.from).0.max(1));
    let part = u128::from(at.since(timeline.from).0) * COLUMNS as u128 / length;
    usize::try_from(part).unwrap_or(COLUMNS).min(COLUMNS - 1)
}

/// The dates of the axis, as many as fit.
fn labels(timeline: &Timeline) -> String {
    let (mut words, mut marks) = (String::new(), String::new());
    for (at, label) in ticks(timeline.from, timeline.until, COLUMNS / 10) {
        let place = column(timeline, at);
        let is_free = words.is_empty() || words.len() < place;
        if is_free && place + label.len() <= COLUMNS {
            words += &" ".repeat(place - words.len());
            words += &label;
            marks += &" ".repeat(place - marks.len());
            marks.push('|');
        }
    }
    format!("{:LEFT$}{words}\n{:LEFT$}{marks}\n", "", "")
}

/// The key's name, and letters for what is done about its DS.
fn header(timeline: &Timeline, track: &Track) -> String {
    let mut line = format!("{:LEFT$}", track.name.text);
    let start = line.chars().count().max(LEFT);
    for (at, mark) in &track.marks {
        let place = (LEFT + column(timeline, *at)).max(start);
        let used = line.chars().count();
        if used >= super::table::WIDTH {
            break;
        }
        let missing = place.saturating_sub(used);
        line += &" ".repeat(missing);
        line.push(match mark {
            Mark::Submitted => 'S',
            Mark::Seen => 's',
            Mark::Retracted => 'R',
            Mark::Gone => 'r',
        });
    }
    line.trim_end().to_owned() + "\n"
}

/// A cell shows what passes soonest of what is in it.
fn cells(timeline: &Timeline, record: &RecordTrack) -> String {
    let mut cells = [RecordState::Hidden; COLUMNS];
    let rank = |state| match state {
        RecordState::Hidden => 0,
        RecordState::Omnipresent => 1,
        RecordState::Rumoured | RecordState::Unretentive => 2,
    };
    for span in &record.spans {
        // The moment after the last belongs to the next span.
        let last = column(timeline, Timestamp(span.until.0.saturating_sub(1)).max(span.from));
        for cell in &mut cells[column(timeline, span.from)..=last] {
            if rank(span.state) > rank(*cell) {
                *cell = span.state;
            }
        }
    }
    let sign = |state: &RecordState| match state {
        RecordState::Hidden => '.',
        RecordState::Rumoured => '/',
        RecordState::Omnipresent => '#',
        RecordState::Unretentive => '\\',
    };
    cells.iter().map(sign).collect()
}
