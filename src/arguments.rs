//! The command line of `anchorite`. In: words. Out: the program's exit code: 0 done, 1 failed,
//! 2 wrong usage.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

/// DNSSEC signing appliance: signs, audits, publishes; rather stops than publishes something wrong.
#[derive(Parser)]
#[command(name = "anchorite", version, disable_help_subcommand = true)]
#[command(after_help = "Everything else is a command for the running daemon: see anchorite help.")]
struct Line {
    #[command(subcommand)]
    program: Program,
}

#[derive(Subcommand)]
enum Program {
    /// Sign one zone file, with no set-up at all.
    Sign(SignArguments),
    /// Sign every zone of an OpenDNSSEC configuration, and go on doing so.
    Run(RunArguments),
    /// Check conf.xml, kasp.xml and zonelist.xml (see `anchorite check --help`).
    Check,
    /// Judge a signed zone file, whoever signed it.
    Audit(AuditArguments),
    /// Take a signed zone from its signer, and pass on to secondaries what the auditor approves.
    AuditProxy(AuditProxyArguments),
    /// Answer SSH clients, with public keys only: the commands of the daemon, and its shell.
    SshHost(SshHostArguments),
    /// Test the tokens of repositories, and import keys.
    Hsm(crate::hsm::HsmArguments),
    /// Commands for the daemon with history, completion and help (see `anchorite shell -h`).
    Shell,
    /// Print a completion script for bash, zsh or fish.
    Completions,
    /// Print the manual page of a command, or write all of them.
    Man,
    /// Keys by hand, as OpenDNSSEC's ods-hsmutil (see `anchorite hsmutil -h`).
    Hsmutil,
    /// Signatures a second, as OpenDNSSEC's ods-hsmspeed.
    Hsmspeed,
}

/// The words that are programs of their own, not commands for the daemon.
pub(crate) const PROGRAMS: &[&str] = &[
    "sign",
    "run",
    "audit",
    "audit-proxy",
    "check",
    "hsm",
    "hsmutil",
    "hsmspeed",
    "ssh-host",
    "shell",
    "completions",
    "man",
];

/// Whether a first word is for this command line; `-s` is for the daemon's commands.
pub(crate) fn knows(word: &str) -> bool {
    let is_for_daemon = word.starts_with("-s") || word.starts_with("--s");
    PROGRAMS.contains(&word) || (word.starts_with('-') && !is_for_daemon)
}

/// What `anchorite sign` is told.
#[derive(Args)]
pub(crate) struct SignArguments {
    /// The unsigned zone file.
    pub zone_file: PathBuf,
    /// Name of the zone [default: owner of the SOA record].
    #[arg(long)]
    pub origin: Option<String>,
    /// The signed zone file [default: ZONE_FILE.signed].
    #[arg(short, long)]
    pub output: Option<PathBuf>,
    /// Folder of keys and state; keep it, and keep it secret.
    #[arg(long, default_value = "anchorite-state")]
    pub state: PathBuf,
    /// Take the policy from this kasp.xml instead of the built-in one.
    #[arg(long)]
    pub kasp: Option<PathBuf>,
    /// Name of the policy in kasp.xml.
    #[arg(long, default_value = "default", requires = "kasp")]
    pub policy: String,
    /// How to prove what does not exist [default: as the policy says, nsec3].
    #[arg(long)]
    pub denial: Option<DenialArgument>,
    /// Algorithm of the keys: a number or mnemonic [default: as the policy says, 13].
    #[arg(long, conflicts_with = "kasp")]
    pub algorithm: Option<String>,
    /// Allow new keys of the SHA-1 algorithms 5 and 7 (RFC 9905 forbids them).
    #[arg(long)]
    pub allow_deprecated: bool,
    /// Say more: once for information, twice for debugging.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `--denial`.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DenialArgument {
    /// NSEC: anybody can list the zone.
    Nsec,
    /// NSEC3 without salt and iterations (RFC 9276).
    Nsec3,
    /// The same with opt-out: for large zones of insecure delegations.
    Nsec3OptOut,
}

/// What `anchorite run` is told.
#[derive(Args)]
pub(crate) struct RunArguments {
    /// OpenDNSSEC's conf.xml.
    #[arg(short, long, default_value = "/etc/opendnssec/conf.xml")]
    pub config: PathBuf,
    /// Log level 0 to 7 [default: <Verbosity> of conf.xml].
    #[arg(short, long)]
    pub verbosity: Option<u64>,
    /// Set the clock forward to this time (YYYY-MM-DD-HH:MM:SS, or "now") and allow "time leap".
    /// For tests: what is signed is of the future.
    #[arg(long, value_name = "TIME")]
    pub set_time: Option<String>,
    /// Write a line to standard output as soon as everything runs (`anchorite start` waits for it).
    #[arg(long, hide = true)]
    pub announce: bool,
    /// End when every zone has been read and signed once.
    #[arg(long)]
    pub once: bool,
    /// Send log lines to syslog, to the facility of conf.xml's <Syslog>, instead of standard error.
    #[arg(long)]
    pub syslog: bool,
}

