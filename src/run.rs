//! `anchorite run`: every zone of an OpenDNSSEC configuration, until SIGTERM.
//! In: conf.xml and what it names; commands on the control sockets. Out: signed zones, log lines on
//! standard error. SIGHUP has the list of zones and all zones read again. Exit code 1 when the
//! system could not start or gave up.

use crate::arguments::RunArguments;
use crate::hsm::pins;
use actors::console::catalogue::{Catalogue, CatalogueError};
use actors::console::site::{ReadSettings, Site};
use actors::console::{self, ConsoleParts, Wish};
use actors::io::control_socket::{ControlSocket, ControlSocketError};
use actors::io::dns_server::{Bound, ListenError};
use actors::io::leftovers;
use actors::io::pid_files::PidFiles;
use actors::io::privileges::{self, PrivilegesError, Terminal};
use actors::io::signals::{Signal, Signals};
use actors::io::syslog::{self, Syslog};
use actors::logging::{self, Destination};
use actors::runtime::{Clock, LeapError, System};
use actors::settings::{Settings, ZoneSettings, read_settings_with};
use actors::system::{self, RunningZone};
use appliance_config::{Repository, Secret};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub(crate) fn main(arguments: RunArguments) -> ExitCode {
    main_with(&arguments, |_| ())
}

