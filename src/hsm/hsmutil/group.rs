//! `list`, `generate`, `purge` and `test` of `ods-hsmutil` for a repository group, and `remove` and
//! `copy` of a key in one. OpenDNSSEC has no groups: its lines come first, then ours, a line for
//! each member with what happened there.
//! Never: half of it. What would leave members with different keys is not begun, or taken back.

use super::super::members::{self, Holders, Member, replicate, shared_keys};
use super::super::repositories::{Fault, NewToken, slot_fault};
use super::keys::{count, is_confirmed, row};
use super::{MINUS_ONE, Outcome, Task, kind_and_bits, test};
use appliance_config::{Repository, RepositoryGroup};
use dnssec::key::KeyId;
use hsm::{GenerateRequest, KeyTransfer, SlotError};
use std::io::{self, Write};

/// A line about a member.
fn say(
    output: &mut dyn Write,
    member: &Repository,
    words: impl std::fmt::Display,
) -> io::Result<()> {
    writeln!(output, "\t{}: {words}", member.name)
}

/// The members that open; the others are complained of.
fn open_those_that_do<'a>(
    task: &Task<'a>,
    group: &RepositoryGroup,
) -> Result<(Vec<Member<'a>>, u8), Fault> {
    let (mut open, mut failures) = (Vec::new(), 0_u8);
    for repository in task.repositories.members(&group.name)? {
        match members::open_one(repository, NewToken::Refused) {
            Ok(member) => open.push(member),
            Err(fault) => {
                eprintln!("member {} of {}: {fault}", repository.name, group.name);
                failures = failures.saturating_add(1);
            }
        }
    }
    Ok((open, failures))
}

/// `list <group>`: each key once, with the members that have it.
pub(super) fn list(task: &mut Task, group: &RepositoryGroup) -> Outcome {
    let (open, failures) = open_those_that_do(task, group)?;
    let keys = shared_keys(&open);
    writeln!(task.output, "\nListing keys in repository: {}", group.name)?;
    count(task.output, keys.len())?;
    row(task.output, ["Repository", "ID", "Type"], "  Members")?;
    row(task.output, ["----------", "--", "----"], "  -------")?;
    for key in keys {
        let kind = kind_and_bits(&key.entry);
        let kind = kind.map_or_else(|| "UNKNOWN".into(), |(name, bits)| format!("{name}/{bits}"));
        let holders = format!("  {}", Holders(&key, &open));
        row(task.output, [&group.name, &key.entry.id.to_string(), &kind], &holders)?;
    }
    Ok(if failures == 0 { 0 } else { MINUS_ONE })
}

/// `generate <group> ..`: the first member makes the key, and the others get it where the tokens
/// allow that. Says how many members lack it; `Err` when it was not made.
pub(super) fn generate(
    task: &mut Task,
    group: &RepositoryGroup,
    request: &GenerateRequest,
) -> Result<u8, Fault> {
    let mut members = task.repositories.members(&group.name)?.into_iter();
    // A group has two members at least.
    let Some(first) = members.next() else { return Err(Fault::Unknown(group.name.clone())) };
    let maker = members::open_one(first, NewToken::Made)?;
    let others: Vec<_> = members
        .map(|member| members::open_one(member, NewToken::Made))
        .collect::<Result<_, _>>()?;
    maker.slot.generate(request).map_err(|error| slot_fault(first, error))?;
    writeln!(task.output, "Key generation successful: {}", request.id)?;
    say(task.output, first, "made")?;
    let mut lacking = 0_u8;
    for other in others {
        match replicate(&maker, &other, &request.id) {
            Ok(()) => say(task.output, other.repository, "has it too")?,
            Err(reason) => {
                say(task.output, other.repository, format_args!("lacks it: {reason}"))?;
                lacking = lacking.saturating_add(1);
            }
        }
    }
    Ok(lacking)
}

/// `purge <group>`: all keys of all members.
pub(super) fn purge(task: &mut Task, group: &RepositoryGroup) -> Outcome {
    let members = members::open_all(task.repositories, &group.name)?;
    writeln!(task.output, "Purging all keys from repository: {}", group.name)?;
    let mut ids: Vec<&KeyId> = members.iter().flat_map(|member| member.keys.keys()).collect();
    ids.sort();
    ids.dedup();
    count(task.output, ids.len())?;
    if ids.is_empty() || !is_confirmed(task, &group.name)? {
        return Ok(MINUS_ONE);
    }
    writeln!(task.output, "\nStarting purge...")?;
    let mut failures: u8 = 0;
    for id in ids {
        let removed: Vec<_> = members.iter().map(|member| remove_in(member, id)).collect();
        let is_gone = removed.iter().all(|one| !matches!(one, Some(Err(_))));
        let word = if is_gone { "successful" } else { "failed" };
        writeln!(task.output, "Key remove {word}: {id}")?;
        failures = failures.saturating_add(u8::from(!is_gone));
        say_removed(task.output, &members, &removed)?;
    }
    writeln!(task.output, "Purge done.")?;
    Ok(failures)
}

