//! System calls by what hosts have to do with them.
//! Names are those of the kernel's table; see syscalls(2).

use nix::libc::*;

/// What no PKCS#11 module is allowed, with the names that an operator reads.
pub(super) const REFUSED: &[(i64, &str)] = &[
    // Other programs.
    (SYS_execve, "execve"),
    (SYS_execveat, "execveat"),
    // Other processes: their memory, their descriptors, their signals.
    (SYS_ptrace, "ptrace"),
    (SYS_process_vm_readv, "process_vm_readv"),
    (SYS_process_vm_writev, "process_vm_writev"),
    (SYS_process_madvise, "process_madvise"),
    (SYS_process_mrelease, "process_mrelease"),
    (SYS_kcmp, "kcmp"),
    (SYS_pidfd_getfd, "pidfd_getfd"),
    (SYS_pidfd_send_signal, "pidfd_send_signal"),
    (SYS_tkill, "tkill"),
    (SYS_migrate_pages, "migrate_pages"),
    (SYS_move_pages, "move_pages"),
    // Mounts and namespaces.
    (SYS_mount, "mount"),
    (SYS_umount2, "umount2"),
    (SYS_pivot_root, "pivot_root"),
    (SYS_chroot, "chroot"),
    (SYS_move_mount, "move_mount"),
    (SYS_open_tree, "open_tree"),
    (SYS_fsopen, "fsopen"),
    (SYS_fsconfig, "fsconfig"),
    (SYS_fsmount, "fsmount"),
    (SYS_fspick, "fspick"),
    (SYS_mount_setattr, "mount_setattr"),
    (SYS_unshare, "unshare"),
    (SYS_setns, "setns"),
    // The kernel.
    (SYS_init_module, "init_module"),
    (SYS_finit_module, "finit_module"),
    (SYS_delete_module, "delete_module"),
    (SYS_kexec_load, "kexec_load"),
    (SYS_bpf, "bpf"),
    (SYS_perf_event_open, "perf_event_open"),
    (SYS_userfaultfd, "userfaultfd"),
    (SYS_reboot, "reboot"),
    (SYS_swapon, "swapon"),
    (SYS_swapoff, "swapoff"),
    (SYS_acct, "acct"),
    (SYS_quotactl, "quotactl"),
    (SYS_syslog, "syslog"),
    (SYS_fanotify_init, "fanotify_init"),
    (SYS_open_by_handle_at, "open_by_handle_at"),
    (SYS_add_key, "add_key"),
    (SYS_request_key, "request_key"),
    (SYS_keyctl, "keyctl"),
    // A second way to all system calls, past this filter.
    (SYS_io_uring_setup, "io_uring_setup"),
    (SYS_io_uring_enter, "io_uring_enter"),
    (SYS_io_uring_register, "io_uring_register"),
    // The machine's time and name.
    (SYS_settimeofday, "settimeofday"),
    (SYS_clock_settime, "clock_settime"),
    (SYS_clock_adjtime, "clock_adjtime"),
    (SYS_adjtimex, "adjtimex"),
    (SYS_sethostname, "sethostname"),
    (SYS_setdomainname, "setdomainname"),
    #[cfg(target_arch = "x86_64")]
    (SYS_kexec_file_load, "kexec_file_load"),
    #[cfg(target_arch = "x86_64")]
    (SYS_iopl, "iopl"),
    #[cfg(target_arch = "x86_64")]
    (SYS_ioperm, "ioperm"),
    #[cfg(target_arch = "x86_64")]
    (SYS_modify_ldt, "modify_ldt"),
];

/// What is allowed with the host's own process number as the first argument only.
pub(super) const KILLS: &[(i64, &str)] = &[
    (SYS_kill, "kill for another process"),
    (SYS_tgkill, "tgkill for another process"),
    (SYS_rt_sigqueueinfo, "rt_sigqueueinfo for another process"),
    (SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo for another process"),
];

/// All that a built-in token needs: its files, its socket, memory, threads, the clock, randomness.
pub(super) const ALLOWED: &[i64] = &[
    // Files.
    SYS_openat,
    SYS_close,
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_write,
    SYS_writev,
    SYS_pwrite64,
    SYS_lseek,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat,
    SYS_renameat2,
    SYS_linkat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_ftruncate,
    SYS_fsync,
    SYS_fdatasync,
    SYS_flock,
    SYS_fcntl,
    SYS_dup,
    SYS_dup3,
    SYS_ppoll,
    SYS_umask,
    // The socket to the parent, and the refusals.
    SYS_sendto,
    SYS_sendmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_shutdown,
    SYS_getpeername,
    SYS_getsockname,
    SYS_getsockopt,
    SYS_ioctl,
    // Memory.
    SYS_brk,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_mprotect,
    SYS_madvise,
    SYS_mlock,
    SYS_mlock2,
    SYS_munlock,
    SYS_membarrier,
    // Threads and the end of the process.
    SYS_clone,
    SYS_clone3,
    SYS_futex,
    SYS_rseq,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_set_tid_address,
    SYS_gettid,
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_sched_getaffinity,
    SYS_sched_yield,
    SYS_prctl,
    SYS_prlimit64,
    SYS_getrusage,
    SYS_sigaltstack,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_restart_syscall,
    SYS_tgkill,
    SYS_exit,
    SYS_exit_group,
    // The machine.
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_getrandom,
    SYS_uname,
    SYS_sysinfo,
    #[cfg(target_arch = "x86_64")]
    SYS_open,
    #[cfg(target_arch = "x86_64")]
    SYS_stat,
    #[cfg(target_arch = "x86_64")]
    SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    SYS_access,
    #[cfg(target_arch = "x86_64")]
    SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    SYS_rename,
    #[cfg(target_arch = "x86_64")]
    SYS_link,
    #[cfg(target_arch = "x86_64")]
    SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    SYS_poll,
    #[cfg(target_arch = "x86_64")]
    SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    SYS_arch_prctl,
];
