//! Keys that change the line: emacs's, arrows, TAB, `?`, history and the search in it.

use super::complete::{self, Next, common_begin};
use super::keys::Key;
use super::line::Line;
use super::words;
use super::{BELL, Effect, Purpose, Session, State};
use crate::screen::{is_printable, text_width};
use console_protocol::messages::Request;

/// Columns that the line has at least, however long the prompt is.
const LINE_COLUMNS_MIN: usize = 20;
/// Most candidates that are listed.
const LISTED_MAX: usize = 100;

impl Session {
    /// Asks for a new line: first the daemon for the prompt.
    pub(super) fn ready(&mut self) {
        self.line.clear();
        (self.steps_back, self.was_tab) = (0, false);
        if !self.settings.is_terminal {
            self.state = State::Editing;
            return;
        }
        let words = ["show", "status", "--brief"].map(str::to_owned).to_vec();
        self.ask(Request::new(words), Purpose::Prompt);
    }

    /// Takes the prompt from the daemon's words: the box, the user's roles, the number of alarms.
    pub(super) fn take_prompt(&mut self, text: &str) {
        let text = crate::screen::printable(text, self.settings.is_unicode);
        let mut words = text.split_whitespace();
        let (Some(name), Some(roles), Some(alarms)) = (words.next(), words.next(), words.next())
        else {
            return self.prompt_without_daemon();
        };
        let state = match alarms {
            "0" => String::new(),
            "1" => " [1 alarm]".to_owned(),
            count => format!(" [{count} alarms]"),
        };
        self.settings.box_name = name.to_owned();
        self.prompt = format!("{name} ({roles}){state}> ");
    }

    pub(super) fn prompt_without_daemon(&mut self) {
        let name = &self.settings.box_name;
        let name = crate::screen::printable(name, self.settings.is_unicode);
        self.prompt = format!("{name} (daemon not running)> ");
    }

    /// Shows prompt and line on a new row.
    pub(super) fn show_line(&mut self) {
        self.state = State::Editing;
        (self.drawn, self.drawn_cursor) = (0, 0);
        self.draw();
    }

    /// Draws prompt and line over what is there.
    pub(super) fn draw(&mut self) {
        if !self.settings.is_terminal {
            return;
        }
        let prompt = self.prompt.clone();
        let line = self.line.view(self.line_columns());
        self.draw_row(&prompt, &line.text, line.cursor_column);
    }

    fn line_columns(&self) -> usize {
        let columns = usize::from(self.settings.columns);
        columns.saturating_sub(text_width(&self.prompt)).max(LINE_COLUMNS_MIN)
    }

    fn draw_row(&mut self, head: &str, text: &str, cursor_column: usize) {
        let (head_width, width) = (text_width(head), text_width(text));
        let (end, cursor) = (head_width + width, head_width + cursor_column);
        let blanks = self.drawn.saturating_sub(end);
        let back = end + blanks - cursor;
        let row = format!("\r{head}{text}{}{}", " ".repeat(blanks), "\u{8}".repeat(back));
        self.write(row.as_bytes());
        (self.drawn, self.drawn_cursor) = (end, cursor);
    }

    pub(super) fn edit(&mut self, key: Key) {
        let was_tab = std::mem::take(&mut self.was_tab);
        let change: fn(&mut Line) = match key {
            Key::Enter => return self.enter(),
            Key::Char('?') if self.settings.is_terminal && self.may_ask() => {
                return self.complete(true);
            }
            Key::Char(char) => return self.typed(char),
            Key::Tab if self.settings.is_terminal => return self.complete(was_tab),
            Key::Tab => return self.typed(' '),
            _ if !self.settings.is_terminal => return,
            Key::Up | Key::Control('p') => return self.go_back(1),
            Key::Down | Key::Control('n') => return self.go_back(-1),
            Key::Control('r') => {
                self.state = State::Searching { wanted: String::new(), found: None };
                return self.draw_search();
            }
            Key::Control('c') => {
                self.write(b"^C\r\n");
                return self.ready();
            }
            Key::Control('d') if self.line.is_empty() => return self.end(),
            Key::Control('l') => {
                self.write(b"\r\n");
                (self.drawn, self.drawn_cursor) = (0, 0);
                |_| {}
            }
            Key::Backspace => Line::backspace,
            Key::Delete | Key::Control('d') => Line::delete,
            Key::Left | Key::Control('b') => Line::left,
            Key::Right | Key::Control('f') => Line::right,
            Key::Home | Key::Control('a') => Line::home,
            Key::End | Key::Control('e') => Line::end,
            Key::Alt('b') => Line::word_left,
            Key::Alt('f') => Line::word_right,
            Key::Alt('d') => Line::kill_word_right,
            Key::Alt('\u{8}') => Line::kill_word_left,
            Key::Control('k') => Line::kill_to_end,
            Key::Control('u') => Line::kill_to_begin,
            Key::Control('w') => Line::kill_blank_word,
            Key::Control('y') => Line::yank,
            Key::Control('t') => Line::transpose,
            Key::Control(_) | Key::Alt(_) | Key::Unknown => return self.write(BELL),
        };
        change(&mut self.line);
        self.draw();
    }

