//! `ods-enforcerd` and `ods-signerd`: OpenDNSSEC's two daemons under their names, for init scripts
//! and service units. Both are the one daemon here: whichever is started first runs it, and the
//! other one joins: it says so and, with `-d`, stays as long as the daemon runs.
//! In: options of 2.1. Out: a running daemon. Exit codes of 2.1: 2 wrong options, 2 or 5 (the
//! signer's) wrong configuration, 3 it did not start.

use crate::arguments::RunArguments;
use crate::front_ends::start_daemon;
use actors::console::catalogue::Catalogue;
use console::tool::VERSION;
use console_protocol::options::{Given, Known, Place, take_apart};
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One of the two.
pub(crate) struct Named {
    name: &'static str,
    long_name: &'static str,
    what: &'static str,
    engine: &'static str,
    /// Exit code for a configuration that cannot be used.
    configuration_code: u8,
}

/// `ods-enforcerd`.
pub(crate) const ENFORCERD: Named = Named {
    name: "ods-enforcerd",
    long_name: "OpenDNSSEC key and signing policy enforcer",
    what: "OpenDNSSEC key and signing policy enforcer daemon",
    engine: "enforcer",
    configuration_code: 2,
};
/// `ods-signerd`.
pub(crate) const SIGNERD: Named = Named {
    name: "ods-signerd",
    long_name: "OpenDNSSEC signer engine",
    what: "OpenDNSSEC signer engine daemon",
    engine: "signer",
    configuration_code: 5,
};

const CONF_FILE: &str = "/etc/opendnssec/conf.xml";
/// Exit code for wrong options.
const USAGE: u8 = 2;
/// Exit code of a daemon that did not start, or gave up.
const NOT_STARTED: u8 = 3;
/// The letter of `--set-time`, which has none.
const SET_TIME: char = '\0';
const OPTIONS: &[Known] = &[
    Known { short: 'c', long: "config", takes_value: true },
    Known { short: 'd', long: "no-daemon", takes_value: false },
    Known { short: '1', long: "single-run", takes_value: false },
    Known { short: 'h', long: "help", takes_value: false },
    Known { short: 'i', long: "info", takes_value: false },
    Known { short: 'v', long: "verbose", takes_value: false },
    Known { short: 'V', long: "version", takes_value: false },
    Known { short: SET_TIME, long: "set-time", takes_value: true },
];

fn usage(named: &Named) -> String {
    format!(
        "Usage: {} [OPTIONS]\nStart the {}.\n\nSupported options:\n \
         -c | --config <cfgfile> Read configuration from file.\n \
         -d | --no-daemon        Do not daemonize the {} engine.\n \
         -1 | --single-run       Run once, then exit.\n \
         -h | --help             Show this help and exit.\n \
         -i | --info             Print configuration and exit.\n \
         -v | --verbose          Increase verbosity.\n \
         -V | --version          Show version and exit.\n      \
         --set-time <time>  Start daemon at specific time. Notation \"YYYY-MM-DD-HH:MM:SS\" or \
         seconds since Unix epoch.\n\nVersion {VERSION}.\n",
        named.name, named.what, named.engine
    )
}

/// What the words ask for.
#[derive(Debug, Default)]
struct Wanted {
    config: PathBuf,
    in_foreground: bool,
    is_once: bool,
    shows_information: bool,
    louder: u64,
    set_time: Option<String>,
}

/// Runs one of the two.
pub(crate) fn main(named: &Named, program: &str, words: &[String]) -> ExitCode {
    let mut wanted = Wanted { config: CONF_FILE.into(), ..Wanted::default() };
    for given in take_apart(words, OPTIONS, Place::Anywhere).given {
        match given {
            Given::Option('c', Some(path)) => wanted.config = path.into(),
            Given::Option('d', _) => wanted.in_foreground = true,
            Given::Option('1', _) => wanted.is_once = true,
            Given::Option('i', _) => wanted.shows_information = true,
            Given::Option('v', _) => wanted.louder += 1,
            Given::Option(SET_TIME, time) => wanted.set_time = time,
            Given::Option('h', _) => {
                print!("{}", usage(named));
                return ExitCode::SUCCESS;
            }
            Given::Option('V', _) => {
                println!("opendnssec version {VERSION}");
                return ExitCode::SUCCESS;
            }
            Given::Option(..) => {}
            Given::Wrong(complaint) => {
                eprint!("{program}: {complaint}\n{}", usage(named));
                return ExitCode::from(USAGE);
            }
        }
    }
    println!("{} version {VERSION}", named.long_name);
    let catalogue = match Catalogue::read(&wanted.config) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            eprintln!("{program}: {error}");
            return ExitCode::from(named.configuration_code);
        }
    };
    if wanted.shows_information {
        show(&wanted.config, &catalogue);
        return ExitCode::SUCCESS;
    }
    match catalogue.sockets.iter().find_map(|path| UnixStream::connect(path).ok()) {
        Some(stream) => join(&catalogue, stream, wanted.in_foreground),
        None => start(&catalogue, wanted),
    }
}

fn show(config: &Path, catalogue: &Catalogue) {
    let line = |what: &str, path: &Path| println!("{what}: {}", path.display());
    line("Configuration", config);
    line("Policies", &catalogue.policy_file);
    line("Zone list", &catalogue.zone_list_file);
    catalogue.sockets.iter().for_each(|path| line("Control socket", path));
    catalogue.pid_files.iter().for_each(|path| line("Pid file", path));
    println!("Datastore: {}", catalogue.datastore);
    println!("Verbosity: {}", catalogue.verbosity);
}

/// The daemon runs already.
fn join(catalogue: &Catalogue, stream: UnixStream, stays: bool) -> ExitCode {
    println!("Enforcer and signer are one daemon here, and it runs already.");
    let mut stream = Some(stream);
    while let Some(mut open) = stream.filter(|_| stays) {
        // The daemon closes it when it ends, or when nothing was said for a while.
        let _ = open.read(&mut [0; 1]);
        stream = catalogue.sockets.iter().find_map(|path| UnixStream::connect(path).ok());
    }
    ExitCode::SUCCESS
}

fn start(catalogue: &Catalogue, wanted: Wanted) -> ExitCode {
    let verbosity = (wanted.louder > 0).then_some(catalogue.verbosity + wanted.louder);
    // What runs once is waited for.
    if wanted.in_foreground || wanted.is_once {
        let code = crate::run::main(RunArguments {
            config: wanted.config,
            verbosity,
            set_time: wanted.set_time,
            announce: false,
            once: wanted.is_once,
            syslog: !wanted.is_once,
        });
        return match code == ExitCode::SUCCESS {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(NOT_STARTED),
        };
    }
    let mut options = vec!["--config".to_owned(), wanted.config.to_string_lossy().into_owned()];
    let verbosity = verbosity.map(|level| ["--verbosity".to_owned(), level.to_string()]);
    options.extend(verbosity.into_iter().flatten());
    options.extend(wanted.set_time.into_iter().flat_map(|time| ["--set-time".to_owned(), time]));
    match start_daemon(&options) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(NOT_STARTED),
    }
}
