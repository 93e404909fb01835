//! `ods-enforcer`, `ods-signer`, `ods-control`, `ods-ksmutil` and `anchorite COMMAND` on this
//! process's own terminal. In: words. Out: exit codes.

use crate::shell::terminal;
use actors::io::config_files;
use appliance_config::{FILE_BYTES_MAX, read_conf};
use console::Terminal;
use console::appliance;
use console::control::{self, Outcome};
use console::ksmutil::{self, Surroundings};
use console::screen::Sanitised;
use console::tool::{self, ENFORCER_SOCKET, Tool};
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What a daemon that was told to writes to standard output when it runs.
pub(crate) const RUNNING: &str = "running";

fn on_terminal<T>(run: impl FnOnce(&mut Terminal<'_>) -> T) -> T {
    // What stands in zones and logs does nothing to a terminal; programs get it as it is.
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr());
    let is_unicode = terminal::is_unicode();
    let is_for_eyes = (stdout.is_terminal(), stderr.is_terminal());
    let (mut safe, mut safe_errors);
    let stdout: &mut dyn io::Write = match is_for_eyes.0 {
        true => {
            safe = Sanitised::new(stdout, is_unicode);
            &mut safe
        }
        false => &mut stdout,
    };
    let stderr: &mut dyn io::Write = match is_for_eyes.1 {
        true => {
            safe_errors = Sanitised::new(stderr, is_unicode);
            &mut safe_errors
        }
        false => &mut stderr,
    };
    run(&mut Terminal {
        is_interactive: io::stdin().is_terminal(),
        stdin: &mut io::stdin().lock(),
        stdout,
        stderr,
        start: &mut start_daemon,
    })
}

/// `ods-enforcer` or `ods-signer`.
pub(crate) fn ods(tool: &Tool, program: &str, arguments: &[String]) -> ExitCode {
    ExitCode::from(on_terminal(|terminal| tool::main(tool, program, arguments, terminal)))
}

/// `anchorite metrics-host`.
pub(crate) fn metrics_host(arguments: &[String]) -> u8 {
    on_terminal(|terminal| console::metrics_host::main(arguments, terminal))
}

/// `check_anchorite`.
pub(crate) fn plugin(arguments: &[String]) -> u8 {
    on_terminal(|terminal| console::plugin::main(arguments, terminal))
}

/// `ods-control`.
pub(crate) fn control(arguments: &[String]) -> ExitCode {
    match on_terminal(|terminal| control::main(arguments, terminal)) {
        Outcome::Exit(code) => ExitCode::from(code),
        Outcome::Hsm(words) => crate::hsm::hsmutil::main("ods-hsmutil", &words),
        Outcome::Ksm(words) => ksm("ods-ksmutil", &words),
    }
}

/// `ods-ksmutil`.
pub(crate) fn ksm(program: &str, arguments: &[String]) -> ExitCode {
    // Without a folder of its own, a process has no relative paths either.
    let folder = std::env::current_dir().unwrap_or_default();
    let around = Surroundings { folder: &folder, socket_of: &socket_of };
    ExitCode::from(on_terminal(|terminal| ksmutil::main(program, arguments, &around, terminal)))
}

/// Where the daemon of a conf.xml takes commands. The usual one need not be there, and not every
/// operator may read it: it can hold PINs.
fn socket_of(conf_file: Option<&Path>) -> Result<String, String> {
    let path = conf_file.unwrap_or(Path::new("/etc/opendnssec/conf.xml"));
    let bytes = match config_files::read(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(_) if conf_file.is_none() => return Ok(ENFORCER_SOCKET.to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let conf = read_conf(&path.to_string_lossy(), &bytes).map_err(|error| error.to_string())?;
    Ok(conf.value.enforcer.socket_file.to_string_lossy().into_owned())
}

/// `anchorite COMMAND`; `programs` are the other words that may stand first.
pub(crate) fn command(arguments: &[String], programs: &[&'static str]) -> ExitCode {
    ExitCode::from(on_terminal(|terminal| appliance::main(arguments, programs, terminal)))
}

/// The same with standard output elsewhere.
pub(crate) fn command_into(
    arguments: &[String],
    programs: &[&'static str],
    stdout: &mut dyn io::Write,
) -> u8 {
    on_terminal(|terminal| {
        let mut own = Terminal {
            is_interactive: terminal.is_interactive,
            stdin: &mut *terminal.stdin,
            stdout,
            stderr: &mut *terminal.stderr,
            start: &mut *terminal.start,
        };
        appliance::main(arguments, programs, &mut own)
    })
}

/// Starts `anchorite run` with these options in a process group of its own, so that no Ctrl-C
/// meant for this one reaches it, and waits until it runs or has failed. Its log lines go to
/// syslog; where there is none, to the standard error of this process.
pub(crate) fn start_daemon(options: &[String]) -> bool {
    let started = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        command.arg0("anchorite").args(["run", "--announce", "--syslog"]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0).spawn()
    });
    match started {
        Ok(mut daemon) => {
            let mut line = String::new();
            let output = daemon.stdout.take();
            let read = output.map(|output| BufReader::new(output).read_line(&mut line));
            matches!(read, Some(Ok(_))) && line.trim_end() == RUNNING
        }
        Err(error) => {
            eprintln!("anchorite: cannot start the daemon: {error}");
            false
        }
    }
}
