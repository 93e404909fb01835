//! A session against a terminal that is a grid of characters, and a daemon that is a function.

use super::*;
use proptest::prelude::*;

/// What a screen shows; it knows carriage return, line feed, backspace and bell.
#[derive(Default)]
struct Screen {
    rows: Vec<Vec<char>>,
    column: usize,
    bells: usize,
}

impl Screen {
    fn write(&mut self, octets: &[u8]) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        for char in String::from_utf8(octets.to_vec()).unwrap().chars() {
            match char {
                '\r' => self.column = 0,
                '\n' => self.rows.push(Vec::new()),
                '\u{8}' => self.column -= 1,
                '\u{7}' => self.bells += 1,
                _ => {
                    assert!(!char.is_control(), "{char:?} reached the terminal");
                    let row = self.rows.last_mut().unwrap();
                    row.resize(row.len().max(self.column + 1), ' ');
                    row[self.column] = char;
                    self.column += 1;
                }
            }
        }
    }

    fn row(&self, back: usize) -> String {
        let row = &self.rows[self.rows.len() - 1 - back];
        row.iter().collect::<String>().trim_end().to_owned()
    }

    fn text(&self) -> String {
        (0..self.rows.len()).rev().map(|back| self.row(back) + "\n").collect()
    }
}

/// A session and what became of it.
struct Desk {
    session: Session,
    screen: Screen,
    asked: Vec<String>,
    remembered: Vec<String>,
    complaints: String,
    output: String,
    ended: Option<u8>,
    /// Answers to commands; what is not here gets none.
    daemon: fn(&str) -> Option<(&'static str, u8)>,
}

fn usual(line: &str) -> Option<(&'static str, u8)> {
    match line {
        "show status --brief" => Some(("signer1 operator 2\n", 0)),
        "names zones ex" | "names zones example." => Some(("example.com\nexample.org\n", 0)),
        "names zones example.c" => Some(("example.com\n", 0)),
        "names policies o" => Some(("our policy\n", 0)),
        "names policies e" => Some(("e\u{202e}vil\u{1b}[2J\n", 0)),
        "names policies i" => Some(("it's \"one\"\n", 0)),
        "zones" => Some(("There are 1 zones configured\n- a\u{1b}[2J\u{202e}.example\n", 0)),
        "queue" => Some(("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", 0)),
        "plan --all --json" => Some(("[{\"zone\":\"a\",\"at\":5}]\n", 0)),
        "stop" => None,
        _ => Some(("", 1)),
    }
}

impl Desk {
    fn new(is_terminal: bool) -> Desk {
        let settings = Settings {
            box_name: "box".to_owned(),
            columns: 80,
            rows: 6,
            is_unicode: false,
            is_terminal,
            history: vec!["zones".to_owned(), "zone list".to_owned()],
        };
        let mut desk = Desk {
            session: Session::new(settings),
            screen: Screen::default(),
            asked: Vec::new(),
            remembered: Vec::new(),
            complaints: String::new(),
            output: String::new(),
            ended: None,
            daemon: usual,
        };
        let effects = desk.session.start();
        desk.carry_out(effects);
        desk
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write(octets) if self.session.settings.is_terminal => {
                    self.screen.write(&octets);
                }
                Effect::Write(octets) => self.output += &String::from_utf8(octets).unwrap(),
                Effect::Complain(octets) => self.complaints += &String::from_utf8(octets).unwrap(),
                Effect::Remember(line) => self.remembered.push(line),
                Effect::Abandon => self.asked.push("(given up)".to_owned()),
                Effect::End(code) => self.ended = Some(code),
                Effect::Ask(request) => {
                    let line = request.words.join(" ");
                    self.asked.push(line.clone());
                    let Some((text, exit_code)) = (self.daemon)(&line) else { continue };
                    let first = self.session.answer(Answer::Stdout(text.as_bytes().to_vec()));
                    self.carry_out(first);
                    let end = self.session.answer(Answer::End { exit_code });
                    self.carry_out(end);
                }
            }
        }
    }

    fn types(&mut self, text: &str) {
        let effects = self.session.input(text.as_bytes());
        self.carry_out(effects);
    }
}

#[track_caller]
fn check_line(typed: &str, expect: &str) {
    let mut desk = Desk::new(true);
    desk.types(typed);
    assert_eq!(desk.screen.row(0), format!("signer1 (operator) [2 alarms]> {expect}").trim_end());
}

#[test]
fn the_line_is_edited_as_in_emacs() {
    check_line("zone list", "zone list");
    check_line("zone lsit\x1b[D\x1b[D\x14", "zone list");
    check_line("list\x01zone \x05 -z", "zone list -z");
    check_line("abc def\x17\x15\x19", "abc");
    check_line("\x1b[A", "zone list");
    check_line("\x10\x10\x0e", "zone list");
    check_line("new\x10\x10\x0e\x0e", "new");
    check_line("ä\x07x", "x");
}

