//! The shell, without I/O of its own: octets in, [`Effect`]s out, so that a local terminal, a
//! serial line and SSH have the same one.
//!
//! Files: [`keys`] octets to keys, [`line`] the line editor, [`history`], [`words`] a line as words
//! and filters, [`complete`] what may follow, [`filter`] pipes, [`pager`]; here is who waits for
//! what: [`Session`].
//!
//! ```text
//!            start            Enter             all of the answer is here
//!   (new) --------> Waiting <--------- Editing <---------+ (no page is full)
//!                   | prompt, names,      ^  ^           |
//!                   | command             |  +-- q ---- Paging <-- (a page is full)
//!                   +---- answer ---------+
//! ```
//!
//! Never: clocks, files, sockets; text of the daemon that was not made printable; escape sequences,
//! so that every terminal will do: a line is drawn anew with carriage returns and backspaces.
//! Limits: [`LINE_CHARS_MAX`], [`TYPED_AHEAD_OCTETS_MAX`], [`OUTPUT_OCTETS_MAX`], and those of
//! history; none of them can be made to grow from outside.

mod complete;
mod editing;
mod filter;
mod history;
mod keys;
mod line;
mod pager;
mod running;
mod words;

pub use filter::{FILTERS, FilterError};
pub use history::ENTRIES_MAX;
pub use line::LINE_CHARS_MAX;
pub use words::{Typed, WordsError, take_apart, words};

use crate::screen;
use complete::Next;
use console_protocol::messages::{Answer, Request};
use filter::Filters;
use heapless::Deque;
use history::History;
use keys::{Decoder, Key};
use line::Line;
use pager::Pager;
use std::time::Duration;

/// Octets that may be typed while a command runs; more are dropped.
pub const TYPED_AHEAD_OCTETS_MAX: usize = 4096;
/// Most of one command's output that is kept; the rest is cut off, and the user is told.
pub const OUTPUT_OCTETS_MAX: usize = 16 << 20;
/// Rings the terminal's bell.
const BELL: &[u8] = b"\x07";

/// What somebody is told whose session ends since nothing was typed.
pub fn idle_text(idle: Duration) -> String {
    match (idle.as_secs() / 60, idle.as_secs()) {
        (0, 1) => "1 second without input: good bye.".to_owned(),
        (0 | 1, seconds) => format!("{seconds} seconds without input: good bye."),
        (minutes, _) => format!("{minutes} minutes without input: good bye."),
    }
}

/// How the session looks.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The prompt's first word until the daemon has said its box's name.
    pub box_name: String,
    /// Columns of the terminal; 80 when nobody knows.
    pub columns: u16,
    /// Rows of the terminal; 24 when nobody knows.
    pub rows: u16,
    /// Whether the terminal shows UTF-8.
    pub is_unicode: bool,
    /// Whether somebody sits at a terminal. If not, lines come from a script: no prompt, no
    /// echo, no pages, and no short words.
    pub is_terminal: bool,
    /// Lines that the user gave before, oldest first.
    pub history: Vec<String>,
}

/// What the host of a session is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Write to the terminal, or to standard output.
    Write(Vec<u8>),
    /// Write to standard error; at a terminal, everything is [`Effect::Write`].
    Complain(Vec<u8>),
    /// Send this to the daemon, and give every answer to [`Session::answer`].
    Ask(Request),
    /// The answer is not wanted any more: close the connection.
    Abandon,
    /// Keep this line for the user's next session.
    Remember(String),
    /// The session is over; the exit code of a script is that of its last command.
    End(u8),
}

/// What a request is for.
enum Purpose {
    Prompt,
    Names { next: Next, partial: String, is_list: bool },
    Command { request: Request, filters: Filters },
}

/// What is waited for.
enum State {
    /// The daemon.
    Waiting(Purpose),
    /// Keys for the line.
    Editing,
    /// Keys for a search in the history; found so many steps back.
    Searching { wanted: String, found: Option<usize> },
    /// A yes or no.
    Asked(Request, Filters),
    /// Keys for the next page.
    Paging(Pager),
    /// Nothing.
    Ended,
}

/// One user's shell.
pub struct Session {
    settings: Settings,
    line: Box<Line>,
    history: Box<History>,
    typed_ahead: Box<Deque<u8, TYPED_AHEAD_OCTETS_MAX>>,
    decoder: Decoder,
    state: State,
    prompt: String,
    /// Columns that are drawn behind the prompt, and where the cursor is among them.
    drawn: usize,
    drawn_cursor: usize,
    /// Steps back in the history; the line that was being typed when going back began.
    steps_back: usize,
    unsent: String,
    /// The last key was a TAB that could not go on.
    was_tab: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    is_cut: bool,
    has_input_ended: bool,
    exit_code: u8,
    effects: Vec<Effect>,
}

impl Session {
    /// A session that has not begun.
    pub fn new(settings: Settings) -> Session {
        let mut history = Box::<History>::default();
        // Another terminal of the same user may show what this one does not.
        let is_shown = |line: &&String| {
            line.chars().all(|char| screen::is_printable(char, settings.is_unicode))
        };
        for line in settings.history.iter().filter(is_shown) {
            history.add(line);
        }
        Session {
            prompt: format!("{}> ", screen::printable(&settings.box_name, settings.is_unicode)),
            settings,
            line: Box::default(),
            history,
            typed_ahead: Box::default(),
            decoder: Decoder::default(),
            state: State::Editing,
            drawn: 0,
            drawn_cursor: 0,
            steps_back: 0,
            unsent: String::new(),
            was_tab: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            is_cut: false,
            has_input_ended: false,
            exit_code: 0,
            effects: Vec::new(),
        }
    }

