//! Octets from a terminal become keys. In: one octet after the other. Out: [`Key`]s.
//! ANSI and VT sequences, as xterm, the Linux console, screen and serial terminals send them.
//! Limit: a sequence of more than [`SEQUENCE_OCTETS_MAX`] octets is dropped up to its end.

use heapless::Vec;

/// Longest escape sequence that is looked at.
const SEQUENCE_OCTETS_MAX: usize = 16;

/// What somebody pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character, printable or not.
    Char(char),
    /// A letter with Ctrl, as its lower case.
    Control(char),
    /// A character with Alt, or after Esc.
    Alt(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    /// A whole sequence that means nothing here.
    Unknown,
}

#[derive(Default)]
enum State {
    #[default]
    Ground,
    /// After Esc.
    Escape,
    /// After Esc [.
    Sequence(Vec<u8, SEQUENCE_OCTETS_MAX>),
    /// After Esc O.
    Single,
    /// In a character of several octets, of which so many are missing.
    Character(Vec<u8, 4>, usize),
}

/// Takes octets, gives keys.
#[derive(Default)]
pub(super) struct Decoder {
    state: State,
    was_return: bool,
}

impl Decoder {
    /// The next octet; a key when it ends one.
    pub(super) fn push(&mut self, octet: u8) -> Option<Key> {
        // A line end in two octets is one.
        let is_second = std::mem::take(&mut self.was_return) && octet == b'\n';
        match std::mem::take(&mut self.state) {
            State::Ground if is_second => None,
            State::Ground => self.ground(octet),
            State::Escape => self.escape(octet),
            State::Single => Some(named(octet, &[])),
            State::Sequence(mut parameters) => match octet {
                0x40..=0x7e => Some(named(octet, &parameters)),
                0x20..=0x3f => {
                    // What does not fit belongs to a sequence that nobody knows.
                    let _ = parameters.push(octet);
                    self.state = State::Sequence(parameters);
                    None
                }
                // Broken off by another key.
                _ => self.ground(octet),
            },
            State::Character(octets, missing) => self.character(octets, missing, octet),
        }
    }

    fn ground(&mut self, octet: u8) -> Option<Key> {
        let missing = match octet {
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            b'\r' => {
                self.was_return = true;
                return Some(Key::Enter);
            }
            b'\n' => return Some(Key::Enter),
            b'\t' => return Some(Key::Tab),
            0x08 | 0x7f => return Some(Key::Backspace),
            0x01..=0x1a => return Some(Key::Control(char::from(octet + b'a' - 1))),
            0x20..=0x7e => return Some(Key::Char(char::from(octet))),
            0xc2..=0xdf => 1,
            0xe0..=0xef => 2,
            0xf0..=0xf4 => 3,
            _ => return Some(Key::Unknown),
        };
        let octets = Vec::from_slice(&[octet]).unwrap_or_default();
        self.state = State::Character(octets, missing);
        None
    }

    fn escape(&mut self, octet: u8) -> Option<Key> {
        self.state = match octet {
            b'[' => State::Sequence(Vec::new()),
            b'O' => State::Single,
            0x1b => State::Escape,
            0x7f | 0x08 => return Some(Key::Alt('\u{8}')),
            0x20..=0x7e => return Some(Key::Alt(char::from(octet))),
            _ => return self.ground(octet),
        };
        None
    }

    fn character(&mut self, mut octets: Vec<u8, 4>, missing: usize, octet: u8) -> Option<Key> {
        if !(0x80..=0xbf).contains(&octet) || octets.push(octet).is_err() {
            return self.ground(octet);
        }
        if missing > 1 {
            self.state = State::Character(octets, missing - 1);
            return None;
        }
        let char = std::str::from_utf8(&octets).ok().and_then(|text| text.chars().next());
        Some(char.map_or(Key::Unknown, Key::Char))
    }
}

/// A sequence by its last octet and what stood before it.
fn named(last: u8, parameters: &[u8]) -> Key {
    let is_word = parameters.ends_with(b";5") || parameters.ends_with(b";3");
    match (last, parameters) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) if is_word => Key::Alt('f'),
        (b'D', _) if is_word => Key::Alt('b'),
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', b"1" | b"7") => Key::Home,
        (b'F', _) | (b'~', b"4" | b"8") => Key::End,
        (b'~', b"3") => Key::Delete,
        (b'M', b"") => Key::Enter,
        _ => Key::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(octets: &[u8]) -> std::vec::Vec<Key> {
        let mut decoder = Decoder::default();
        octets.iter().filter_map(|octet| decoder.push(*octet)).collect()
    }

    #[test]
    fn sequences_are_keys() {
        assert_eq!(
            keys(b"a\x1b[A\x1bOB\x1b[3~"),
            [Key::Char('a'), Key::Up, Key::Down, Key::Delete]
        );
        assert_eq!(keys(b"\x1b[1;5C\x1bb"), [Key::Alt('f'), Key::Alt('b')]);
        assert_eq!(keys(b"\r\n\n\x12"), [Key::Enter, Key::Enter, Key::Control('r')]);
        assert_eq!(keys("é\u{1f511}".as_bytes()), [Key::Char('é'), Key::Char('\u{1f511}')]);
        assert_eq!(keys(b"\xff\xc3a"), [Key::Unknown, Key::Char('a')]);
        let long = [b"\x1b[".as_slice(), &[b'1'; 5000], b"~x"].concat();
        assert_eq!(keys(&long), [Key::Unknown, Key::Char('x')]);
    }
}