#[test]
fn a_search_in_the_history_finds_and_gives_up() {
    let mut desk = Desk::new(true);
    desk.types("\x12zo");
    assert_eq!(desk.screen.row(0), "(search) zo: zone list");
    desk.types("\x12");
    assert_eq!(desk.screen.row(0), "(search) zo: zones");
    desk.types("\r");
    assert_eq!(desk.asked, ["show status --brief", "zones", "show status --brief"]);
    check_line("\x12nowhere\x07", "");
    check_line("\x12lis\x05 -z", "zone list -z");
}

#[test]
fn tab_completes_with_names_of_the_daemon() {
    check_line("sig\t", "sign");
    check_line("signe\t", "signer ");
    check_line("signer sign ex\t", "signer sign example.");
    check_line("signer sign example.c\t", "signer sign example.com ");
    check_line("queue | co\t5", "queue | count 5");
    let mut desk = Desk::new(true);
    desk.types("signer sign ex\t\t\t");
    assert_eq!(desk.screen.row(2), "  example.com");
    assert_eq!(desk.screen.row(0), "signer1 (operator) [2 alarms]> signer sign example.");
}

#[test]
fn names_are_quoted_and_never_typed_raw() {
    check_line("zone add -p o\t-z x", "zone add -p 'our policy' -z x");
    check_line("zone add -p e\t\t", "zone add -p e");
    check_line("zone add -p i\t", "zone add -p it");
}

#[test]
fn lines_that_another_terminal_showed_are_not_drawn_here() {
    let mut desk = Desk::new(true);
    let mut settings = desk.session.settings.clone();
    settings.history = vec!["zones".to_owned(), "zone list \u{e4}\u{1b}[2J".to_owned()];
    desk.session = Session::new(settings);
    let effects = desk.session.start();
    desk.carry_out(effects);
    desk.types("\x10");
    assert_eq!(desk.screen.row(0), "signer1 (operator) [2 alarms]> zones");
}

#[test]
fn a_question_mark_lists_what_may_follow_and_does_not_send() {
    let mut desk = Desk::new(true);
    desk.types("key ds-s?");
    let text = desk.screen.text();
    assert!(text.contains("  ds-seen    "), "{text}");
    assert!(desk.screen.row(0).ends_with("> key ds-s"));
    assert_eq!(desk.asked, ["show status --brief"]);
    check_line("queue | match a?", "queue | match a?");
    check_line("x '?", "x '?");
}

#[test]
fn short_words_do_at_a_terminal_and_not_in_a_script() {
    let mut desk = Desk::new(true);
    desk.types("que\r");
    assert_eq!(desk.asked[1], "queue");
    let mut desk = Desk::new(false);
    desk.types("que\n");
    assert!(desk.asked.is_empty());
    assert_eq!(desk.complaints, "Unknown command que.\nDid you mean \"queue\"?\n");
}

#[test]
fn what_the_daemon_says_is_printable() {
    let mut desk = Desk::new(true);
    desk.types("zones\r");
    let text = desk.screen.text();
    assert!(text.contains("- a\\027[2J\\226\\128\\174.example\n"), "{text}");
}

#[test]
fn long_output_stops_at_each_screen() {
    let mut desk = Desk::new(true);
    desk.types("queue\r");
    assert_eq!(desk.screen.row(0), "-- more: space, Enter, G for all, q --");
    assert_eq!(desk.screen.row(1), "5");
    desk.types("\r");
    assert_eq!(desk.screen.row(1), "6");
    desk.types("q");
    assert_eq!(desk.screen.row(0), "signer1 (operator) [2 alarms]>");
    desk.types("queue | no-more\r");
    assert_eq!(desk.screen.row(1), "10");
    desk.types("queue\r ");
    assert_eq!(desk.screen.row(1), "10");
    desk.types("queue | last 3 | count\r");
    assert_eq!(desk.screen.row(1), "3");
}

#[test]
fn json_and_csv_ask_the_daemon_for_json() {
    let mut desk = Desk::new(true);
    desk.types("plan --all | csv\r");
    assert_eq!(desk.screen.text().matches("at,zone").count(), 1, "{}", desk.screen.text());
    desk.types("running | json\r");
    assert!(desk.screen.row(1).ends_with("running has no --json"));
}

#[test]
fn a_script_has_no_prompt_and_the_exit_code_of_its_last_command() {
    let mut desk = Desk::new(false);
    desk.types("# nothing\nqueue | first 1\nflush\nqueue |\n");
    assert_eq!((desk.output.as_str(), desk.asked.len()), ("1\n", 2));
    assert_eq!(desk.complaints, "a filter is missing behind |; ? lists them\n");
    let effects = desk.session.input_ended();
    desk.carry_out(effects);
    assert_eq!(desk.ended, Some(2));
    let mut desk = Desk::new(false);
    desk.types("flush");
    let effects = desk.session.input_ended();
    desk.carry_out(effects);
    assert_eq!((desk.asked.as_slice(), desk.ended), (&["flush".to_owned()][..], Some(1)));
}

