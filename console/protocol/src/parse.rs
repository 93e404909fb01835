//! Words become a command with its arguments, as `getopt_long` would have it: options anywhere
//! behind the command, cut short, with `=`. In: words. Out: [`Invocation`], or what is wrong.
//! Never: I/O; the values of arguments are looked at by whoever uses them.

use crate::messages::FrontEnd;
use crate::options::{Given, Known, Place, take_apart};
use crate::table::{self, Command, Effect, Parameter, Role, Roles};

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Who asks.
    pub front_end: FrontEnd,
    /// The command.
    pub command: &'static Command,
    /// Its options in their order.
    options: Vec<(&'static Parameter, Option<String>)>,
    /// Its operands.
    pub operands: Vec<String>,
    /// The words behind the command as they were typed, with a blank between two.
    pub rest: String,
    /// Who gave it; the daemon finds out, the words do not say.
    pub given_by: Option<User>,
    /// Whether the user said yes to the question that the command asks; see
    /// [`Answer::Question`](crate::messages::Answer::Question).
    pub is_confirmed: bool,
    /// What the user may do; the daemon finds out.
    pub roles: Roles,
    /// What came with it, when the command takes standard input.
    pub input: Option<String>,
}

/// A user of the machine that the daemon runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The number.
    pub id: u32,
    /// The name.
    pub name: Option<String>,
}

/// Why words are no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is no such command.
    #[error("Unknown command {line}.")]
    Unknown {
        /// The words.
        line: String,
    },
    /// The command is there, but its arguments are wrong.
    #[error("{path}: {complaint}")]
    Arguments {
        /// The command.
        command: &'static Command,
        /// Its path.
        path: &'static str,
        /// The words behind it.
        rest: String,
        /// What is wrong.
        complaint: Complaint,
    },
}

/// What is wrong with arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Complaint {
    /// An option.
    #[error("{0}")]
    Option(String),
    /// Too few operands.
    #[error("an argument is missing")]
    TooFew,
    /// Too many operands.
    #[error("too many arguments")]
    TooMany,
}

/// Takes the words of a command line apart.
pub fn parse(front_end: FrontEnd, words: &[String]) -> Result<Invocation, ParseError> {
    let Some((command, count)) = table::find(front_end, words) else {
        return Err(ParseError::Unknown { line: words.join(" ") });
    };
    let rest = words[count..].join(" ");
    let fail = |complaint| ParseError::Arguments {
        command,
        path: command.path,
        rest: rest.clone(),
        complaint,
    };
    let known: Vec<Known> = command.options().map(known).collect();
    let apart = take_apart(&words[count..], &known, Place::Anywhere);
    let mut options = Vec::new();
    for given in apart.given {
        match given {
            Given::Option(letter, value) => {
                let parameter = command.options().find(|one| one.short == letter);
                options.extend(parameter.map(|parameter| (parameter, value)));
            }
            Given::Wrong(complaint) => return Err(fail(Complaint::Option(complaint))),
        }
    }
    let (operands, allowed) = (apart.operands, command.operands);
    if operands.len() < allowed.least {
        return Err(fail(Complaint::TooFew));
    }
    if operands.len() > allowed.most {
        return Err(fail(Complaint::TooMany));
    }
    Ok(Invocation {
        front_end,
        command,
        options,
        operands,
        rest,
        given_by: None,
        is_confirmed: false,
        roles: Roles::default(),
        input: None,
    })
}

fn known(parameter: &Parameter) -> Known {
    let takes_value = parameter.value.is_some();
    Known { short: parameter.short, long: parameter.long, takes_value }
}

