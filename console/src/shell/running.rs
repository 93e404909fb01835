//! What is done with a line: commands of the shell itself, requests to the daemon, their answers.

use super::complete::{self, expand};
use super::filter::Filters;
use super::keys::Key;
use super::{BELL, Effect, LINE_CHARS_MAX, OUTPUT_OCTETS_MAX, Purpose, Session, State, words};
use console_protocol::help;
use console_protocol::messages::{FrontEnd, Request};
use console_protocol::parse::{ParseError, parse};
use console_protocol::table::{self, Renderer};
use console_protocol::unknown;

/// Exit code for words that are no command, or wrong ones.
const WRONG: u8 = 2;

impl Session {
    /// The line is to be run.
    pub(super) fn enter(&mut self) {
        if self.settings.is_terminal {
            self.write(b"\r\n");
        }
        let text = self.line.text();
        if self.line.is_too_long() {
            return self.refuse(&format!(
                "a line may have {LINE_CHARS_MAX} characters; this one was not run\n"
            ));
        }
        if self.settings.is_terminal && self.history.add(&text) {
            self.effects.push(Effect::Remember(text.clone()));
        }
        let typed = match words::take_apart(&text) {
            Ok(typed) => typed,
            Err(error) => return self.refuse(&format!("{error}\n")),
        };
        let filters = match Filters::parse(&typed.filters) {
            Ok(filters) => filters,
            Err(error) => return self.refuse(&format!("{error}\n")),
        };
        let expanded = match self.settings.is_terminal {
            true => expand(&typed.words),
            false => Ok(typed.words),
        };
        match expanded {
            Ok(words) => self.run(words, filters),
            Err(ambiguous) => self.refuse(&format!("{ambiguous}\n")),
        }
    }

    /// The line is not run.
    fn refuse(&mut self, text: &str) {
        self.exit_code = WRONG;
        self.complain(text);
        self.ready();
    }

    fn run(&mut self, mut words: Vec<String>, filters: Filters) {
        // As they would be typed outside.
        if words.first().is_some_and(|word| word == "anchorite") {
            words.remove(0);
        }
        let first = words.first().map_or("", String::as_str);
        match (first, words.len()) {
            ("", _) => return self.ready(),
            ("exit" | "quit" | "logout", 1) => return self.end(),
            ("history", 1) => {
                let lines: String = self.history.lines().flat_map(|line| [line, "\n"]).collect();
                return self.filtered(&lines, &filters);
            }
            ("help", _) => return self.help(&words[1..], &filters),
            _ => {}
        }
        match parse(FrontEnd::Appliance, &words) {
            Err(error) => self.unknown(&words, &error),
            Ok(asked) => {
                let has_json = asked.command.renderer == Renderer::Rows;
                if filters.is_json && !has_json {
                    let path = asked.command.path;
                    return self.refuse(&format!("{path} has no --json\n"));
                }
                if filters.is_json && !asked.has("json") {
                    words.push("--json".to_owned());
                }
                let request = Request::new(words);
                self.ask(request.clone(), Purpose::Command { request, filters });
            }
        }
    }

    /// Words that are no command, or not all of one.
    fn unknown(&mut self, words: &[String], error: &ParseError) {
        let text = match error {
            ParseError::Arguments { command, complaint, .. } => {
                format!("{}: {complaint}\nUsage: {}", command.path, command.usage)
            }
            ParseError::Unknown { .. } => unknown::text(words, "\"help\"", &[]),
        };
        self.refuse(&text);
    }

    fn help(&mut self, words: &[String], filters: &Filters) {
        if words.is_empty() {
            let mut text = help::list(FrontEnd::Appliance);
            text += "Of the shell:\n";
            for (word, help) in complete::OWN {
                text += &format!("  {word:<26}{help}\n");
            }
            text += "  COMMAND | FILTER          Filters:";
            text +=
                &super::FILTERS.iter().map(|(usage, _)| format!(" {usage},")).collect::<String>();
            let text = text.trim_end_matches(',').to_owned() + "\n";
            return self.filtered(&text, filters);
        }
        let words = expand(words).unwrap_or_else(|_| words.to_vec());
        match table::find(FrontEnd::Appliance, &words) {
            Some((command, count)) if count == words.len() => {
                self.filtered(&help::ours(command), filters);
            }
            _ => self.refuse(&format!("Unknown command {}.\n", words.join(" "))),
        }
    }

    /// Shows what filters leave of a text.
    fn filtered(&mut self, text: &str, filters: &Filters) {
        match filters.apply(text) {
            Ok(text) => {
                self.exit_code = 0;
                self.show(&text, filters.may_page());
            }
            Err(error) => self.refuse(&format!("{error}\n")),
        }
    }

