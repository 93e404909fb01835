//! Rust source text split into what the compiler reads and what people read: two texts of the same
//! shape, in which everything else is blank. A rule about calls looks at the first, a rule about
//! comments at the second, so neither is fooled by the other. Limits: a lexer for our own formatted
//! code, not for every legal program.

/// The two views; lines and columns are those of the source.
pub(super) struct Views {
    /// Code, with the contents of strings and comments blank.
    pub(super) code: String,
    /// Comments alone.
    pub(super) comments: String,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Code,
    LineComment,
    /// Depth of nesting.
    BlockComment(usize),
    /// A string that knows escapes.
    Text,
    /// A raw string that ends with a quote and this many `#`.
    RawText(usize),
}

/// Splits `source`.
pub(super) fn split(source: &str) -> Views {
    let chars: Vec<char> = source.chars().collect();
    let mut views = Views { code: String::new(), comments: String::new() };
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, length) = step(state, &chars, at);
        // A delimiter belongs to the state that it opens or closes.
        let visible = if next == State::Code { state } else { next };
        for &c in &chars[at..at + length] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            let in_code = visible == State::Code;
            let in_comment = matches!(visible, State::LineComment | State::BlockComment(_));
            views.code.push(if in_code { c } else { blank });
            views.comments.push(if in_comment { c } else { blank });
        }
        state = next;
        at += length;
    }
    views
}

/// The state after the token at `at`, and the token's length in characters (at least 1).
fn step(state: State, chars: &[char], at: usize) -> (State, usize) {
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c));
    match state {
        State::LineComment if chars[at] == '\n' => (State::Code, 1),
        State::LineComment => (state, 1),
        State::BlockComment(depth) if starts("/*") => (State::BlockComment(depth + 1), 2),
        State::BlockComment(1) if starts("*/") => (State::Code, 2),
        State::BlockComment(depth) if starts("*/") => (State::BlockComment(depth - 1), 2),
        State::BlockComment(_) => (state, 1),
        State::Text if chars[at] == '\\' => (state, 2.min(chars.len() - at)),
        State::Text if chars[at] == '"' => (State::Code, 1),
        State::Text => (state, 1),
        State::RawText(hashes) if starts(&format!("\"{}", "#".repeat(hashes))) => {
            (State::Code, 1 + hashes)
        }
        State::RawText(_) => (state, 1),
        State::Code if starts("//") => (State::LineComment, 2),
        State::Code if starts("/*") => (State::BlockComment(1), 2),
        State::Code if chars[at] == '"' => (State::Text, 1),
        State::Code if chars[at] == 'r' && !continues_word(chars, at) => raw_start(chars, at),
        State::Code if chars[at] == '\'' => (State::Code, character_length(chars, at)),
        State::Code => (State::Code, 1),
    }
}

/// Whether the character before `at` makes an `r` there part of a longer word. In `br"` it does
/// not.
fn continues_word(chars: &[char], at: usize) -> bool {
    let Some(before) = at.checked_sub(1).map(|i| chars[i]) else { return false };
    before != 'b' && (before.is_alphanumeric() || before == '_')
}

fn raw_start(chars: &[char], at: usize) -> (State, usize) {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) == Some(&'"') {
        (State::RawText(hashes), 2 + hashes)
    } else {
        (State::Code, 1)
    }
}

/// Length of a character literal at a `'`, or 1 for a lifetime.
fn character_length(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), Some(_)) => {
            // The escaped character may itself be a quote, so the search starts behind it.
            let rest = chars[at + 3..].iter().position(|c| *c == '\'').unwrap_or(0);
            rest + 4
        }
        (Some(_), Some('\'')) => 3,
        _ => 1,
    }
    .min(chars.len() - at)
}
