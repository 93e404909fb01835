//! `anchorite audit-host`: the process of the independent auditor. Started by `anchorite` itself,
//! never by hand; not in the help.
//! In: a socket as standard input. Out: verdicts there, complaints on standard error. Exit code 2
//! when what comes is no ticket of an anchorite.

use std::process::ExitCode;

/// Runs the host until its parent is gone.
pub(crate) fn main() -> ExitCode {
    match audit_host::host::run() {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("anchorite audit-host: {fault}");
            ExitCode::from(2)
        }
    }
}
