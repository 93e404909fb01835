//! `anchorite hsm replicate`: the members of a repository group get the keys that they lack.
//! In: a group. Out: a line for each key that is not in all members, and one for each member that
//! got it or did not. Exit code 1 when a key is still not the same in all members.
//! Never: a key over another one: where members show different keys for one id, nothing is done.

use super::members::{self, Holders, Member, SharedKey, View, replicate, shared_keys};
use super::repositories::{Fault, NewToken, Repositories};
use super::{HsmFault, ReplicateArguments};
use std::io::{self, Write};
use std::process::ExitCode;

/// Replicates.
pub(super) fn run(arguments: &ReplicateArguments) -> Result<ExitCode, HsmFault> {
    let known = Repositories::read(&arguments.config)?;
    let name = &arguments.repository;
    if known.group(name).is_none() {
        known.named(name)?;
        return Err(HsmFault::NoGroup(name.clone()));
    }
    // A member that is new has no token yet.
    let open = |repository| members::open_one(repository, NewToken::Made);
    let members = known.members(name)?.into_iter().map(open);
    let members: Vec<Member> = members.collect::<Result<_, Fault>>()?;
    let keys = shared_keys(&members);
    let mut output = io::stdout().lock();
    writeln!(output, "{} keys in repository group {name}", keys.len())?;
    let (mut missing, mut whole) = (0, 0);
    for key in &keys {
        match complete(key, &members, &mut output)? {
            true => whole += 1,
            false => missing += 1,
        }
    }
    writeln!(output, "{whole} in all members, {missing} not")?;
    Ok(if missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives one key to the members that lack it; says whether all have the same now.
fn complete(key: &SharedKey, members: &[Member], output: &mut dyn Write) -> io::Result<bool> {
    if key.is_whole() {
        return Ok(true);
    }
    let id = &key.entry.id;
    writeln!(output, "{id}: {}", Holders(key, members))?;
    let mut views = key.views.iter().zip(members);
    let Some((_, from)) = views.find(|(view, _)| matches!(view, View::Shows(_))) else {
        return Ok(false);
    };
    if key.is_torn() {
        writeln!(output, "\tnothing is done: find out which of them the zones have")?;
        return Ok(false);
    }
    for (view, to) in key.views.iter().zip(members) {
        match view {
            View::Shows(_) => {}
            View::Unusable(reason) => {
                let reason = reason.as_ref().map_or_else(String::new, |error| format!(": {error}"));
                writeln!(output, "\t{}: left as it is{reason}", to.name())?;
            }
            View::Lacks => match replicate(from, to, id) {
                Ok(()) => writeln!(output, "\t{}: taken from {}", to.name(), from.name())?,
                Err(reason) => writeln!(output, "\t{}: lacks it: {reason}", to.name())?,
            },
        }
    }
    // Members say what they have now, not what this program did.
    Ok(is_whole_now(key, members))
}

fn is_whole_now(key: &SharedKey, members: &[Member]) -> bool {
    let algorithm = key.views.iter().find_map(|view| match view {
        View::Shows(public) => Some(public.algorithm),
        View::Lacks | View::Unusable(_) => None,
    });
    let shown = algorithm.map(|algorithm| {
        members.iter().map(move |member| member.slot.public_key(&key.entry.id, algorithm))
    });
    let shown: Vec<_> = shown.into_iter().flatten().collect();
    shown.iter().all(|public| public.is_ok() && *public == shown[0])
}
