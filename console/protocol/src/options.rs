//! Options as `getopt_long` reads them, with its complaints: short ones in one word, long ones
//! cut short, values after `=` or in the next word, `--` as the end. In: words. Out: [`Words`].
//! Not clap: it ends the program at a wrong option, and OpenDNSSEC's tools go on.

/// An option that a program knows.
pub struct Known {
    /// Its letter, which is also its name in [`Given`].
    pub short: char,
    /// Its long name.
    pub long: &'static str,
    /// Whether a value belongs to it.
    pub takes_value: bool,
}

/// What stands on the command line.
#[derive(Debug, PartialEq, Eq)]
pub enum Given {
    /// An option by its short name, with its value.
    Option(char, Option<String>),
    /// A complaint, without the program's name.
    Wrong(String),
}

/// Where options may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before, between and behind other words.
    Anywhere,
    /// Before the first other word; from there on, everything is an operand.
    InFront,
}

/// Words taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The options in their order.
    pub given: Vec<Given>,
    /// The words that belong to no option.
    pub operands: Vec<String>,
}

/// The options among `words`, in their order; other words are passed over.
pub fn read(words: &[String], known: &[Known]) -> Vec<Given> {
    take_apart(words, known, Place::Anywhere).given
}

/// Options and operands.
pub fn take_apart(words: &[String], known: &[Known], place: Place) -> Words {
    let (mut given, mut operands) = (Vec::new(), Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            operands.extend(words.cloned());
            break;
        } else if !word.starts_with('-') || word == "-" {
            operands.push(word.clone());
            if place == Place::InFront {
                operands.extend(words.cloned());
                break;
            }
        } else if let Some(text) = word.strip_prefix("--") {
            given.push(long(text, known, &mut words));
        } else if let Some(letters) = word.strip_prefix('-') {
            let takes_value = |letter| {
                let option = known.iter().find(|option| option.short == letter);
                option.map(|option| option.takes_value)
            };
            short(letters, takes_value, &mut words, &mut given);
        }
    }
    Words { given, operands }
}

fn long<'a>(text: &str, known: &[Known], rest: &mut impl Iterator<Item = &'a String>) -> Given {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let exact = known.iter().find(|option| option.long == name);
    let begin: Vec<&Known> = known.iter().filter(|one| one.long.starts_with(name)).collect();
    let option = match (exact, begin.as_slice()) {
        (Some(option), _) => option,
        (None, [option]) => *option,
        (None, []) => return Given::Wrong(format!("unrecognized option '--{text}'")),
        (None, several) => {
            let names: String = several.iter().map(|one| format!(" '--{}'", one.long)).collect();
            return Given::Wrong(format!("option '--{text}' is ambiguous; possibilities:{names}"));
        }
    };
    match (option.takes_value, value) {
        (false, Some(_)) => {
            Given::Wrong(format!("option '--{}' doesn't allow an argument", option.long))
        }
        (false, None) => Given::Option(option.short, None),
        (true, value) => match value.or_else(|| rest.next().cloned()) {
            Some(value) => Given::Option(option.short, Some(value)),
            None => Given::Wrong(format!("option '--{}' requires an argument", option.long)),
        },
    }
}

/// The options of one word of short ones. `takes_value` says whether an option takes a value;
/// `None`: there is no such option.
pub fn short<'a>(
    letters: &str,
    takes_value: impl Fn(char) -> Option<bool>,
    rest: &mut impl Iterator<Item = &'a String>,
    given: &mut Vec<Given>,
) {
    for (at, letter) in letters.char_indices() {
        match takes_value(letter) {
            None => given.push(Given::Wrong(format!("invalid option -- '{letter}'"))),
            Some(false) => given.push(Given::Option(letter, None)),
            Some(true) => {
                let attached = &letters[at + letter.len_utf8()..];
                let value =
                    if attached.is_empty() { rest.next().cloned() } else { Some(attached.into()) };
                given.push(match value {
                    Some(value) => Given::Option(letter, Some(value)),
                    None => Given::Wrong(format!("option requires an argument -- '{letter}'")),
                });
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
