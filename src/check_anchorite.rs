//! For those who watch from outside: `check_anchorite`, the plugin for Nagios and its kin, under
//! this name or as a first word, and `anchorite metrics-host` for Prometheus. In: words. Out: a
//! line on standard output and exit codes 0 to 3; metrics by HTTP.

use std::process::ExitCode;

pub(crate) fn main(arguments: &[String]) -> ExitCode {
    ExitCode::from(crate::front_ends::plugin(arguments))
}

/// `anchorite metrics-host`.
pub(crate) fn metrics_host(arguments: &[String]) -> ExitCode {
    ExitCode::from(crate::front_ends::metrics_host(arguments))
}
