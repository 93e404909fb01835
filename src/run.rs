//! `anchorite run`: every zone of an OpenDNSSEC configuration, until SIGTERM.
//! In: conf.xml and what it names. Out: signed zones, log lines on standard error. SIGHUP has all
//! zones read again. Exit code 1 when the system could not start or gave up.

use crate::arguments::RunArguments;
use crate::hsm::pins;
use actors::io::leftovers;
use actors::io::signals::{Signal, Signals};
use actors::runtime::{Clock, System};
use actors::settings::{Settings, read_settings_with};
use actors::system;
use appliance_config::{Repository, Secret};
use std::process::ExitCode;

pub(crate) fn main(arguments: RunArguments) -> ExitCode {
    let (settings, notices) = match read_settings_with(&arguments.config, &pin_of) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("anchorite: {error}");
            return ExitCode::FAILURE;
        }
    };
    actors::logging::start(arguments.verbosity.unwrap_or(settings.verbosity));
    for notice in notices {
        match notice.is_error() {
            true => tracing::error!(target: "config", "{notice}"),
            false => tracing::warn!(target: "config", "{notice}"),
        }
    }
    match run(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(target: "engine", "{error}");
            ExitCode::FAILURE
        }
    }
}

/// The PIN that an operator gave with `ods-hsmutil login`.
fn pin_of(repository: &Repository) -> Option<Secret> {
    match pins::pin_of(repository) {
        Ok(pin) => pin.map(Secret::from),
        Err(fault) => {
            // Logging begins with what is being read here.
            eprintln!("anchorite: repository {}: {fault}", repository.name);
            None
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Start(#[from] system::StartError),
    #[error("cannot take signals over: {0}")]
    Signals(#[from] std::io::Error),
    #[error("the system gave up: {0}")]
    GaveUp(String),
}

fn run(settings: &Settings) -> Result<(), RunError> {
    let clock = Clock::system();
    let store = system::open_store(settings, &clock)?;
    leftovers::remove(settings, &store);
    System::new().block_on(async {
        let mut signals = Signals::take()?;
        let (gave_up, reason) = tokio::sync::oneshot::channel();
        let running = system::start(settings, store, clock, move |failure| {
            // Nobody listens any more once the stop has begun.
            let _ = gave_up.send(failure.to_string());
        })?;
        tracing::info!(target: "engine", "signer started (version {}), pid {}",
            env!("CARGO_PKG_VERSION"), std::process::id());
        tokio::pin!(reason);
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    Signal::Reload => {
                        tracing::info!(target: "engine", "signer reloading");
                        running.sign_all();
                    }
                },
                Ok(reason) = &mut reason => return Err(RunError::GaveUp(reason)),
            }
        }
        running.stop().await;
        tracing::info!(target: "engine", "signer shutdown");
        Ok(())
    })
}
