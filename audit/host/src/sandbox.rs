//! What an audit host may ask of the kernel: its socket, memory, threads, randomness. It opens no
//! files and no connections, whatever a hostile zone makes of it. All else fails with EPERM.

use nix::libc::*;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::io;

/// All that judging needs.
const ALLOWED: &[i64] = &[
    // The socket, and complaints on standard error.
    SYS_read,
    SYS_readv,
    SYS_write,
    SYS_writev,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_sendto,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_close,
    SYS_fcntl,
    SYS_ppoll,
    // Memory.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_membarrier,
    // Threads and the end of the process.
    SYS_clone,
    SYS_clone3,
    SYS_futex,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_gettid,
    SYS_getpid,
    SYS_tgkill,
    SYS_prctl,
    SYS_exit,
    SYS_exit_group,
    SYS_restart_syscall,
    // Signals, which stack guards and panics need.
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    // Time and randomness (hash tables).
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_getrandom,
];

/// Gives up every other right, before any other thread runs.
pub(crate) fn enter() -> io::Result<()> {
    let rules = ALLOWED.iter().map(|number| (*number, Vec::new())).collect();
    let refuse = SeccompAction::Errno(EPERM.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}
