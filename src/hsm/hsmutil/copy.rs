//! `copy` of `ods-hsmutil`: the same key under a second id, as OpenDNSSEC 2.1.14 has it.
//! In: an id that exists, an id that is free. Out: one line, as for the other commands.
//! Limit: removing one of the two leaves the other in the token, where it goes on signing for
//! whoever knows its id.

use super::super::repositories::slot_fault;
use super::{End, MINUS_ONE, Outcome, Task, group};
use dnssec::key::KeyId;

/// `copy <id> <new-id>`.
pub(super) fn run(task: &mut Task) -> Outcome {
    let [id, new] = task.operands else { return Err(End::Usage(MINUS_ONE)) };
    let Some((repository, slot, key)) = task.find(id)? else {
        writeln!(task.output, "Key not found: {id}")?;
        return Ok(MINUS_ONE);
    };
    let Some(new) = KeyId::from_hex(new) else {
        writeln!(task.output, "Key copy failed.")?;
        eprintln!("{new:?} is no key id: 1 to 64 bytes in hexadecimal");
        return Ok(MINUS_ONE);
    };
    if let Some(group) = task.repositories.group_of(repository) {
        drop(slot);
        return group::copy(task, group, &key.id, &new);
    }
    if let Err(error) = slot.copy(&key.id, &new) {
        writeln!(task.output, "Key copy failed.")?;
        eprintln!("{}", slot_fault(repository, error));
        return Ok(MINUS_ONE);
    }
    writeln!(task.output, "Key copy successful.")?;
    Ok(0)
}