/// `None` where the member has no such key.
fn remove_in(member: &Member, id: &KeyId) -> Option<Result<(), SlotError>> {
    member.keys.contains_key(id).then(|| member.slot.delete(id))
}

fn say_removed(
    output: &mut dyn Write,
    members: &[Member],
    removed: &[Option<Result<(), SlotError>>],
) -> io::Result<()> {
    for (member, result) in members.iter().zip(removed) {
        match result {
            None => say(output, member.repository, "had no such key")?,
            Some(Ok(())) => say(output, member.repository, "removed")?,
            Some(Err(error)) => {
                say(output, member.repository, format_args!("still has it: {error}"))?;
            }
        }
    }
    Ok(())
}

/// `remove <id>` of a key in a group: in every member, or not at all while one does not open.
pub(super) fn remove(task: &mut Task, group: &RepositoryGroup, id: &KeyId) -> Outcome {
    let members = members::open_all(task.repositories, &group.name)?;
    let removed: Vec<_> = members.iter().map(|member| remove_in(member, id)).collect();
    let is_gone = removed.iter().all(|one| !matches!(one, Some(Err(_))));
    writeln!(task.output, "Key remove {}.", if is_gone { "successful" } else { "failed" })?;
    say_removed(task.output, &members, &removed)?;
    Ok(if is_gone { 0 } else { MINUS_ONE })
}

/// `copy <id> <new-id>` of a key in a group: in every member that has it, or in none.
pub(super) fn copy(task: &mut Task, group: &RepositoryGroup, id: &KeyId, new: &KeyId) -> Outcome {
    let members = members::open_all(task.repositories, &group.name)?;
    let copied: Vec<_> = members
        .iter()
        .map(|member| member.keys.contains_key(id).then(|| member.slot.copy(id, new)))
        .collect();
    let is_done = copied.iter().all(|one| !matches!(one, Some(Err(_))));
    writeln!(task.output, "Key copy {}.", if is_done { "successful" } else { "failed" })?;
    for (member, result) in members.iter().zip(copied) {
        match result {
            None => say(task.output, member.repository, "had no such key")?,
            Some(Err(error)) => say(task.output, member.repository, error)?,
            Some(Ok(())) if is_done => say(task.output, member.repository, "copied")?,
            Some(Ok(())) => match take_back(member.slot.as_ref(), new) {
                Ok(()) => say(task.output, member.repository, "copied, and removed again")?,
                Err(error) => {
                    say(task.output, member.repository, format_args!("has the copy: {error}"))?;
                }
            },
        }
    }
    Ok(if is_done { 0 } else { MINUS_ONE })
}

fn take_back(slot: &dyn KeyTransfer, new: &KeyId) -> Result<(), SlotError> {
    slot.delete(new)
}

/// `test <group>`: each member by itself.
pub(super) fn test(task: &mut Task, group: &RepositoryGroup) -> Outcome {
    let mut failures = 0_u8;
    for repository in task.repositories.members(&group.name)? {
        writeln!(task.output, "Testing repository: {}\n", repository.name)?;
        failures = failures.saturating_add(test::test(task, repository)?);
    }
    Ok(failures)
}

/// What `info` says of the groups: members, quorum, and whether all of them hold the same keys.
pub(super) fn info(task: &mut Task) -> Outcome {
    let known = task.repositories;
    for group in &known.groups {
        let members = members::open_all(known, &group.name)?;
        let keys = shared_keys(&members);
        let whole = keys.iter().filter(|key| key.is_whole()).count();
        writeln!(task.output, "\nRepository group: {}", group.name)?;
        writeln!(task.output, "\tMembers:       {}", group.members.join(", "))?;
        writeln!(task.output, "\tQuorum:        {}", group.quorum)?;
        writeln!(task.output, "\tKeys:          {whole} of {} in all members", keys.len())?;
        for key in keys.iter().filter(|key| !key.is_whole()) {
            writeln!(task.output, "\t\t{}: {}", key.entry.id, Holders(key, &members))?;
        }
    }
    Ok(0)
}
