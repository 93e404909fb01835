//! `anchorite slot-host`: the process that holds one repository's PKCS#11 module or built-in
//! token. Started by `anchorite` itself, never by hand; not in the help.
//! In: a socket as standard input. Out: answers there, complaints on standard error. Exit code 2
//! when what comes is no request of an anchorite.

/// Runs the host until its parent is gone.
pub(crate) fn main() -> ! {
    let fault = hsm::host::run();
    eprintln!("anchorite slot-host: {fault}");
    hsm::host::exit(2)
}
