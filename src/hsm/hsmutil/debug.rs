//! `debug` of `ods-hsmutil`: the open sessions, as libhsm prints its context.
//! Out: OpenDNSSEC's lines. Addresses of our memory and handles say nothing to an operator, so
//! those are numbers in order; a built-in token has no library, and no symbols.

use super::{Outcome, Task, module};

/// `debug`.
pub(super) fn run(task: &mut Task) -> Outcome {
    let repositories = &task.repositories.all;
    // All tokens are open at once, as in libhsm's context.
    let mut open = Vec::with_capacity(repositories.len());
    for repository in repositories {
        open.push(task.open(repository)?);
    }
    writeln!(task.output, "CTX Sessions: {}", open.len())?;
    for (position, repository) in repositories.iter().enumerate() {
        let number = position + 1;
        writeln!(task.output, "\tSession at {number:#x}")?;
        writeln!(task.output, "\t\tmodule at {number:#x} (sym {number:#x})")?;
        writeln!(task.output, "\t\tmodule path: {}", module(repository))?;
        writeln!(task.output, "\t\trepository name: {}", repository.name)?;
        writeln!(task.output, "\t\ttoken label: {}", repository.token_label)?;
        writeln!(task.output, "\t\tsess handle: {number}")?;
    }
    Ok(0)
}
