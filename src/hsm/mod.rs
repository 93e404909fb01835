//! The HSM tools: `ods-hsmutil` and `ods-hsmspeed` as OpenDNSSEC has them, and `anchorite hsm`,
//! which has what they lack: a test of a token that says what is wrong, and the import of keys.
//! In: words, conf.xml, a PIN from the operator. Out: lines and exit codes.
//! They open tokens in their own process and end soon; the daemon is not asked.

mod check;
pub(crate) mod hsmspeed;
pub(crate) mod hsmutil;
mod import;
mod members;
pub(crate) mod pins;
mod prompt;
mod replicate;
mod repositories;
mod words;

use clap::{Args, Subcommand, ValueEnum};
use repositories::{CONF_FILE_DEFAULT, Fault};
use std::path::PathBuf;
use std::process::ExitCode;

/// What `anchorite hsm` is told.
#[derive(Args)]
pub(crate) struct HsmArguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find out whether tokens do what signing needs, with keys that are removed again.
    Test(TestArguments),
    /// Take a private key that was made elsewhere into a repository.
    Import(ImportArguments),
    /// Give the members of a repository group the keys that they lack.
    Replicate(ReplicateArguments),
}

/// What `anchorite hsm replicate` is told.
#[derive(Args)]
struct ReplicateArguments {
    /// OpenDNSSEC's conf.xml.
    #[arg(short, long, default_value = CONF_FILE_DEFAULT)]
    config: PathBuf,
    /// The repository group.
    #[arg(short, long)]
    repository: String,
}

/// What `anchorite hsm test` is told.
#[derive(Args)]
struct TestArguments {
    /// OpenDNSSEC's conf.xml.
    #[arg(short, long, default_value = CONF_FILE_DEFAULT)]
    config: PathBuf,
    /// Test this repository only.
    #[arg(short, long)]
    repository: Option<String>,
    /// Also put a hundred keys at once into the token and offer a wrong PIN once: only for tokens
    /// that nobody needs meanwhile.
    #[arg(long)]
    destructive: bool,
}

/// What `anchorite hsm import` is told.
#[derive(Args)]
struct ImportArguments {
    /// OpenDNSSEC's conf.xml.
    #[arg(short, long, default_value = CONF_FILE_DEFAULT)]
    config: PathBuf,
    /// The repository that takes the key; every member of a repository group does.
    #[arg(short, long)]
    repository: String,
    /// What the key is for.
    #[arg(long)]
    role: RoleArgument,
    /// The DNSSEC algorithm, as a number; needed for RSA keys that are not in BIND's form.
    #[arg(short, long)]
    algorithm: Option<u8>,
    /// CKA_ID of the key in hexadecimal [default: 16 random bytes].
    #[arg(long)]
    id: Option<String>,
    /// Take the key although another one in the repository has its key tag, which is another
    /// zone's.
    #[arg(long)]
    same_tag: bool,
    /// BIND's K*.private, or a PEM or DER file with a private key that is not encrypted.
    file: PathBuf,
}

/// `--role`.
#[derive(Clone, Copy, ValueEnum)]
enum RoleArgument {
    /// Signs the DNSKEY RRset.
    Ksk,
    /// Signs everything else.
    Zsk,
    /// Both.
    Csk,
}

/// Why `anchorite hsm` did nothing.
#[derive(Debug, thiserror::Error)]
enum HsmFault {
    #[error(transparent)]
    Tool(#[from] Fault),
    #[error(transparent)]
    Import(#[from] import::ImportError),
    #[error("{0} is a repository, not a repository group; there is nobody to share its keys with")]
    NoGroup(String),
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

/// Runs `anchorite hsm`.
pub(crate) fn main(arguments: HsmArguments) -> ExitCode {
    let result = match arguments.task {
        Task::Test(arguments) => check::run(&arguments),
        Task::Import(arguments) => import::run(&arguments),
        Task::Replicate(arguments) => replicate::run(&arguments),
    };
    result.unwrap_or_else(|fault| {
        eprintln!("anchorite hsm: {fault}");
        ExitCode::FAILURE
    })
}
