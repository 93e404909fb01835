//! What a slot host may ask of the kernel (rule HSM-1): a filter before its system calls.
//!
//! A built-in token does what its code needs and nothing else. A PKCS#11 module is foreign code
//! that may do much: it is refused what would reach other processes, other programs, the kernel,
//! and the network, unless the repository's `<Network>` allows that. A call that is refused fails
//! with EPERM, and the first of each kind is told on standard error, where the parent's log goes.
//! In: whose rights. Out: a process that can never get more. Lists: [`calls`].
//! Never: files (their permissions are the user's), the size of memory.
//! Limits: only for this thread and those it starts; a host has no others yet.

mod calls;

use super::process::Failed;
use crate::error::Place;
use crate::hosted::Network;
use crate::system;
use calls::{ALLOWED, KILLS, REFUSED};
use nix::libc::{
    self, AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, AF_VSOCK, EPERM, NETLINK_KOBJECT_UEVENT,
    NETLINK_ROUTE, SECCOMP_RET_ERRNO, SECCOMP_RET_USER_NOTIF, SYS_socket, seccomp_data,
    sock_filter,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::thread;

/// What hosts may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    /// A built-in token's.
    BuiltIn,
    /// A PKCS#11 module's.
    Module(Network),
}

/// System calls by number with the conditions under which a filter's rule holds; none: always.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Gives up every right but these, before anything else is loaded or opened.
pub(super) fn enter(place: &Place, rights: Rights) -> Result<(), Failed> {
    let failed = |error: io::Error| ("limit its system calls", error);
    let mut program = program_of(rights).map_err(|error| failed(io::Error::other(error)))?;
    let silent = program.clone();
    let refuse = SECCOMP_RET_ERRNO | EPERM.unsigned_abs();
    program.iter_mut().filter(|step| is_return(step) && step.k == refuse).for_each(|step| {
        step.k = SECCOMP_RET_USER_NOTIF;
    });
    let listener = match system::filter_calls_with_listener(&mut program) {
        Ok(listener) => listener,
        // Some containers have a listener of their own; then the same is refused without words.
        Err(_) => return system::filter_calls(&mut silent.clone()).map_err(failed),
    };
    let place = place.clone();
    let teller = thread::Builder::new().name("refusals".to_owned());
    teller.spawn(move || tell(&listener, &place, rights)).map_err(failed)?;
    Ok(())
}

/// Refuses what waits, and says so once for each kind.
fn tell(listener: &OwnedFd, place: &Place, rights: Rights) {
    let mut told = BTreeSet::new();
    // The end of the listener is the end of the process.
    while let Ok(call) = system::refuse_next(listener, EPERM) {
        let Some(call) = call else { continue };
        let words = words_of(&call, rights);
        if told.insert(words.clone()) {
            // Where nobody listens, nobody wants to know.
            let _ = writeln!(io::stderr(), "anchorite slot-host: {place}: refused {words}");
        }
    }
}

/// A refused call in words, with what an operator can do.
fn words_of(call: &seccomp_data, rights: Rights) -> String {
    let number = i64::from(call.nr);
    if number == SYS_socket {
        let family = call.args[0];
        let is_of_network = NETWORKS.iter().any(|known| known.unsigned_abs() == family as u32);
        return match rights {
            Rights::Module(Network::Deny) if is_of_network => "a network connection; if this \
                 module's HSM is on the network, remove <Network>deny</Network> in conf.xml"
                .to_owned(),
            _ => format!("a socket of family {family}"),
        };
    }
    let named = REFUSED.iter().chain(KILLS).find(|(refused, _)| *refused == number);
    match named {
        Some((_, name)) => format!("the system call {name}, which no PKCS#11 module needs"),
        None => format!("system call {number}, which a built-in token does not need"),
    }
}

/// Socket families that reach other machines; AF_VSOCK reaches the enclaves of cloud machines.
const NETWORKS: [libc::c_int; 3] = [AF_INET, AF_INET6, AF_VSOCK];

fn program_of(rights: Rights) -> Result<Vec<sock_filter>, seccompiler::BackendError> {
    let refuse = SeccompAction::Errno(EPERM.unsigned_abs());
    let (rules, others, those) = match rights {
        Rights::BuiltIn => (allowed(), refuse, SeccompAction::Allow),
        Rights::Module(network) => (refused(network)?, SeccompAction::Allow, refuse),
    };
    let filter = SeccompFilter::new(rules, others, those, std::env::consts::ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    let step = |step: &seccompiler::sock_filter| sock_filter {
        code: step.code,
        jt: step.jt,
        jf: step.jf,
        k: step.k,
    };
    Ok(OTHER_TABLE.into_iter().chain(program.iter().map(step)).collect())
}

/// x86 has a second table of the same calls under other numbers (x32); nobody needs it, and the
/// lists do not name it. "Load the number; if it is of the second table, then: not implemented."
const OTHER_TABLE: [sock_filter; 3] = [
    sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 },
    sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 },
    sock_filter { code: 0x06, jt: 0, jf: 0, k: SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs() },
];

fn is_return(step: &sock_filter) -> bool {
    step.code == 0x06
}

fn allowed() -> Rules {
    ALLOWED.iter().map(|number| (*number, Vec::new())).collect()
}

fn refused(network: Network) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|(number, _)| (*number, Vec::new())).collect();
    let is = |argument: u8, operator: SeccompCmpOp, value: u64| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
    };
    let is_none_of = |argument: u8, values: &[libc::c_int]| {
        let other =
            |value: &libc::c_int| is(argument, SeccompCmpOp::Ne, u64::from(value.unsigned_abs()));
        values.iter().map(other).collect::<Result<Vec<_>, _>>()
    };
    let own = std::process::id();
    for (number, _) in KILLS {
        let others = is(0, SeccompCmpOp::Ne, u64::from(own))?;
        rules.insert(*number, vec![SeccompRule::new(vec![others])?]);
    }
    // Unix sockets lead to daemons of this machine (pcscd); netlink tells interfaces and devices.
    let mut families = vec![AF_UNIX, AF_NETLINK];
    if network == Network::Allow {
        families.extend(NETWORKS);
    }
    let other_family = SeccompRule::new(is_none_of(0, &families)?)?;
    let mut other_netlink = is_none_of(2, &[NETLINK_ROUTE, NETLINK_KOBJECT_UEVENT])?;
    other_netlink.push(is(0, SeccompCmpOp::Eq, u64::from(AF_NETLINK.unsigned_abs()))?);
    rules.insert(SYS_socket, vec![other_family, SeccompRule::new(other_netlink)?]);
    Ok(rules)
}

#[cfg(test)]
mod tests;