/// What `anchorite audit` is told.
#[derive(Args)]
pub(crate) struct AuditArguments {
    /// The signed zone file.
    pub signed: PathBuf,
    /// The unsigned zone file, whose data the signed one must have, no more and no less.
    #[arg(short, long, value_name = "FILE")]
    pub unsigned: Option<PathBuf>,
    /// Name of the zone, which relative names end in [default: owner of the SOA record].
    #[arg(short, long)]
    pub zone: Option<String>,
    /// Judge for this moment instead of now: YYYYMMDDHHmmSS or Unix seconds (UTC).
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
    /// A DS record of the zone at its parent ("12345 13 2 0123AB..."); several are one RRset.
    #[arg(long, value_name = "DATA")]
    pub ds: Vec<String>,
    /// Also hold the zone against a policy of this kasp.xml.
    #[arg(long, value_name = "FILE")]
    pub kasp: Option<PathBuf>,
    /// Name of the policy in kasp.xml.
    #[arg(long, default_value = "default", requires = "kasp")]
    pub policy: String,
    /// Stop after so many errors.
    #[arg(long, value_name = "N", default_value = "100")]
    pub max_findings: usize,
    /// Write JSON for programs instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What `anchorite audit-proxy` is told.
#[derive(Args)]
pub(crate) struct AuditProxyArguments {
    /// Name of the zone.
    pub zone: String,
    /// The addns.xml with the masters, who may send NOTIFY, who may transfer, and whom to notify.
    #[arg(long, value_name = "FILE")]
    pub transfers: PathBuf,
    /// Where secondaries and NOTIFY are answered (127.0.0.1:5353 or [::1]:5353); more than one may
    /// be given.
    #[arg(long, value_name = "ADDRESS:PORT", required_unless_present = "listen_tls")]
    pub listen: Vec<SocketAddr>,
    /// Where they are answered by TLS alone (RFC 9103); more than one may be given.
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["certificate", "key"])]
    pub listen_tls: Vec<SocketAddr>,
    /// PEM file with the certificate for --listen-tls.
    #[arg(long, value_name = "FILE", requires = "listen_tls")]
    pub certificate: Option<PathBuf>,
    /// PEM file with its key.
    #[arg(long, value_name = "FILE", requires = "listen_tls")]
    pub key: Option<PathBuf>,
    /// Folder of the last good version, the log of verdicts and the control socket.
    #[arg(long, value_name = "FOLDER")]
    pub state: PathBuf,
    /// A DS record of the zone at its parent ("12345 13 2 0123AB..."); several are one RRset.
    #[arg(long, value_name = "DATA")]
    pub ds: Vec<String>,
    /// Log level 0 to 7: from 3 on also what was approved.
    #[arg(long, value_name = "LEVEL", default_value = "3")]
    pub log_level: u64,
}

/// What `anchorite ssh-host` is told.
#[derive(Args)]
pub(crate) struct SshHostArguments {
    /// Where clients are answered (0.0.0.0:22 or [::]:22); more than one may be given.
    #[arg(long, value_name = "ADDRESS:PORT", required = true)]
    pub listen: Vec<SocketAddr>,
    /// The host key; made where it is missing.
    #[arg(long, value_name = "FILE")]
    pub host_key: PathBuf,
    /// Who may come in, in the form of OpenSSH's authorized_keys, with role="ROLE[,ROLE]".
    #[arg(long, value_name = "FILE")]
    pub authorized_keys: PathBuf,
    /// A text for everybody who connects.
    #[arg(long, value_name = "FILE")]
    pub banner: Option<PathBuf>,
    /// A shell into which nobody has typed for so long ends.
    #[arg(long, value_name = "SECONDS", default_value_t = console::ssh::IDLE_DEFAULT.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub idle: u64,
    /// The daemon's control socket.
    #[arg(short, long, value_name = "FILE", default_value = console::tool::ENFORCER_SOCKET)]
    pub socket: PathBuf,
    /// Log level 0 to 7.
    #[arg(short, long, value_name = "LEVEL", default_value = "3")]
    pub verbosity: u64,
}

/// Runs what the words say.
pub(crate) fn main(words: Vec<String>) -> ExitCode {
    match Line::parse_from(words).program {
        Program::Sign(arguments) => crate::sign::main(arguments),
        Program::Run(arguments) => crate::run::main(arguments),
        Program::Audit(arguments) => crate::audit::main(arguments),
        Program::AuditProxy(arguments) => crate::audit_proxy::main(&arguments),
        Program::Check => crate::kaspcheck::main("anchorite check", &[]),
        Program::SshHost(arguments) => crate::ssh_host::main(arguments),
        Program::Hsm(arguments) => crate::hsm::main(arguments),
        Program::Shell => crate::shell::main(&[]),
        Program::Completions => crate::texts::completions(&[]),
        Program::Man => crate::texts::man(&[]),
        Program::Hsmutil => crate::hsm::hsmutil::main("ods-hsmutil", &[]),
        Program::Hsmspeed => crate::hsm::hsmspeed::main("ods-hsmspeed", &[]),
    }
}
