//! PID 1 of the appliance image, and the small programs that it runs beside the one binary: the
//! plain console, the network, the logger. In: the kernel's command line, the data partition.
//! Out: a running box. Never: zones, keys, or network input other than DHCP, which is in a process
//! of its own. `unsafe` is allowed here for what has to be asked of the kernel by
//! ioctl, and between fork and exec.

mod boot;
mod clock;
mod command_line;
mod console;
mod control;
mod data;
mod disks;
mod kernel_log;
mod lock_out;
mod logger;
mod network;
mod pid1;
mod request;
mod service;
mod settings;
mod setup;
mod signals;
mod status;
mod supervision;
mod table;
mod users;
mod watchdog;
mod wizard;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
init is PID 1 of the appliance image. Inside it:
  init ask REQUEST     asks PID 1: state, status, poweroff, reboot
  init console TTY     the plain console
  init logger FILE     writes standard input to a file of bounded size
  init network         sets the network up and keeps it up
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        // The kernel hands on words of its command line that it does not know.
        _ if std::process::id() == 1 => pid1::run(),
        ["console", terminal] => ended(console::run(Path::new(terminal))),
        ["logger", file] => ended(logger::run(Path::new(file))),
        ["network"] => match setup::saved() {
            Ok(Some(settings)) => ended(network::run(&settings)),
            Ok(None) => ended(Err("the box is not set up")),
            Err(fault) => ended(Err(fault)),
        },
        ["ask", request] => match control::ask(request) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(fault) => ended(Err(fault)),
        },
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn ended<E: Display>(outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("init: {fault}");
            ExitCode::FAILURE
        }
    }
}