    /// Begins: the prompt.
    pub fn start(&mut self) -> Vec<Effect> {
        self.ready();
        self.go_on()
    }

    /// Octets from the terminal.
    pub fn input(&mut self, octets: &[u8]) -> Vec<Effect> {
        for octet in octets {
            // Ctrl-C does not wait behind what was typed before it.
            let is_interrupt = *octet == 0x03 && self.settings.is_terminal;
            if is_interrupt && matches!(self.state, State::Waiting(_)) {
                self.typed_ahead.clear();
                self.interrupt();
            } else if self.typed_ahead.push_back(*octet).is_err() {
                self.take_keys();
                if self.typed_ahead.push_back(*octet).is_err() {
                    self.write(BELL);
                }
            }
        }
        self.go_on()
    }

    /// No more will come from the terminal.
    pub fn input_ended(&mut self) -> Vec<Effect> {
        self.has_input_ended = true;
        self.go_on()
    }

    /// The terminal has another size.
    pub fn resized(&mut self, columns: u16, rows: u16) -> Vec<Effect> {
        (self.settings.columns, self.settings.rows) = (columns, rows);
        if matches!(self.state, State::Editing) {
            self.draw();
        }
        self.go_on()
    }

    /// A part of the daemon's answer.
    pub fn answer(&mut self, answer: Answer) -> Vec<Effect> {
        match answer {
            Answer::Stdout(text) => self.collect(text, |session| &mut session.stdout),
            Answer::Stderr(text) => self.collect(text, |session| &mut session.stderr),
            Answer::End { exit_code } => self.answered(exit_code),
            Answer::Question(text) => self.asked(text),
        }
        self.go_on()
    }

    /// The daemon cannot be reached, or the connection broke.
    pub fn failed(&mut self, text: &str, exit_code: u8) -> Vec<Effect> {
        self.away(text, exit_code);
        self.go_on()
    }

    /// Whether octets would be worked on now. A host that reads a script waits for that before it
    /// reads on, so that nothing is dropped.
    pub fn wants_input(&self) -> bool {
        !matches!(self.state, State::Waiting(_) | State::Ended) && self.typed_ahead.is_empty()
    }

    fn collect(&mut self, text: Vec<u8>, buffer: impl Fn(&mut Session) -> &mut Vec<u8>) {
        if !matches!(self.state, State::Waiting(_)) {
            // Of a command that was given up.
            return;
        }
        let buffer = buffer(self);
        let room = OUTPUT_OCTETS_MAX - buffer.len();
        buffer.extend_from_slice(&text[..text.len().min(room)]);
        self.is_cut |= text.len() > room;
    }

    /// Works on what was typed, as far as it goes, and hands the effects out.
    fn go_on(&mut self) -> Vec<Effect> {
        self.take_keys();
        let is_idle = !matches!(self.state, State::Waiting(_) | State::Ended);
        if self.has_input_ended && is_idle && self.typed_ahead.is_empty() {
            match self.line.is_empty() || self.settings.is_terminal {
                true => self.end(),
                // The last line of a script has no line end.
                false => self.enter(),
            }
            return self.go_on_or_out();
        }
        std::mem::take(&mut self.effects)
    }

    fn go_on_or_out(&mut self) -> Vec<Effect> {
        match self.state {
            State::Waiting(_) | State::Ended => std::mem::take(&mut self.effects),
            _ => self.go_on(),
        }
    }

    fn take_keys(&mut self) {
        while !matches!(self.state, State::Waiting(_) | State::Ended) {
            let Some(octet) = self.typed_ahead.pop_front() else { break };
            if let Some(key) = self.decoder.push(octet) {
                self.key(key);
            }
        }
    }

    fn key(&mut self, key: Key) {
        match &self.state {
            State::Editing => self.edit(key),
            State::Searching { .. } => self.search(key),
            State::Asked(..) => self.reply(key),
            State::Paging(_) => self.turn_page(key),
            State::Waiting(_) | State::Ended => {}
        }
    }

    fn end(&mut self) {
        let exit_code = match self.settings.is_terminal {
            true => {
                self.write(b"\r\n");
                0
            }
            false => self.exit_code,
        };
        self.state = State::Ended;
        self.effects.push(Effect::End(exit_code));
    }

    /// Writes octets as they are.
    fn write(&mut self, octets: &[u8]) {
        match self.effects.last_mut() {
            Some(Effect::Write(last)) => last.extend_from_slice(octets),
            _ => self.effects.push(Effect::Write(octets.to_vec())),
        }
    }

    /// Writes text: printable, and with the line ends that a terminal in raw mode needs.
    fn say(&mut self, text: &str) {
        match self.settings.is_terminal {
            true => {
                let text = screen::printable(text, self.settings.is_unicode).replace('\n', "\r\n");
                self.write(text.as_bytes());
            }
            false => self.write(text.as_bytes()),
        }
    }

    /// Says what went wrong.
    fn complain(&mut self, text: &str) {
        match self.settings.is_terminal {
            true => self.say(text),
            false => self.effects.push(Effect::Complain(text.as_bytes().to_vec())),
        }
    }
}

#[cfg(test)]
mod tests;
