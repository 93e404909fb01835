//! Filters that can be built, and refusals that say what an operator needs. That they hold is
//! tried on whole hosts, in `tests/tests/slot_isolation.rs`.

use super::*;

fn call(number: i64, argument: u64) -> seccomp_data {
    let nr = i32::try_from(number).unwrap();
    seccomp_data { nr, arch: 0, instruction_pointer: 0, args: [argument, 0, 0, 0, 0, 0] }
}

#[test]
fn every_filter_can_be_built_and_fits() {
    for rights in [Rights::BuiltIn, Rights::Module(Network::Allow), Rights::Module(Network::Deny)] {
        let program = program_of(rights).unwrap();
        // BPF_MAXINSNS of the kernel.
        assert!(program.len() < 4096, "{rights:?}: {} steps", program.len());
        let refuse = SECCOMP_RET_ERRNO | EPERM.unsigned_abs();
        assert!(program.iter().any(|step| is_return(step) && step.k == refuse));
    }
}

#[test]
fn no_call_is_listed_twice() {
    let refused = REFUSED.iter().chain(KILLS).map(|(number, _)| *number);
    assert_eq!(refused.clone().collect::<BTreeSet<_>>().len(), refused.count());
    assert_eq!(ALLOWED.iter().collect::<BTreeSet<_>>().len(), ALLOWED.len());
}

#[test]
fn refusals_say_what_was_tried() {
    let words = words_of(&call(SYS_socket, 2), Rights::Module(Network::Deny));
    assert!(words.contains("remove <Network>deny</Network> in conf.xml"), "{words}");
    let words = words_of(&call(SYS_socket, 17), Rights::Module(Network::Allow));
    assert_eq!(words, "a socket of family 17");
    let words = words_of(&call(libc::SYS_ptrace, 0), Rights::Module(Network::Allow));
    assert_eq!(words, "the system call ptrace, which no PKCS#11 module needs");
    let words = words_of(&call(SYS_socket, 1), Rights::BuiltIn);
    assert_eq!(words, "a socket of family 1");
}
