//! A shell with whatever is typed and whatever the daemon answers: no panic, and nothing reaches
//! the terminal but printable text, line ends, backspaces and bells, nor the history but printable
//! lines. Used by the fuzz target and, over mutated sessions, by a test of the console.

use console::screen::is_printable;
use console::shell::{Effect, Session, Settings};
use console_protocol::messages::Answer;

/// Ends a piece; no part of UTF-8, so no answer or key is lost by it.
pub(crate) const END: u8 = 0xff;

fn check(effects: Vec<Effect>, is_unicode: bool) -> bool {
    let mut is_over = false;
    for effect in effects {
        match effect {
            Effect::Write(octets) => {
                let text = String::from_utf8(octets).expect("what is shown is text");
                let is_safe =
                    |char| "\r\n\u{8}\u{7}".contains(char) || is_printable(char, is_unicode);
                assert!(text.chars().all(is_safe), "{text:?}");
            }
            Effect::End(_) => is_over = true,
            Effect::Complain(_) => panic!("a terminal has one stream"),
            Effect::Remember(line) => {
                let is_safe = |char| is_printable(char, is_unicode);
                assert!(line.chars().all(is_safe), "{line:?}");
            }
            Effect::Ask(_) | Effect::Abandon => {}
        }
    }
    is_over
}

/// Goes through a session.
pub(crate) fn run(data: &[u8]) {
    let [columns, rows, flags, rest @ ..] = data else { return };
    let is_unicode = flags & 1 == 1;
    let mut session = Session::new(Settings {
        box_name: "box".to_owned(),
        columns: u16::from(*columns),
        rows: u16::from(*rows),
        is_unicode,
        is_terminal: true,
        history: vec!["zone list".to_owned()],
    });
    check(session.start(), is_unicode);
    for piece in rest.split(|octet| *octet == END) {
        let effects = match piece.split_first() {
            Some((0, text)) => session.answer(Answer::Stdout(text.to_vec())),
            Some((1, text)) => session.answer(Answer::Stderr(text.to_vec())),
            Some((2, code)) => {
                session.answer(Answer::End { exit_code: code.first().copied().unwrap_or(0) })
            }
            Some((4, text)) => session.answer(Answer::Question(text.to_vec())),
            Some((5, [columns, rows, ..])) => {
                session.resized(u16::from(*columns), u16::from(*rows))
            }
            Some((6, text)) => session.failed(&String::from_utf8_lossy(text), 201),
            Some(_) => session.input(piece),
            None => continue,
        };
        if check(effects, is_unicode) {
            return;
        }
    }
}
