//! The one table of commands: from it come parsing, `help`, the roles, and which handler answers.
//! In: words. Out: [`Command`]s. A command that is not here does not exist; one that is here is
//! complete. To add one: an entry in its family's file, in the order in which `help` shows it,
//! and a handler of the same path in `actors/src/console`; a test there says which is missing.
//!
//! A front end sees its own family; `anchorite` sees all of them, its own first.

mod appliance;
mod enforcer;
mod key_texts;
mod keys;
mod ksmutil;
mod roles;
mod signer;
mod zones;

pub use ksmutil::DATE_HELP;
pub use roles::{Role, Roles, UnknownRole};

use crate::messages::FrontEnd;

/// Who a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// OpenDNSSEC's enforcer.
    Enforcer,
    /// OpenDNSSEC's signer.
    Signer,
    /// Ours.
    Appliance,
    /// OpenDNSSEC 1.x's front end; nobody else sees these.
    Ksmutil,
}

/// Whether a command changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It only shows.
    Read,
    /// It has effects, so it is logged before and after.
    Change,
}

/// Who makes a text of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renderer {
    /// The command itself: words for people, a file, a plugin's line.
    Words,
    /// Rows or facts: columns for people, and with `--json`, which the command has thereby, the
    /// same for programs.
    Rows,
}

/// An option of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its long name, without the dashes.
    pub long: &'static str,
    /// Its letter.
    pub short: char,
    /// What its value is called in `help`; `None`: it has none.
    pub value: Option<&'static str>,
}

/// How many operands a command takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operands {
    /// So many at least.
    pub least: usize,
    /// So many at most.
    pub most: usize,
}

impl Operands {
    /// None at all.
    pub const NONE: Operands = Operands { least: 0, most: 0 };
    /// One at most.
    pub const ONE_OR_NONE: Operands = Operands { least: 0, most: 1 };
    /// Any number, of which the handler makes what it likes.
    pub const ANY: Operands = Operands { least: 0, most: usize::MAX };
}

/// One command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who it belongs to.
    pub family: Family,
    /// Its words, with one blank between two.
    pub path: &'static str,
    /// Its lines in the list of commands. Neighbours with the same lines are listed once.
    pub usage: &'static str,
    /// What `help` says about it; empty where the usage says it all.
    pub help: &'static str,
    /// Its own options; [`Command::options`] has them all.
    pub parameters: &'static [Parameter],
    /// Its operands.
    pub operands: Operands,
    /// Who may give it: see [`Roles::may`].
    pub role: Role,
    /// Whether it changes anything.
    pub effect: Effect,
    /// What its answer is made of.
    pub renderer: Renderer,
    /// Whether front ends send their standard input with it, up to
    /// [`INPUT_OCTETS_MAX`](crate::frame::INPUT_OCTETS_MAX).
    pub takes_input: bool,
}

impl Command {
    /// All options: its own, and `--json` where there are rows.
    pub fn options(&self) -> impl Iterator<Item = &'static Parameter> + use<> {
        let json = (self.renderer == Renderer::Rows).then_some(&JSON);
        self.parameters.iter().chain(json)
    }
}

/// What every command has whose answer is made of rows.
static JSON: Parameter = Parameter { long: "json", short: 'j', value: None };

/// Options of `start`: the configuration that the daemon is started with.
const START: &[Parameter] = &[Parameter { long: "config", short: 'c', value: Some("file") }];

/// The commands of a family, in the order of `help`.
pub fn of(family: Family) -> &'static [Command] {
    match family {
        Family::Enforcer => enforcer::COMMANDS,
        Family::Signer => signer::COMMANDS,
        Family::Appliance => appliance::COMMANDS,
        Family::Ksmutil => ksmutil::COMMANDS,
    }
}

/// Every command of OpenDNSSEC 2.x's front ends and ours.
pub fn all() -> impl Iterator<Item = &'static Command> {
    [Family::Appliance, Family::Enforcer, Family::Signer].into_iter().flat_map(of)
}

/// The commands that a front end sees; of two with one path, the first is meant.
pub fn seen_by(front_end: FrontEnd) -> Vec<&'static Command> {
    match front_end {
        FrontEnd::Enforcer => of(Family::Enforcer).iter().collect(),
        FrontEnd::Signer => of(Family::Signer).iter().collect(),
        FrontEnd::Appliance => all().collect(),
        FrontEnd::Ksmutil => of(Family::Ksmutil).iter().collect(),
    }
}

/// The command that `words` begin with, and how many words it has: of several, the longest.
/// `anchorite` may put `enforcer` or `signer` in front, to pick one of two.
pub fn find(front_end: FrontEnd, words: &[String]) -> Option<(&'static Command, usize)> {
    let prefix = match (front_end, words.first().map(String::as_str)) {
        (FrontEnd::Appliance, Some("enforcer")) => Some(FrontEnd::Enforcer),
        (FrontEnd::Appliance, Some("signer")) => Some(FrontEnd::Signer),
        _ => None,
    };
    if let Some(front_end) = prefix {
        return find(front_end, &words[1..]).map(|(command, count)| (command, count + 1));
    }
    let mut best: Option<(&'static Command, usize)> = None;
    for command in seen_by(front_end) {
        let count = command.path.split(' ').count();
        let is_meant = command.path.split(' ').eq(words.iter().take(count).map(String::as_str));
        if is_meant && best.is_none_or(|(_, longest)| count > longest) {
            best = Some((command, count));
        }
    }
    best
}

#[cfg(test)]
mod tests;
