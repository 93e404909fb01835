//! The command line of `ssh BOX COMMAND` as what is to be done. Pure: in: text; out: a request, or
//! a text to show. The names of OpenDNSSEC's tools and `anchorite` may stand in front, as on any
//! machine.

use crate::shell::words;
use console_protocol::help;
use console_protocol::messages::{FrontEnd, Request};
use console_protocol::parse::{ParseError, parse};
use console_protocol::{table, unknown};

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be asked of the daemon.
    Command(Request),
    /// To be shown; nothing is to be asked.
    Text(String),
    /// Why it is no command.
    Wrong(String),
}

/// Reads a command line.
pub(super) fn read(text: &str) -> Line {
    let mut words = match words(text) {
        Ok(words) => words,
        Err(fault) => return Line::Wrong(format!("{fault}\n")),
    };
    let front_end = match words.first().map(String::as_str) {
        Some("ods-enforcer") => FrontEnd::Enforcer,
        Some("ods-signer") => FrontEnd::Signer,
        _ => FrontEnd::Appliance,
    };
    if matches!(
        words.first().map(String::as_str),
        Some("ods-enforcer" | "ods-signer" | "anchorite")
    ) {
        words.remove(0);
    }
    match words.first().map(String::as_str) {
        None => return Line::Text(help::list(front_end)),
        Some("help") if front_end == FrontEnd::Appliance => return help_about(&words[1..]),
        // The daemon answers the clients of OpenDNSSEC in their own words.
        Some(_) if front_end != FrontEnd::Appliance => {}
        Some(_) => {
            if let Err(ParseError::Unknown { .. }) = parse(front_end, &words) {
                return Line::Wrong(unknown::text(&words, "\"help\"", &[]));
            }
        }
    }
    Line::Command(Request { front_end, ..Request::new(words) })
}

fn help_about(words: &[String]) -> Line {
    if words.is_empty() {
        return Line::Text(help::list(FrontEnd::Appliance));
    }
    match table::find(FrontEnd::Appliance, words) {
        Some((command, count)) if count == words.len() => Line::Text(help::ours(command)),
        _ => Line::Wrong(format!("Unknown command {}.\n", words.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, front_end: FrontEnd, expected: &str) {
        let Line::Command(request) = read(text) else { panic!("{text}") };
        assert_eq!((request.front_end, request.words.join(" ").as_str()), (front_end, expected));
    }

    #[test]
    fn names_of_tools_may_stand_in_front() {
        check("key  list -p", FrontEnd::Appliance, "key list -p");
        check("anchorite key list", FrontEnd::Appliance, "key list");
        check("ods-enforcer key list -v", FrontEnd::Enforcer, "key list -v");
        check("ods-signer zones", FrontEnd::Signer, "zones");
        check("ods-signer coffee", FrontEnd::Signer, "coffee");
    }

    #[test]
    fn help_and_what_is_unknown_need_no_daemon() {
        assert!(matches!(read(""), Line::Text(text) if text.contains("zone add")));
        assert!(matches!(read("help key list"), Line::Text(text) if text.contains("--parsable")));
        let near = "Unknown command zone lst.\nDid you mean \"zone list\"?\n";
        assert!(matches!(read("zone show 'a"), Line::Wrong(_)));
        assert_eq!(read("zone lst"), Line::Wrong(near.to_owned()));
        assert!(matches!(read("help coffee"), Line::Wrong(_)));
    }
}
