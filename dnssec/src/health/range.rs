//! Thresholds as Monitoring Plugins write them: `[@]start:end` (guidelines, section "Threshold and
//! Ranges"). In: what `-w` and `-c` say. Out: [`Range`]. Never: floats that are no numbers.

use std::fmt;
use std::str::FromStr;

/// Values that are well; others raise an alert. `@` turns that round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    start: f64,
    end: f64,
    is_inverted: bool,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A bound is no number.
    #[error("{0:?} is no range: expected [@]START:END, such as 10, 10:, ~:10 or @10:20")]
    NoNumber(String),
    /// It ends before it starts.
    #[error("{0:?} is no range: it ends before it starts")]
    Empty(String),
}

impl Range {
    /// Alert below `start`.
    pub fn at_least(start: i64) -> Range {
        Range { start: start as f64, end: f64::INFINITY, is_inverted: false }
    }

    /// Alert above `end`, and below zero.
    pub fn at_most(end: i64) -> Range {
        Range { start: 0.0, end: end as f64, is_inverted: false }
    }

    /// Alert below `start` and above `end`.
    pub fn between(start: i64, end: i64) -> Range {
        Range { start: start as f64, end: end as f64, is_inverted: false }
    }

    /// Whether `value` raises an alert.
    pub fn alerts(&self, value: i64) -> bool {
        let value = value as f64;
        let is_inside = value >= self.start && value <= self.end;
        is_inside == self.is_inverted
    }
}

fn number(text: &str, whole: &str) -> Result<f64, RangeError> {
    let number: Option<f64> = text.parse().ok();
    number.filter(|it| it.is_finite()).ok_or_else(|| RangeError::NoNumber(whole.to_owned()))
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(whole: &str) -> Result<Range, RangeError> {
        let (is_inverted, text) = match whole.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, whole),
        };
        let (start, end) = match text.split_once(':') {
            None => (0.0, number(text, whole)?),
            Some((start, end)) => {
                let start = match start {
                    "~" => f64::NEG_INFINITY,
                    "" if !end.is_empty() => 0.0,
                    start => number(start, whole)?,
                };
                let end = if end.is_empty() { f64::INFINITY } else { number(end, whole)? };
                (start, end)
            }
        };
        match start <= end {
            true => Ok(Range { start, end, is_inverted }),
            false => Err(RangeError::Empty(whole.to_owned())),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_inverted {
            f.write_str("@")?;
        }
        match (self.start, self.end) {
            (start, end) if start == 0.0 && end.is_finite() => return write!(f, "{end}"),
            (f64::NEG_INFINITY, _) => f.write_str("~:")?,
            (start, _) => write!(f, "{start}:")?,
        }
        match self.end.is_finite() {
            true => write!(f, "{}", self.end),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, well: &[i64], alert: &[i64]) {
        let range: Range = text.parse().unwrap();
        well.iter().for_each(|value| assert!(!range.alerts(*value), "{text} {value}"));
        alert.iter().for_each(|value| assert!(range.alerts(*value), "{text} {value}"));
        assert_eq!(range.to_string().parse(), Ok(range), "{text} is {range}");
    }

    #[test]
    fn the_examples_of_the_guidelines() {
        check("10", &[0, 10], &[-1, 11]);
        check("10:", &[10, 99], &[9, -5]);
        check("~:10", &[-99, 10], &[11]);
        check("10:20", &[10, 20], &[9, 21]);
        check("@10:20", &[9, 21], &[10, 15, 20]);
        check(":20", &[0, 20], &[-1, 21]);
        check("1.5:", &[2], &[1]);
        check("~:", &[-99, 0, 99], &[]);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", ":", "@", "x", "1:x", "1:2:3", "~", "nan", "inf", "1:~", "-", "5 :6"] {
            let error = text.parse::<Range>().unwrap_err();
            assert_eq!(error, RangeError::NoNumber(text.to_owned()));
        }
        assert_eq!("20:10".parse::<Range>(), Err(RangeError::Empty("20:10".to_owned())));
    }
}