/// [`main`], with settings that are not in the configuration.
pub(crate) fn main_with(arguments: &RunArguments, amend: impl FnOnce(&mut Settings)) -> ExitCode {
    let (mut settings, notices) = match read_settings_with(&arguments.config, &pin_of) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("anchorite: {error}");
            return ExitCode::FAILURE;
        }
    };
    amend(&mut settings);
    let verbosity = arguments.verbosity.unwrap_or(settings.verbosity);
    let destination = destination(arguments.syslog, &settings);
    let is_syslog = matches!(destination, Destination::Syslog(_));
    logging::start_to(verbosity, destination);
    for notice in notices {
        match notice.is_error() {
            true => tracing::error!(target: "config", "{notice}"),
            false => tracing::warn!(target: "config", "{notice}"),
        }
    }
    // Whoever started a daemon in the background gets its terminal back when it runs.
    let leaves = arguments.announce && is_syslog;
    let terminal = leaves.then(privileges::leave_terminal).transpose();
    let result = terminal.map_err(RunError::Terminal).and_then(|mut terminal| {
        let result = run(&settings, arguments, &mut terminal);
        if let (Err(error), Some(terminal)) = (&result, &mut terminal) {
            // He may not read it; it is in the log, too.
            let _ = writeln!(terminal.stderr, "anchorite: {error}");
        }
        result
    });
    match result {
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
    Privileges(#[from] PrivilegesError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(transparent)]
    Start(#[from] system::StartError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    ControlSocket(#[from] ControlSocketError),
    #[error("cannot leave the terminal: {0}")]
    Terminal(#[source] std::io::Error),
    #[error("cannot take signals over: {0}")]
    Signals(#[from] std::io::Error),
    #[error("--set-time {typed}: expected YYYY-MM-DD-HH:MM:SS, or now")]
    NoTime { typed: String },
    #[error("--set-time: {0}")]
    Leap(#[from] LeapError),
    #[error("the system gave up: {0}")]
    GaveUp(String),
}

/// Syslog where it is wanted, configured and there.
fn destination(is_wanted: bool, settings: &Settings) -> Destination {
    let facility = settings.facility.as_deref().and_then(syslog::facility);
    let Some(facility) = facility.filter(|_| is_wanted) else { return Destination::StandardError };
    match Syslog::open(Path::new(syslog::SOCKET), facility) {
        Ok(syslog) => Destination::Syslog(syslog),
        Err(error) => {
            eprintln!(
                "anchorite: no syslog at {}, so log lines come here: {error}",
                syslog::SOCKET
            );
            Destination::StandardError
        }
    }
}

fn run(
    settings: &Settings,
    arguments: &RunArguments,
    terminal: &mut Option<Terminal>,
) -> Result<(), RunError> {
    // Ports below 1024 are root's to give.
    let bound = Bound::all(&settings.listeners)?;
    privileges::run_as(&settings.run_as)?;
    let clock = clock(arguments)?;
    let store = system::open_store(settings, &clock)?;
    leftovers::remove(settings, &store);
    let catalogue = Catalogue::read(&arguments.config)?;
    let sockets = listen(&catalogue)?;
    let (_pid_files, errors) = PidFiles::write(&catalogue.pid_files);
    for error in errors {
        tracing::warn!(target: "engine", "no pid file: {error}");
    }
    System::new().block_on(async {
        let mut signals = Signals::take()?;
        let (gave_up, reason) = tokio::sync::oneshot::channel();
        let running = system::start(settings, store, clock, move |failure| {
            // Nobody listens any more once the stop has begun.
            let _ = gave_up.send(failure.to_string());
        })?;
        let read = reading(&arguments.config);
        let (site, mut wishes) =
            Site::new(running.staff.clone(), arguments.config.clone(), catalogue, read);
        tell_where(&bound, settings);
        running.add_health(running.add_transfers(bound)?)?;
        running.add_console(ConsoleParts { sockets: sockets.clone(), site: site.clone() })?;
        running.add_catalogs(site.clone())?;
        tracing::info!(target: "engine", "signer started (version {}), pid {}",
            env!("CARGO_PKG_VERSION"), std::process::id());
        if arguments.announce {
            announce(terminal.take());
        }
        let once = all_have_run(running.staff.zones.all(), arguments.once);
        tokio::pin!(reason, once);
        loop {
            let wish = tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => Wish::Stop,
                    Signal::Reload => Wish::Reload,
                },
                Some(wish) = wishes.recv() => wish,
                () = &mut once => Wish::Stop,
                Ok(reason) = &mut reason => return Err(RunError::GaveUp(reason)),
            };
            match wish {
                Wish::Stop => break,
                Wish::Reload => {
                    tracing::info!(target: "engine", "signer reloading");
                    console::reload(&site).await;
                }
            }
        }
        for socket in &sockets {
            socket.remove_file();
        }
        running.stop().await;
        tracing::info!(target: "engine", "signer shutdown");
        Ok(())
    })
}

/// Says where secondaries are answered, or that they are not.
fn tell_where(bound: &[Bound], settings: &Settings) {
    for Bound { address, .. } in bound {
        tracing::info!(target: "dnshandler", "listening on {address}");
    }
    let has_adapter =
        |zone: &ZoneSettings| zone.input_file().is_none() || zone.output_file().is_none();
    if bound.is_empty() && settings.zones.iter().any(has_adapter) {
        tracing::warn!(target: "engine",
            "no dnshandler/listener configured, but zones are configured with dns adapters: \
             notify and zone transfer requests will not work properly");
    }
}

/// Ends when every zone has been run through once, whatever came of it; never, unless it `is_once`.
async fn all_have_run(zones: Vec<Arc<RunningZone>>, is_once: bool) {
    if !is_once {
        return std::future::pending().await;
    }
    for zone in zones {
        // One that is gone meanwhile has no more runs.
        let _ = zone.status.clone().wait_for(|status| status.run_count > 0).await;
    }
}

/// The system's clock; with `--set-time` one that may be set forward.
fn clock(arguments: &RunArguments) -> Result<Clock, RunError> {
    let Some(typed) = arguments.set_time.as_deref() else { return Ok(Clock::system()) };
    let clock = Clock::settable();
    if typed != "now" {
        let to = console::parse_time(typed)
            .ok_or_else(|| RunError::NoTime { typed: typed.to_owned() })?;
        clock.leap_to(to)?;
    }
    tracing::warn!(target: "engine", "the clock may be set forward (--set-time): for tests only");
    Ok(clock)
}

fn listen(catalogue: &Catalogue) -> Result<Vec<Arc<ControlSocket>>, ControlSocketError> {
    let group = catalogue.group.as_deref();
    let sockets = catalogue.sockets.iter();
    sockets.map(|path| ControlSocket::listen(path, group).map(Arc::new)).collect()
}

/// How the settings are read again.
fn reading(conf_file: &Path) -> ReadSettings {
    let conf_file = conf_file.to_owned();
    Box::new(move || read_settings_with(&conf_file, &pin_of))
}

/// Tells whoever started this process that it runs.
/// Says so to whoever started it, and lets him go.
fn announce(terminal: Option<Terminal>) {
    let line = format!("{}\n", crate::front_ends::RUNNING);
    // He may not wait for it.
    let _ = match terminal {
        Some(mut terminal) => terminal.stdout.write_all(line.as_bytes()),
        None => std::io::stdout().write_all(line.as_bytes()),
    };
}
