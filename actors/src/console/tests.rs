//! The function tables fit the one table; answers fit the wire.

use super::dispatch::handlers;
use super::output::Output;
use console_protocol::frame::{ANSWER_OCTETS_MAX, PIECE_OCTETS_MAX, encode};
use console_protocol::messages::Answer;
use console_protocol::table::{self, Family};
use std::collections::BTreeSet;

#[test]
fn every_command_has_one_handler_and_every_handler_a_command() {
    for family in [Family::Enforcer, Family::Signer, Family::Appliance, Family::Ksmutil] {
        let commands: BTreeSet<_> = table::of(family).iter().map(|command| command.path).collect();
        let paths: Vec<_> = handlers(family).map(|(path, _)| *path).collect();
        let handled: BTreeSet<_> = paths.iter().copied().collect();
        assert_eq!(handled.len(), paths.len(), "{family:?}: a path twice in {paths:?}");
        assert_eq!(handled, commands, "{family:?}");
    }
}

#[test]
fn a_long_answer_travels_in_pieces_and_comes_back_whole() {
    let text: String = (0..20_000).map(|number| format!("zone number {number} äöü\n")).collect();
    let output = Output { stderr: "warning\n".to_owned(), exit_code: 3, ..Output::done(&*text) };
    let (mut stdout, mut stderr, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for answer in output.into_answers() {
        assert!(encode(&answer, ANSWER_OCTETS_MAX).is_ok());
        match answer {
            Answer::Stdout(piece) => {
                assert!(piece.len() <= PIECE_OCTETS_MAX && !piece.is_empty());
                stdout.extend(piece);
            }
            Answer::Stderr(piece) => stderr.extend(piece),
            Answer::End { exit_code } => ends.push(exit_code),
            Answer::Question(_) => panic!("nothing was asked"),
        }
    }
    assert_eq!((stdout, stderr, ends), (text.into_bytes(), b"warning\n".to_vec(), vec![3]));
}
