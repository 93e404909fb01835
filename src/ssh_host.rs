//! `anchorite ssh-host`: the process that answers SSH clients (console/src/ssh). In: arguments, the
//! file of authorized keys. Out: log lines on standard error, until it is ended. Exit code 1 when
//! it cannot start.
//!
//! It keeps to one thread, so that it never takes more than one processor from the signer, and to
//! limits of the system that it gives itself: whatever a client makes of it, it cannot grow, and
//! what it is about is not written into a dump.

use crate::arguments::SshHostArguments;
use console::ssh::{self, ListenError, Settings, host_key};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Files and connections that it may have open.
const OPEN_FILES_MAX: u64 = 512;
/// Memory that it may ask for, of which it uses a few MiB.
const MEMORY_OCTETS_MAX: u64 = 1 << 30;
/// Longest banner.
const BANNER_OCTETS_MAX: u64 = 4096;

#[derive(Debug, thiserror::Error)]
enum SshHostError {
    #[error("cannot set limits: {0}")]
    Limits(#[source] Errno),
    #[error(transparent)]
    HostKey(#[from] host_key::HostKeyError),
    #[error("{}: {cause}", path.display())]
    Banner { path: PathBuf, cause: io::Error },
    #[error("cannot begin: {0}")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
}

pub(crate) fn main(arguments: SshHostArguments) -> ExitCode {
    actors::logging::start(arguments.verbosity);
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(target: "ssh-host", "{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: SshHostArguments) -> Result<(), SshHostError> {
    confine().map_err(SshHostError::Limits)?;
    let key = host_key::load_or_make(&arguments.host_key)?;
    let banner = arguments.banner.map(|path| {
        let mut text = String::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(BANNER_OCTETS_MAX).read_to_string(&mut text));
        read.map_err(|cause| SshHostError::Banner { path, cause })?;
        Ok::<String, SshHostError>(text)
    });
    let settings = Settings {
        listen: arguments.listen,
        authorized_keys: arguments.authorized_keys,
        control_socket: arguments.socket,
        idle_max: Duration::from_secs(arguments.idle),
        box_name: nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        banner: banner.transpose()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(SshHostError::Runtime)?.block_on(async {
        let listeners = ssh::listen(&settings.listen).await?;
        for listener in &listeners {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(target: "ssh-host", "listening on {address}");
            }
        }
        ssh::serve(settings, listeners, key).await;
        Ok(())
    })
}

/// Takes from this process what it does not need.
fn confine() -> Result<(), Errno> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES_MAX, OPEN_FILES_MAX)?;
    setrlimit(Resource::RLIMIT_AS, MEMORY_OCTETS_MAX, MEMORY_OCTETS_MAX)?;
    // Nobody but root can look into its memory, where the host key is.
    prctl::set_dumpable(false)?;
    prctl::set_no_new_privs()
}
