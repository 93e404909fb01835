//! Lists of our own commands: columns for people, objects for programs. In: rows of cells. Out:
//! text, or a JSON array of flat objects (RFC 8259) with the same facts.
//! In JSON times are seconds since 1970, in text the local time; what is not known is `null`, `-`.

use super::audit_log::quoted;
use super::output::Output;
use crate::io::local_time::date_time;
use console_protocol::parse::Invocation;
use dnssec::{Serial, Timestamp};

/// A column is this wide at most, unless it is the last one.
const WIDTH_MAX: usize = 40;

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    Number(u64),
    Moment(Timestamp),
    Flag(bool),
    /// Several texts.
    Texts(Vec<String>),
    /// Rows of their own, which are objects already.
    Objects(Vec<String>),
    Nothing,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell::Text(text.into())
    }

    pub(super) fn moment(at: Option<Timestamp>) -> Cell {
        at.map_or(Cell::Nothing, Cell::Moment)
    }

    /// What is not known is nothing.
    pub(super) fn maybe(text: Option<impl Into<String>>) -> Cell {
        text.map_or(Cell::Nothing, Cell::text)
    }

    pub(super) fn serial(serial: Option<Serial>) -> Cell {
        serial.map_or(Cell::Nothing, |serial| Cell::Number(u64::from(serial.0)))
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.lines().next().unwrap_or_default().to_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Moment(at) => date_time(*at),
            Cell::Flag(is_so) => if *is_so { "yes" } else { "no" }.to_owned(),
            Cell::Texts(texts) | Cell::Objects(texts) => texts.join(", "),
            Cell::Nothing => "-".to_owned(),
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Text(text) => quoted(text),
            Cell::Number(number) => number.to_string(),
            Cell::Moment(at) => at.0.to_string(),
            Cell::Flag(is_so) => is_so.to_string(),
            Cell::Texts(texts) => {
                format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(","))
            }
            Cell::Objects(objects) => format!("[{}]", objects.join(",")),
            Cell::Nothing => "null".to_owned(),
        }
    }
}

/// A list. Columns have a title and a name for JSON.
pub(super) struct Listing {
    pub(super) columns: &'static [(&'static str, &'static str)],
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Rows for programs, of a command that has a text of its own for people.
pub(super) fn array(names: &[&str], rows: impl IntoIterator<Item = Vec<Cell>>) -> Output {
    Output::done(lines(rows.into_iter().map(|row| members(names, &row)).collect()))
}

/// Objects as an array, one a line.
pub(super) fn lines(objects: Vec<String>) -> String {
    match objects.is_empty() {
        true => "[]\n".to_owned(),
        false => format!("[\n  {}\n]\n", objects.join(",\n  ")),
    }
}

/// One row as an object.
pub(super) fn members(names: &[&str], row: &[Cell]) -> String {
    let members = names.iter().zip(row);
    let members = members.map(|(name, cell)| format!("{}:{}", quoted(name), cell.json()));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

impl Listing {
    /// The answer, as it was asked for; `nothing` is said instead of an empty list.
    pub(super) fn output(&self, invocation: &Invocation, nothing: &str) -> Output {
        Output::done(match (invocation.has("json"), self.rows.is_empty()) {
            (true, _) => self.json(),
            (false, true) => nothing.to_owned(),
            (false, false) => self.text(),
        })
    }

    fn text(&self) -> String {
        let titles: Vec<String> = self.columns.iter().map(|(title, _)| title.to_string()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::shown).collect());
        let all: Vec<Vec<String>> = [titles].into_iter().chain(rows).collect();
        let width = |at: usize| {
            let cells = all.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(WIDTH_MAX)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        all.iter().map(line).collect()
    }

    fn json(&self) -> String {
        lines(self.rows.iter().map(|row| object(self.columns, row)).collect())
    }
}

/// One row as an object.
pub(super) fn object(columns: &[(&str, &str)], row: &[Cell]) -> String {
    let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
    members(&names, row)
}

/// One thing's facts, one a line, or as an object.
pub(super) fn facts(invocation: &Invocation, columns: &[(&str, &str)], row: &[Cell]) -> Output {
    if invocation.has("json") {
        return Output::done(object(columns, row) + "\n");
    }
    let width = columns.iter().map(|(title, _)| title.len()).max().unwrap_or(0) + 1;
    let line = |((title, _), cell): (&(&str, &str), &Cell)| {
        let title = format!("{title}:");
        format!("{title:<width$} {}\n", cell.shown())
    };
    Output::done(columns.iter().zip(row).map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_text_or_json() {
        let listing = Listing {
            columns: &[("Zone", "zone"), ("Keys", "keys"), ("Fault", "fault")],
            rows: vec![
                vec![Cell::text("a.example"), Cell::Number(2), Cell::Nothing],
                vec![Cell::text("b\"."), Cell::Number(10), Cell::text("one\ntwo")],
            ],
        };
        let text = "Zone       Keys  Fault\na.example  2     -\nb\".        10    one\n";
        assert_eq!(listing.text(), text);
        let json = "[\n  {\"zone\":\"a.example\",\"keys\":2,\"fault\":null},\n  \
                    {\"zone\":\"b\\\".\",\"keys\":10,\"fault\":\"one\\u000atwo\"}\n]\n";
        assert_eq!(listing.json(), json);
    }
}