impl Invocation {
    /// Whether an option was given.
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(parameter, _)| parameter.long == long)
    }

    /// The value of an option; the last one, when it was given several times.
    pub fn value(&self, long: &str) -> Option<&str> {
        let mut given = self.options.iter().rev();
        given.find(|(parameter, _)| parameter.long == long)?.1.as_deref()
    }

    /// How often an option was given.
    pub fn count(&self, long: &str) -> usize {
        self.options.iter().filter(|(parameter, _)| parameter.long == long).count()
    }

    /// `zone input` without an answer only shows.
    fn is_look(&self) -> bool {
        self.command.path == "zone input" && self.operands.len() < 2
    }

    /// Whether it changes anything.
    pub fn effect(&self) -> Effect {
        if self.is_look() { Effect::Read } else { self.command.effect }
    }

    /// Who may give it: to roll a KSK is for an officer, to roll a ZSK is daily work.
    pub fn role(&self) -> Role {
        let is_zsk = self.value("keytype").is_some_and(|typed| typed.eq_ignore_ascii_case("ZSK"));
        match self.command.path {
            "key rollover" if !is_zsk => Role::Officer,
            _ if self.is_look() => Role::Auditor,
            _ => self.command.role,
        }
    }

    /// The command and what follows, as OpenDNSSEC logs it.
    pub fn line(&self) -> String {
        line(self.command, &self.rest)
    }
}

/// A command and what follows.
pub fn line(command: &Command, rest: &str) -> String {
    match rest {
        "" => command.path.to_owned(),
        rest => format!("{} {rest}", command.path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse_line(front_end: FrontEnd, line: &str) -> Result<Invocation, ParseError> {
        parse(front_end, &crate::line::words(line))
    }

    #[test]
    fn options_and_operands_stand_anywhere_behind_the_command() {
        let all = parse_line(FrontEnd::Signer, "sign --al").unwrap();
        assert!(all.has("all") && all.operands.is_empty() && all.value("all").is_none());
        let one = parse_line(FrontEnd::Signer, "update example.com -a").unwrap();
        assert!(one.has("all") && one.operands == ["example.com"]);
        assert_eq!(one.line(), "update example.com -a");
        assert_eq!(parse_line(FrontEnd::Signer, "zones").unwrap().line(), "zones");
    }

    #[test]
    fn wrong_arguments_are_named() {
        let complaint = |line| match parse_line(FrontEnd::Signer, line) {
            Err(ParseError::Arguments { complaint, .. }) => complaint.to_string(),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(complaint("sign a --cereal 5"), "unrecognized option '--cereal'");
        assert_eq!(complaint("zones -x"), "invalid option -- 'x'");
        assert_eq!(complaint("clear a b"), "too many arguments");
        assert_eq!(complaint("sign --all=x"), "option '--all' doesn't allow an argument");
    }

    #[test]
    fn to_look_at_an_input_is_not_to_answer_it() {
        let of = |line| {
            let parsed = parse_line(FrontEnd::Appliance, line).unwrap();
            (parsed.role(), parsed.effect())
        };
        assert_eq!(of("zone input a.example --json"), (Role::Auditor, Effect::Read));
        assert_eq!(of("zone input a.example accept"), (Role::Operator, Effect::Change));
        assert_eq!(of("key rollover -z a -t zsk"), (Role::Operator, Effect::Change));
        assert_eq!(of("key rollover -z a"), (Role::Officer, Effect::Change));
    }

    #[test]
    fn a_line_of_a_megabyte_is_an_unknown_command() {
        let word = "x".repeat(1 << 20);
        let parsed = parse(FrontEnd::Appliance, std::slice::from_ref(&word));
        assert_eq!(parsed, Err(ParseError::Unknown { line: word }));
    }

    proptest! {
        #[test]
        fn no_words_panic(
            start in proptest::sample::select(vec!["sign", "zone list", "update", "verbosity", ""]),
            words in proptest::collection::vec("(-{0,2}[a-z=]{0,6}|\\PC{0,8})", 0..6),
        ) {
            let mut all = crate::line::words(start);
            all.extend(words);
            for front_end in [FrontEnd::Enforcer, FrontEnd::Signer, FrontEnd::Appliance] {
                if let Ok(invocation) = parse(front_end, &all) {
                    let allowed = invocation.command.operands;
                    prop_assert!(invocation.operands.len() <= allowed.most);
                }
            }
        }
    }
}
