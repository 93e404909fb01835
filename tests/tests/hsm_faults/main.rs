//! What HSMs do wrong, done to our slots by the fault module: faults R9 to R12, rules HSM-1 to
//! HSM-10. Every test runs on the slot in this process and on the slot in a process of its own.
//! In: rules for the fault module. Out: no wrong signature, no key twice, no PIN twice, and after
//! the token is mended everything goes on by itself.

mod crashes;
mod each_call;
mod lies;
mod pins;
mod sessions;
mod subject;
mod tokens;

/// The slot host of every other test: this program, started again with this variable set.
#[test]
fn host_process() {
    if std::env::var_os(subject::HOST).is_some() {
        let fault = hsm::host::run();
        eprintln!("{fault}");
        hsm::host::exit(2);
    }
}
