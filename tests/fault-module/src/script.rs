//! The script: one thing a line, `#` begins a comment.
//!
//! ```text
//! module /usr/lib/softhsm/libsofthsm2.so    the real module; needed
//! log calls.log                             every call, appended: `C_Sign CKR_OK`
//! parameters configdir='sql:/token'         for C_Initialize, as NSS's softoken wants them
//! pin-tries tries.txt 3                     counts user PINs here and locks after 3 wrong ones
//! seed 7                                    for rules by chance
//! C_Sign 3 return CKR_DEVICE_ERROR          FUNCTION WHEN ACTION: a rule
//! * always delay 1000                       every function
//! ```
//!
//! WHEN counts the calls since the script was last written: `always`, `N`, `N..`, `N..M`,
//! `every N`, or by chance `1/N`. The actions are those of [`Action`]. Rules of one call work in
//! the order of their lines. Out: the rules, or the line that is wrong. Never: files, the clock.

use crate::attempts::Attempt;
use crate::names;
use cryptoki_sys::{CK_FLAGS, CK_RV};
use std::ffi::CString;
use std::path::PathBuf;
use std::time::Duration;

/// A script that was understood.
#[derive(Debug, Default)]
pub struct Script {
    pub(crate) module: PathBuf,
    pub(crate) log: Option<PathBuf>,
    /// What C_Initialize is given beyond the standard.
    pub(crate) parameters: Option<CString>,
    /// Where wrong PINs are counted, and how many lock the token.
    pub(crate) pin_tries: Option<(PathBuf, u32)>,
    pub(crate) seed: u64,
    pub(crate) rules: Vec<Rule>,
}

/// A line that was not understood.
#[derive(Debug, thiserror::Error)]
#[error("script line {line}: {problem}: {text}")]
pub struct ScriptError {
    line: usize,
    problem: &'static str,
    text: String,
}

#[derive(Debug)]
pub(crate) struct Rule {
    /// `None` for every function.
    pub(crate) function: Option<&'static str>,
    pub(crate) when: When,
    pub(crate) action: Action,
}

/// Which calls a rule is for; calls count from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum When {
    Between(u64, u64),
    Every(u64),
    OneIn(u64),
}

/// What happens to a call. Where a function stands in brackets, it is for that one only.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `return CKR_X`: the real module never hears of the call.
    Return(CK_RV),
    /// `then CKR_X`: the call is carried out, and the caller is told this.
    Then(CK_RV),
    /// `claim`: not carried out, and the caller is told that it was.
    Claim,
    /// `delay N`: N microseconds later.
    Delay(Duration),
    /// `stall` or `stall N`: goes on when the script changes, or after N milliseconds.
    Stall(Option<Duration>),
    /// `abort`: SIGABRT.
    Abort,
    /// `abort-after`: the same, once the call is carried out.
    AbortAfter,
    /// `segfault`: SIGSEGV.
    Segfault,
    /// `exit N`: the process ends with this status.
    Exit(i32),
    /// `print TEXT`: on standard output, as talkative libraries do.
    Print(String),
    /// `try WORD`: something that a slot host refuses a module ([`Attempt`]); the log says how it
    /// went, and the call goes on.
    Try(Attempt),
    /// `ignore-sigterm`: takes the process's signal handling, as rude libraries do.
    IgnoreSigterm,
    /// `lose-sessions`: every session of the process is closed before the call.
    LoseSessions,
    /// `lose-login`: the token is logged out before the call.
    LoseLogin,
    /// `unplug before`, `unplug during` (carried out, told otherwise), `unplug after`: from here on
    /// the token is away until the script changes; its sessions are gone for good.
    Unplug(Moment),
    /// `flip` (C_Sign, C_GetAttributeValue): one bit of what comes back.
    Flip,
    /// `other-key` (C_Sign): another private key's signature.
    OtherKey,
    /// `der` (C_Sign): ECDSA as a SEQUENCE of two INTEGERs.
    Der,
    /// `short` (C_Sign): the last byte is cut off.
    Short,
    /// `empty` (C_Sign): no byte at all.
    Empty,
    /// `long` (C_Sign): a length beyond the caller's buffer.
    Long,
    /// `forget` (C_FindObjects): nothing was found.
    Forget,
    /// `duplicate` (C_FindObjects): every handle twice, as far as there is room.
    Duplicate,
    /// `limit N` (C_FindObjects): at most N handles a call, which the standard allows.
    Limit(u64),
    /// `sessions N` (C_OpenSession: no more than these; C_GetTokenInfo: says so).
    Sessions(u64),
    /// `label TEXT` (C_GetTokenInfo).
    Label(String),
    /// `serial TEXT` (C_GetTokenInfo).
    Serial(String),
    /// `flag CKF_X` or `no-flag CKF_X` (C_GetTokenInfo).
    Flag(CK_FLAGS, Change),
    /// `bad-clock` (C_GetTokenInfo): a time that is none.
    BadClock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    During,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set,
    Clear,
}

