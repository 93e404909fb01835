//! The one binary: picks the program from its name or its first argument.
#![forbid(unsafe_code)]

mod arguments;
mod audit;
mod audit_host;
mod audit_proxy;
mod check_anchorite;
mod daemons;
mod front_ends;
mod hsm;
mod kaspcheck;
mod plan;
mod run;
mod shell;
mod sign;
mod slot_host;
mod ssh_host;
mod texts;

use console::tool::{ENFORCER, SIGNER};
use console_protocol::options;
use daemons::{ENFORCERD, SIGNERD};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let program = words.first().map_or("anchorite", String::as_str);
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    let first = words.get(1).map(String::as_str);
    match (name.as_ref(), first) {
        ("anchorite-audit-host", _) | (_, Some("audit-host")) => audit_host::main(),
        ("anchorite-slot-host", _) | (_, Some("slot-host")) => slot_host::main(),
        ("ods-kaspcheck", _) => kaspcheck::main(&name, &words[1..]),
        (_, Some("ods-kaspcheck")) => kaspcheck::main("ods-kaspcheck", &words[2..]),
        (_, Some("shell")) => shell::main(&words[2..]),
        (_, Some("completions")) => texts::completions(&words[2..]),
        (_, Some("man")) => texts::man(&words[2..]),
        ("check_anchorite", _) => check_anchorite::main(&words[1..]),
        (_, Some("metrics-host")) => check_anchorite::metrics_host(&words[2..]),
        (_, Some("check_anchorite")) => check_anchorite::main(&words[2..]),
        (_, Some("check")) => kaspcheck::main("anchorite check", &words[2..]),
        ("ods-auditor", _) => audit::ods_auditor::main(&name, &words[1..]),
        (_, Some("ods-auditor")) => audit::ods_auditor::main("ods-auditor", &words[2..]),
        ("ods-hsmutil", _) => hsm::hsmutil::main(&name, &words[1..]),
        ("ods-hsmspeed", _) => hsm::hsmspeed::main(&name, &words[1..]),
        (_, Some("ods-hsmutil" | "hsmutil")) => hsm::hsmutil::main("ods-hsmutil", &words[2..]),
        (_, Some("ods-hsmspeed" | "hsmspeed")) => hsm::hsmspeed::main("ods-hsmspeed", &words[2..]),
        ("ods-enforcerd", _) => daemons::main(&ENFORCERD, program, &words[1..]),
        ("ods-signerd", _) => daemons::main(&SIGNERD, program, &words[1..]),
        (_, Some("ods-enforcerd")) => daemons::main(&ENFORCERD, "ods-enforcerd", &words[2..]),
        (_, Some("ods-signerd")) => daemons::main(&SIGNERD, "ods-signerd", &words[2..]),
        ("ods-enforcer", _) => front_ends::ods(&ENFORCER, program, &words[1..]),
        ("ods-signer", _) => front_ends::ods(&SIGNER, program, &words[1..]),
        ("ods-control", _) => front_ends::control(&words[1..]),
        ("ods-ksmutil", _) => front_ends::ksm(program, &words[1..]),
        (_, Some("ods-enforcer")) => front_ends::ods(&ENFORCER, "ods-enforcer", &words[2..]),
        (_, Some("ods-signer")) => front_ends::ods(&SIGNER, "ods-signer", &words[2..]),
        (_, Some("ods-control")) => front_ends::control(&words[2..]),
        (_, Some("ods-ksmutil")) => front_ends::ksm("ods-ksmutil", &words[2..]),
        (_, Some(word)) if !arguments::knows(word) => plan::command(&words[1..]),
        _ => arguments::main(words),
    }
}
