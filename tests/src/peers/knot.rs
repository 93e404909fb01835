//! Knot DNS's configuration. IXFR of changed zone files by `zonefile-load: difference`.

use std::fmt::Write;
use std::process::Command;

use super::{Key, Place, Role, Setup};

pub(super) fn command(setup: &Setup, place: &Place) -> Command {
    place.write("knot.conf", &configuration(setup, place));
    let mut command = super::command("knotd", place.folder.path());
    command.arg("-c").arg(place.path("knot.conf"));
    command
}

fn configuration(setup: &Setup, place: &Place) -> String {
    let folder = place.folder();
    let at = |address: &std::net::SocketAddr| format!("{}@{}", address.ip(), address.port());
    let mut text = format!(
        "server:\n  rundir: \"{folder}\"\n  listen: {}\n  udp-workers: 1\n  tcp-workers: 1\n\
         \x20 background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n  storage: \"{folder}\"\n  journal-db-max-size: 64M\n",
        at(&place.address)
    );
    if let Some(Key { name, algorithm, secret }) = &setup.key {
        let _ = write!(
            text,
            "key:\n  - id: {name}\n    algorithm: {algorithm}\n    secret: {secret}\n"
        );
    }
    let key = setup.key.as_ref().map(|key| format!("    key: {}\n", key.name)).unwrap_or_default();
    let (remotes, extra) = match &setup.role {
        Role::Primary { notify, .. } => (notify.clone(), "    zonefile-load: difference\n"),
        Role::Secondary { primary } => (vec![*primary], "    master: [remote0]\n"),
    };
    if !remotes.is_empty() {
        text += "remote:\n";
    }
    for (index, remote) in remotes.iter().enumerate() {
        let _ = write!(text, "  - id: remote{index}\n    address: {}\n{key}", at(remote));
    }
    let names: Vec<String> = (0..remotes.len()).map(|index| format!("remote{index}")).collect();
    let notify = match &setup.role {
        Role::Primary { .. } if !names.is_empty() => format!("    notify: [{}]\n", names.join(",")),
        _ => String::new(),
    };
    text + &format!(
        "acl:\n  - id: all\n    address: 127.0.0.0/8\n    action: [transfer, notify]\n{key}\
         zone:\n  - domain: {}\n    storage: \"{folder}\"\n    file: zone\n    acl: all\n\
         \x20   semantic-checks: off\n    journal-content: changes\n{extra}{notify}",
        setup.zone
    )
}