impl Script {
    /// Reads a script.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let mut script = Script::default();
        for (index, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default().trim();
            let fail =
                |problem| ScriptError { line: index + 1, problem, text: line.trim().to_owned() };
            if !code.is_empty() {
                script.read_line(code).map_err(fail)?;
            }
        }
        if script.module.as_os_str().is_empty() {
            let problem = "no line names the real module";
            return Err(ScriptError { line: 0, problem, text: String::new() });
        }
        Ok(script)
    }

    fn read_line(&mut self, line: &str) -> Result<(), &'static str> {
        let (first, rest) = split(line);
        match first {
            "module" => self.module = PathBuf::from(rest),
            "log" => self.log = Some(PathBuf::from(rest)),
            "parameters" => {
                let text = CString::new(rest).map_err(|_| "a zero byte")?;
                self.parameters = Some(text);
            }
            "seed" => self.seed = number(rest)?,
            "pin-tries" => {
                let (path, most) = rest.rsplit_once(' ').ok_or("pin-tries FILE COUNT")?;
                self.pin_tries = Some((PathBuf::from(path), number(most)? as u32));
            }
            _ => self.rules.push(Rule::read(first, rest)?),
        }
        Ok(())
    }

    /// Whether a rule with this action exists, whenever it applies.
    pub(crate) fn mentions(&self, action: &Action) -> bool {
        self.rules.iter().any(|rule| rule.action == *action)
    }
}

impl Rule {
    fn read(function: &str, rest: &str) -> Result<Rule, &'static str> {
        let function = match function {
            "*" => None,
            name => Some(names::function(name).ok_or("no such function")?),
        };
        let (when, rest) = When::read(rest)?;
        let (word, argument) = split(rest);
        let action = Action::read(word, argument)?;
        if !action.is_for(function) {
            return Err("this action is not for this function");
        }
        Ok(Rule { function, when, action })
    }
}

impl When {
    fn read(text: &str) -> Result<(When, &str), &'static str> {
        let (word, rest) = split(text);
        if word == "every" {
            let (count, rest) = split(rest);
            return Ok((When::Every(positive(count)?), rest));
        }
        let when = match (word, word.split_once('/'), word.split_once("..")) {
            ("always", ..) => When::Between(1, u64::MAX),
            (_, Some(("1", count)), _) => When::OneIn(positive(count)?),
            (_, _, Some((from, ""))) => When::Between(positive(from)?, u64::MAX),
            (_, _, Some((from, to))) => When::Between(positive(from)?, positive(to)?),
            _ => When::Between(positive(word)?, positive(word)?),
        };
        Ok((when, rest))
    }

    /// Whether call number `count` of rule number `rule` is one.
    pub(crate) fn is_now(&self, count: u64, seed: u64, rule: usize) -> bool {
        match *self {
            When::Between(from, to) => (from..=to).contains(&count),
            When::Every(step) => count.is_multiple_of(step),
            When::OneIn(odds) => mix(seed, rule as u64, count).is_multiple_of(odds),
        }
    }
}

impl Action {
    fn read(word: &str, argument: &str) -> Result<Action, &'static str> {
        let value = || names::return_value(argument).ok_or("no such return value");
        let flag = || names::token_flag(argument).ok_or("no such token flag");
        Ok(match word {
            "return" => Action::Return(value()?),
            "then" => Action::Then(value()?),
            "claim" => Action::Claim,
            "delay" => Action::Delay(Duration::from_micros(number(argument)?)),
            "stall" if argument.is_empty() => Action::Stall(None),
            "stall" => Action::Stall(Some(Duration::from_millis(number(argument)?))),
            "abort" => Action::Abort,
            "abort-after" => Action::AbortAfter,
            "segfault" => Action::Segfault,
            "exit" => Action::Exit(number(argument)? as i32),
            "print" => Action::Print(argument.to_owned()),
            "try" => {
                let known = Attempt::ALL.iter().find(|(word, _)| *word == argument);
                known.map(|(_, attempt)| Action::Try(*attempt)).ok_or("nothing to try")?
            }
            "ignore-sigterm" => Action::IgnoreSigterm,
            "lose-sessions" => Action::LoseSessions,
            "lose-login" => Action::LoseLogin,
            "unplug" => Action::Unplug(match argument {
                "before" => Moment::Before,
                "during" => Moment::During,
                "after" => Moment::After,
                _ => return Err("unplug before, during or after"),
            }),
            "flip" => Action::Flip,
            "other-key" => Action::OtherKey,
            "der" => Action::Der,
            "short" => Action::Short,
            "empty" => Action::Empty,
            "long" => Action::Long,
            "forget" => Action::Forget,
            "duplicate" => Action::Duplicate,
            "limit" => Action::Limit(positive(argument)?),
            "sessions" => Action::Sessions(number(argument)?),
            "label" => Action::Label(argument.to_owned()),
            "serial" => Action::Serial(argument.to_owned()),
            "flag" => Action::Flag(flag()?, Change::Set),
            "no-flag" => Action::Flag(flag()?, Change::Clear),
            "bad-clock" => Action::BadClock,
            _ => return Err("no such action"),
        })
    }

    /// Whether the action means something for this function (`None`: for all of them).
    fn is_for(&self, function: Option<&str>) -> bool {
        let functions: &[&str] = match self {
            Action::Claim => &CLAIMABLE,
            Action::Flip => &["C_Sign", "C_GetAttributeValue"],
            Action::OtherKey | Action::Der | Action::Short | Action::Empty | Action::Long => {
                &["C_Sign"]
            }
            Action::Forget | Action::Duplicate | Action::Limit(_) => &["C_FindObjects"],
            Action::Sessions(_) => &["C_OpenSession", "C_GetTokenInfo"],
            Action::Label(_) | Action::Serial(_) | Action::Flag(..) | Action::BadClock => {
                &["C_GetTokenInfo"]
            }
            _ => return true,
        };
        function.is_some_and(|function| functions.contains(&function))
    }
}