#[test]
fn a_daemon_that_is_away_is_in_the_prompt_and_in_the_answer() {
    let mut desk = Desk::new(true);
    desk.daemon = |_| None;
    desk.types("zones\r");
    let effects = desk.session.failed("no daemon; type: anchorite start", 201);
    desk.carry_out(effects);
    let effects = desk.session.failed("no daemon", 201);
    desk.carry_out(effects);
    assert_eq!(desk.screen.row(1), "no daemon; type: anchorite start");
    assert_eq!(desk.screen.row(0), "signer1 (daemon not running)>");
    desk.types("\x04");
    assert_eq!(desk.ended, Some(0));
}

#[test]
fn ctrl_c_leaves_a_slow_command_alone() {
    let mut desk = Desk::new(true);
    desk.types("stop\r");
    desk.types("zones\r\x03");
    assert_eq!(desk.asked[1..], ["stop", "(given up)", "show status --brief"]);
    desk.types("half\x03");
    assert_eq!(desk.screen.row(0), "signer1 (operator) [2 alarms]>");
}

#[test]
fn a_question_is_answered_by_a_key_and_sent_again() {
    let mut desk = Desk::new(true);
    desk.daemon = |line| match line {
        "flush" => None,
        line => usual(line),
    };
    desk.types("flush\r");
    let effects = desk.session.answer(Answer::Question(b"Really? [y/N] ".to_vec()));
    desk.carry_out(effects);
    assert_eq!(desk.screen.row(0), "Really? [y/N]");
    desk.types("n\r");
    assert_eq!(desk.screen.row(1), "Okay, nothing was done.");
    desk.types("flush\r");
    let effects = desk.session.answer(Answer::Question(b"Really? [y/N] ".to_vec()));
    desk.carry_out(effects);
    let effects = desk.session.input(b"yes\r");
    let is_confirmed = |effect: &Effect| matches!(effect, Effect::Ask(one) if one.is_confirmed);
    assert!(effects.iter().any(is_confirmed));
}

#[test]
fn a_line_of_a_megabyte_is_refused_and_leaves_no_trace() {
    for is_terminal in [true, false] {
        let mut desk = Desk::new(is_terminal);
        for _ in 0..256 {
            desk.types(&"x".repeat(4096));
        }
        desk.types("\rqueue | count\r");
        let said = desk.screen.text() + &desk.complaints;
        assert!(said.contains("a line may have 1024 characters; this one was not run"), "{said}");
        assert!(desk.asked.contains(&"queue".to_owned()));
    }
}

#[test]
fn history_is_remembered_without_secrets() {
    let mut desk = Desk::new(true);
    desk.types("zones\rflush pin 1234\rzones\r");
    assert_eq!(desk.remembered, ["zones"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_octets_panic_or_reach_the_terminal_raw(
        pieces in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..40),
                proptest::sample::select(vec![
                    &b"queue\r"[..], b"zones\r", b"\x12z", b"\t", b"?", b"\x1b[A", b"\x15",
                    b"sig\t",
                    b" | match x\r", b"\x03", "ä日\u{202e}".as_bytes(),
                ]).prop_map(<[u8]>::to_vec),
            ],
            0..30,
        ),
        columns in 0_u16..200,
        rows in 0_u16..50,
        is_unicode in any::<bool>(),
    ) {
        let settings = Settings {
            box_name: "b\u{1b}".to_owned(), columns, rows, is_unicode, is_terminal: true,
            history: vec![],
        };
        let mut session = Session::new(settings);
        let mut queue = session.start();
        let mut pieces = pieces.into_iter();
        loop {
            for effect in std::mem::take(&mut queue) {
                match effect {
                    Effect::Write(octets) => {
                        let text = String::from_utf8(octets).unwrap();
                        let is_safe = |char| {
                            "\r\n\u{8}\u{7}".contains(char)
                                || screen::is_printable(char, is_unicode)
                        };
                        prop_assert!(text.chars().all(is_safe), "{:?}", text);
                    }
                    Effect::Ask(request) => {
                        let (text, exit_code) = usual(&request.words.join(" ")).unwrap_or(("", 0));
                        queue.extend(session.answer(Answer::Stdout(text.into())));
                        queue.extend(session.answer(Answer::End { exit_code }));
                    }
                    Effect::End(_) => return Ok(()),
                    Effect::Complain(_) | Effect::Abandon | Effect::Remember(_) => {}
                }
            }
            if !queue.is_empty() {
                continue;
            }
            match pieces.next() {
                Some(piece) => queue = session.input(&piece),
                None => break,
            }
        }
    }
}