    /// `?` is a question, but not within quotation marks or an expression.
    fn may_ask(&self) -> bool {
        let (typed, quote) = words::begin(&self.line.before_cursor());
        let is_expression = typed
            .filters
            .last()
            .is_some_and(|filter| filter.len() > 1 || (filter.len() == 1 && !typed.is_open));
        quote.is_none() && !is_expression
    }

    fn typed(&mut self, char: char) {
        if !self.settings.is_terminal {
            self.line.insert(char);
            return;
        }
        if !is_printable(char, self.settings.is_unicode) || !self.line.insert(char) {
            return self.write(BELL);
        }
        // The usual case is cheap on a slow line.
        let has_room = self.drawn + 2 < usize::from(self.settings.columns);
        if self.line.is_at_end() && char.is_ascii() && self.drawn == self.drawn_cursor && has_room {
            let mut octets = [0; 4];
            self.write(char.encode_utf8(&mut octets).as_bytes());
            self.drawn += 1;
            self.drawn_cursor += 1;
        } else {
            self.draw();
        }
    }

    fn go_back(&mut self, steps: isize) {
        let wanted = self.steps_back.checked_add_signed(steps);
        let Some(wanted) = wanted.filter(|wanted| *wanted <= self.history.len()) else {
            return self.write(BELL);
        };
        if self.steps_back == 0 {
            self.unsent = self.line.text();
        }
        let text = match wanted {
            0 => self.unsent.clone(),
            _ => self.history.back(wanted).unwrap_or_default().to_owned(),
        };
        self.steps_back = wanted;
        self.line.set(&text);
        self.draw();
    }

    pub(super) fn search(&mut self, key: Key) {
        let State::Searching { wanted, found } = &mut self.state else { return };
        match key {
            Key::Char(char) if is_printable(char, self.settings.is_unicode) => {
                if wanted.len() < super::LINE_CHARS_MAX {
                    wanted.push(char);
                }
                *found = self.history.search(wanted, 0);
            }
            Key::Backspace => {
                wanted.pop();
                *found = self.history.search(wanted, 0);
            }
            Key::Control('r') => {
                let next = self.history.search(wanted, found.unwrap_or(0));
                *found = next.or(*found);
            }
            _ => {
                let text = found.and_then(|steps| self.history.back(steps)).map(str::to_owned);
                self.state = State::Editing;
                let is_given_up = matches!(key, Key::Control('g' | 'c'));
                if let Some(text) = text.filter(|_| !is_given_up) {
                    self.line.set(&text);
                }
                self.draw();
                // Enter runs what was found; other keys change it.
                if !is_given_up {
                    self.edit(key);
                }
                return;
            }
        }
        self.draw_search();
    }

    fn draw_search(&mut self) {
        let State::Searching { wanted, found } = &self.state else { return };
        let line = found.and_then(|steps| self.history.back(steps)).unwrap_or_default();
        let is_lost = found.is_none() && !wanted.is_empty();
        let head = if is_lost { "(no such line)" } else { "(search)" };
        let text = format!("{head} {wanted}: {line}");
        let columns = usize::from(self.settings.columns).max(LINE_COLUMNS_MIN);
        let mut used = 0;
        let fits = |char: &char| {
            used += crate::screen::width(*char);
            used < columns
        };
        let text: String = text.chars().take_while(fits).collect();
        let end = text_width(&text);
        self.draw_row("", &text, end);
    }