/// Functions that give nothing back, so that "done" is easily said; C_GenerateKeyPair, which gives
/// two handles, is lied about in a way of its own.
const CLAIMABLE: [&str; 6] = [
    "C_CloseSession",
    "C_DestroyObject",
    "C_FindObjectsInit",
    "C_GenerateKeyPair",
    "C_Login",
    "C_SignInit",
];

fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

fn number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a number is missing")
}

fn positive(text: &str) -> Result<u64, &'static str> {
    number(text).and_then(|count| if count == 0 { Err("counts begin at 1") } else { Ok(count) })
}

/// Chance that is the same in each run with the same seed: the last steps of SplitMix64.
fn mix(seed: u64, rule: u64, count: u64) -> u64 {
    let mut state = seed ^ rule.rotate_left(32) ^ count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki_sys::CKR_DEVICE_ERROR;

    #[test]
    fn every_kind_of_line() {
        let text = "module /m.so # the real one\n\nlog /a log\npin-tries /t 3\nseed 7\n\
                    C_Sign 3 return CKR_DEVICE_ERROR\n* always delay 1000\nC_Sign every 2 flip\n\
                    C_GetTokenInfo 2..3 no-flag CKF_LOGIN_REQUIRED\nC_Sign 1/10 other-key\n";
        let script = Script::parse(text).unwrap();
        assert_eq!((script.module, script.seed), (PathBuf::from("/m.so"), 7));
        assert_eq!(script.log, Some(PathBuf::from("/a log")));
        assert_eq!(script.pin_tries, Some((PathBuf::from("/t"), 3)));
        assert_eq!(script.rules.len(), 5);
        assert_eq!(script.rules[0].function, Some("C_Sign"));
        assert_eq!(script.rules[0].when, When::Between(3, 3));
        assert_eq!(script.rules[0].action, Action::Return(CKR_DEVICE_ERROR));
        assert_eq!(script.rules[1].function, None);
        assert_eq!(script.rules[1].action, Action::Delay(Duration::from_millis(1)));
    }

    #[test]
    fn lines_that_mean_nothing_are_named() {
        for line in [
            "C_Sing 1 abort",
            "C_Sign 0 abort",
            "C_Sign abort",
            "C_Sign 1",
            "C_Sign 1 return CKR_BAD",
            "C_Login 1 flip",
            "* always forget",
            "C_GetTokenInfo 1 flag CKF_NONE",
            "C_Sign 1 unplug",
            "pin-tries 3",
            "C_Sign 1 try everything",
        ] {
            let error = Script::parse(&format!("module /m.so\n{line}\n")).unwrap_err();
            assert!(error.to_string().starts_with("script line 2: "), "{error}");
            assert!(error.to_string().ends_with(line), "{error}");
        }
        assert!(Script::parse("log /l\n").is_err(), "no module");
    }

    #[test]
    fn calls_that_are_meant() {
        let calls = |text: &str| -> Vec<u64> {
            let (when, rest) = When::read(text).unwrap();
            assert_eq!(rest, "abort");
            (1..=6).filter(|count| when.is_now(*count, 0, 0)).collect()
        };
        assert_eq!(calls("always abort"), [1, 2, 3, 4, 5, 6]);
        assert_eq!(calls("2 abort"), [2]);
        assert_eq!(calls("5.. abort"), [5, 6]);
        assert_eq!(calls("2..4 abort"), [2, 3, 4]);
        assert_eq!(calls("every 3 abort"), [3, 6]);
        let chance = When::OneIn(100);
        let hits = |seed| (1..=100_000).filter(|count| chance.is_now(*count, seed, 0)).count();
        assert!((800..1200).contains(&hits(1)), "{}", hits(1));
        assert_eq!(hits(1), hits(1));
    }
}
