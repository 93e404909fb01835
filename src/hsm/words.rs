//! Short options as `getopt` reads them: `-c FILE`, `-cFILE`, `-vf`, options behind other words,
//! `--` as the end. In: words. Out: [`Words`]. The tools of OpenDNSSEC that have no long options
//! read their words so.

pub(super) use crate::options::Given;
use crate::options::short;

/// Options in their order, and the words that belong to none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) given: Vec<Given>,
    pub(super) operands: Vec<String>,
}

/// Takes the words apart. `known` has the letters, each with a colon behind it if it takes a value.
pub(super) fn read(words: &[String], known: &str) -> Words {
    let mut read = Words { given: Vec::new(), operands: Vec::new() };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.strip_prefix('-') {
            Some("-") => {
                read.operands.extend(words.cloned());
                break;
            }
            Some(letters) if !letters.is_empty() => {
                let takes_value = |letter: char| {
                    let place = known.find(letter).filter(|_| letter != ':')?;
                    Some(known[place + letter.len_utf8()..].starts_with(':'))
                };
                short(letters, takes_value, &mut words, &mut read.given);
            }
            _ => read.operands.push(word.clone()),
        }
    }
    read
}

/// A number as C's `atoi` reads it: what follows the digits does not count, and no digits are 0.
/// What does not fit is the nearest that does.
pub(super) fn atoi(word: &str) -> i64 {
    let word = word.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let value = digits.fold(0_i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    (sign * value).clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, given: &[Given], operands: &[&str]) {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let read = read(&words, "c:vVhf");
        assert_eq!(read.given, given, "{line}");
        assert_eq!(read.operands, operands, "{line}");
    }

    #[test]
    fn options_and_operands() {
        let option = |letter, value: Option<&str>| Given::Option(letter, value.map(str::to_owned));
        check("list -c conf.xml x", &[option('c', Some("conf.xml"))], &["list", "x"]);
        check("-vcconf", &[option('v', None), option('c', Some("conf"))], &[]);
        check("-v -- -f - x", &[option('v', None)], &["-f", "-", "x"]);
        check("- x", &[], &["-", "x"]);
        let wrong = |text: &str| Given::Wrong(text.to_owned());
        check("-xf", &[wrong("invalid option -- 'x'"), option('f', None)], &[]);
        check("-:", &[wrong("invalid option -- ':'")], &[]);
        check("list -c", &[wrong("option requires an argument -- 'c'")], &["list"]);
    }

    #[test]
    fn numbers() {
        for (word, number) in [
            ("256", 256),
            (" +8x", 8),
            ("-3", -3),
            ("x", 0),
            ("", 0),
            ("99999999999999999999", i64::from(i32::MAX)),
        ] {
            assert_eq!(atoi(word), number, "{word}");
        }
    }
}