    /// Completes the word before the cursor, or lists what it may become.
    fn complete(&mut self, is_list: bool) {
        let (typed, quote) = words::begin(&self.line.before_cursor());
        let (mut before, is_open) = (typed.words, typed.is_open);
        if let Some(mut filter) = typed.filters.last().cloned() {
            let partial = if is_open { filter.pop().unwrap_or_default() } else { String::new() };
            if filter.is_empty() {
                let words = complete::filters(&partial);
                let next = Next { words, ..Next::default() };
                return self.offer(next, &partial, &[], is_list);
            }
            return self.write(BELL);
        }
        let partial = if is_open { before.pop().unwrap_or_default() } else { String::new() };
        if quote.is_some() {
            return self.write(BELL);
        }
        let next = complete::next(&before, &partial);
        match next.names {
            Some(names) => {
                let words = ["names".to_owned(), names.word().to_owned(), partial.clone()];
                self.ask(Request::new(words.to_vec()), Purpose::Names { next, partial, is_list });
            }
            None => self.offer(next, &partial, &[], is_list),
        }
    }

    /// Names came from the daemon, or did not.
    pub(super) fn offer(&mut self, next: Next, partial: &str, names: &[String], is_list: bool) {
        self.state = State::Editing;
        // The usage of a filter has more words than its name.
        let name = |word: &str| word.split(' ').next().unwrap_or_default().to_owned();
        let words = next.words.iter().map(|(word, _)| name(word));
        let all: Vec<String> = words.chain(names.iter().cloned()).collect();
        let names = names.iter().map(|name| (name.clone(), String::new()));
        let words: Vec<(String, String)> = next.words.iter().cloned().chain(names).collect();
        let common = common_begin(&all);
        let is_whole = all.len() == 1;
        if !is_list && common.starts_with(partial) && self.insert(&common, partial, is_whole) {
            return self.draw();
        }
        if !is_list {
            self.was_tab = !words.is_empty();
            return self.write(BELL);
        }
        let notes = if words.is_empty() || partial.is_empty() { next.notes } else { Vec::new() };
        self.list(&words, &notes);
    }

    /// Types what completes a word; false: there is nothing, or the terminal cannot show it.
    fn insert(&mut self, common: &str, partial: &str, is_whole: bool) -> bool {
        let is_shown = |char: char| is_printable(char, self.settings.is_unicode);
        let plain = common.find(|char| !is_shown(char) || words::is_special(char));
        let Some(plain) = plain else {
            self.type_all(&common[partial.len()..]);
            if is_whole {
                self.line.insert(' ');
            }
            return is_whole || common.len() > partial.len();
        };
        let can_be_quoted = is_whole && common.chars().all(is_shown);
        if let Some(quoted) = words::quoted(common).filter(|_| can_be_quoted) {
            partial.chars().for_each(|_| self.line.backspace());
            self.type_all(&format!("{quoted} "));
            return true;
        }
        let rest = common.get(partial.len()..plain).unwrap_or_default();
        self.type_all(rest);
        !rest.is_empty()
    }

    /// What has no room is noted by the line, which is refused then.
    fn type_all(&mut self, text: &str) {
        for char in text.chars() {
            self.line.insert(char);
        }
    }

    /// Lists words under the line, and shows the line again.
    fn list(&mut self, words: &[(String, String)], notes: &[(String, String)]) {
        self.write(b"\r\n");
        let all: Vec<&(String, String)> = words.iter().chain(notes).take(LISTED_MAX).collect();
        let widest = all.iter().map(|(word, _)| text_width(word)).max().unwrap_or(0).min(26);
        let columns = usize::from(self.settings.columns).max(40);
        for (word, help) in &all {
            let row = format!("  {word:<widest$}  {help}");
            let row: String = row.trim_end().chars().take(columns - 1).collect();
            self.say(&format!("{row}\n"));
        }
        if words.len() > LISTED_MAX {
            self.say(&format!("  and {} more\n", words.len() - LISTED_MAX));
        }
        if all.is_empty() {
            self.say("  nothing known may follow\n");
        }
        self.show_line();
    }

    /// Sends a request.
    pub(super) fn ask(&mut self, request: Request, purpose: Purpose) {
        self.stdout.clear();
        self.stderr.clear();
        self.is_cut = false;
        self.state = State::Waiting(purpose);
        self.effects.push(Effect::Ask(request));
    }
}
