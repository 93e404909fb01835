//! `ods-kaspcheck`, which is also `anchorite check`: whether the configuration is right.
//! In: words. Out: OpenDNSSEC's lines on standard output, details of faults on standard error.
//! Exit code: the number of errors, 255 for more: OpenDNSSEC's wraps there, and 256 errors would
//! be success. As there, a wrong option is complained about, and the check runs all the same.

use crate::options::{self, Given, Known};
use actors::io::environment::SystemEnvironment;
use appliance_config::{Inputs, Severity, check};
use std::io::{self, Write};
use std::process::ExitCode;

const CONF_FILE_DEFAULT: &str = "/etc/opendnssec/conf.xml";
/// The version of OpenDNSSEC whose checks these are, in the form that scripts know, and ours.
const VERSION: &str = concat!("opendnssec version 2.1 (anchorite ", env!("CARGO_PKG_VERSION"), ")");
const OPTIONS: &[Known] = &[
    Known { short: 'c', long: "config", takes_value: true },
    Known { short: 'k', long: "kasp", takes_value: true },
    Known { short: 'z', long: "zonelist", takes_value: true },
    Known { short: 'V', long: "version", takes_value: false },
    Known { short: 'v', long: "verbose", takes_value: false },
    Known { short: 'h', long: "help", takes_value: false },
];

/// Checks what `arguments` say, which come after the name `program`.
pub(crate) fn main(program: &str, arguments: &[String]) -> ExitCode {
    let (mut output, mut details) = (io::stdout().lock(), io::stderr().lock());
    let (mut conf, mut kasp, mut zonelist) = (CONF_FILE_DEFAULT.to_owned(), None, None);
    let mut verbose = false;
    for given in options::read(arguments, OPTIONS) {
        match given {
            Given::Option('h', _) => return said(&mut details, &usage(program)),
            Given::Option('V', _) => return said(&mut output, VERSION),
            Given::Option('v', _) => verbose = true,
            Given::Option('c', Some(path)) => conf = path,
            Given::Option('k', path) => kasp = path,
            Given::Option('z', path) => zonelist = path,
            Given::Option(..) => {}
            Given::Wrong(complaint) => {
                said(&mut details, &format!("{program}: {complaint}"));
            }
        }
    }
    let inputs = Inputs { conf: &conf, kasp: kasp.as_deref(), zonelist: zonelist.as_deref() };
    let report = check(&inputs, &SystemEnvironment);
    for line in &report.lines {
        match line.severity {
            Severity::Detail => said(&mut details, &line.text),
            _ => said(&mut output, &line.text),
        };
    }
    if verbose {
        said(&mut output, &format!("DEBUG: finished {}", report.error_count()));
    }
    ExitCode::from(u8::try_from(report.error_count()).unwrap_or(u8::MAX))
}

/// Writes a line. Nobody can be told when that fails, and the exit code still has the verdict.
fn said(to: &mut impl Write, line: &str) -> ExitCode {
    let _ = writeln!(to, "{line}");
    ExitCode::SUCCESS
}

fn usage(program: &str) -> String {
    format!(
        "usage: {program} [options]

Options:
  -c, --config [PATH_TO_CONF_FILE]  Path to OpenDNSSEC configuration file
             (defaults to {CONF_FILE_DEFAULT})
  -k, --kasp [PATH_TO_KASP_FILE]  Path to KASP policy file
             (defaults to the path from the conf.xml file)
  -z, --zonelist [PATH_TO_ZONELIST_FILE]  Path to zonelist file
             (defaults to the path from the conf.xml file)
  -V, --version                   Display the version information
  -v, --verbose                   Print extra DEBUG messages
  -h, --help                      Show this message"
    )
}