    /// The daemon is done.
    pub(super) fn answered(&mut self, exit_code: u8) {
        let State::Waiting(purpose) = std::mem::replace(&mut self.state, State::Editing) else {
            return;
        };
        let stdout = String::from_utf8_lossy(&std::mem::take(&mut self.stdout)).into_owned();
        match purpose {
            Purpose::Prompt => {
                self.take_prompt(if exit_code == 0 { &stdout } else { "" });
                self.show_line();
            }
            Purpose::Names { next, partial, is_list } => {
                let names: Vec<String> = stdout.lines().map(str::to_owned).collect();
                self.offer(next, &partial, &names, is_list);
            }
            Purpose::Command { filters, .. } => self.print(&stdout, &filters, exit_code),
        }
    }

    fn print(&mut self, stdout: &str, filters: &Filters, exit_code: u8) {
        let stderr = String::from_utf8_lossy(&std::mem::take(&mut self.stderr)).into_owned();
        if !stderr.is_empty() {
            self.complain(&stderr);
        }
        if std::mem::take(&mut self.is_cut) {
            self.complain(&format!("the output is cut after {OUTPUT_OCTETS_MAX} octets\n"));
        }
        self.exit_code = exit_code;
        // What a command says when it fails is no list.
        let result = match exit_code {
            0 => filters.apply(stdout),
            _ => Ok(stdout.to_owned()),
        };
        match result {
            Ok(text) => self.show(&text, filters.may_page()),
            Err(error) => self.refuse(&format!("{error}\n")),
        }
    }

    /// The daemon asks before it does something.
    pub(super) fn asked(&mut self, question: Vec<u8>) {
        let State::Waiting(purpose) = std::mem::replace(&mut self.state, State::Editing) else {
            return;
        };
        let Purpose::Command { request, filters } = purpose else { return self.ready() };
        let stdout = String::from_utf8_lossy(&std::mem::take(&mut self.stdout)).into_owned();
        self.say(&stdout);
        self.say(&String::from_utf8_lossy(&question));
        self.line.clear();
        self.state = State::Asked(request, filters);
    }

    /// A key of the answer to that.
    pub(super) fn reply(&mut self, key: Key) {
        match key {
            Key::Enter => {}
            Key::Control('c' | 'd') => self.line.clear(),
            Key::Char(char @ ' '..='~') => {
                let has_room = self.line.insert(char);
                let echo = [char as u8];
                if self.settings.is_terminal {
                    self.write(if has_room { &echo } else { BELL });
                }
                return;
            }
            Key::Backspace if !self.line.is_empty() => {
                self.line.backspace();
                return self.write(b"\x08 \x08");
            }
            _ => return,
        }
        let is_yes = self.line.text().trim_start().starts_with(['y', 'Y']);
        self.line.clear();
        if self.settings.is_terminal {
            self.write(b"\r\n");
        }
        let State::Asked(mut request, filters) = std::mem::replace(&mut self.state, State::Editing)
        else {
            return;
        };
        if !is_yes {
            self.say("Okay, nothing was done.\n");
            return self.ready();
        }
        request.is_confirmed = true;
        self.ask(request.clone(), Purpose::Command { request, filters });
    }

    /// There is no daemon at the other end.
    pub(super) fn away(&mut self, text: &str, exit_code: u8) {
        let State::Waiting(purpose) = std::mem::replace(&mut self.state, State::Editing) else {
            return;
        };
        match purpose {
            Purpose::Prompt => {
                self.prompt_without_daemon();
                self.show_line();
            }
            Purpose::Names { next, partial, is_list } => self.offer(next, &partial, &[], is_list),
            Purpose::Command { request, .. } => {
                self.exit_code = exit_code;
                let first = request.words.first().map_or("", String::as_str);
                let is_stop = first == "stop";
                // A daemon that stops hangs up; that is what was wanted.
                if !is_stop || self.stdout.is_empty() {
                    self.complain(&format!("{text}\n"));
                }
                self.ready();
            }
        }
    }

    /// Ctrl-C while the daemon works.
    pub(super) fn interrupt(&mut self) {
        self.effects.push(Effect::Abandon);
        let State::Waiting(purpose) = std::mem::replace(&mut self.state, State::Editing) else {
            return;
        };
        match purpose {
            Purpose::Prompt => {
                self.prompt_without_daemon();
                self.show_line();
            }
            Purpose::Names { .. } => self.state = State::Editing,
            Purpose::Command { .. } => {
                self.write(b"^C\r\n");
                self.complain("not waited for; what the command began goes on\n");
                self.ready();
            }
        }
    }
}
