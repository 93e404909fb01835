//! NSD's configuration. IXFR of changed zone files by `create-ixfr`.

use std::process::Command;

use super::{Key, Place, Role, Setup};

pub(super) fn command(setup: &Setup, place: &Place) -> Command {
    place.write("nsd.conf", &configuration(setup, place));
    let mut command = super::command("nsd", place.folder.path());
    command.args(["-d", "-V", "2", "-c"]).arg(place.path("nsd.conf"));
    command
}

fn configuration(setup: &Setup, place: &Place) -> String {
    let folder = place.folder();
    let at = |address: &std::net::SocketAddr| format!("{}@{}", address.ip(), address.port());
    let mut text = format!(
        "server:\n  ip-address: {}\n  do-ip6: no\n  server-count: 1\n  username: \"\"\n\
         \x20 chroot: \"\"\n  zonesdir: \"{folder}\"\n  database: \"\"\n  pidfile: \"\"\n\
         \x20 xfrdfile: \"{folder}/xfrd.state\"\n  xfrdir: \"{folder}\"\n\
         \x20 zonelistfile: \"{folder}/zone.list\"\n  cookie-secret-file: \"\"\n\
         \x20 xfrd-reload-timeout: 0\n  tcp-count: 200\n\
         remote-control:\n  control-enable: no\n",
        at(&place.address)
    );
    if let Some(Key { name, algorithm, secret }) = &setup.key {
        text += &format!(
            "key:\n  name: \"{name}\"\n  algorithm: {algorithm}\n  secret: \"{secret}\"\n"
        );
    }
    let key = setup.key.as_ref().map_or("NOKEY", |key| key.name.as_str());
    text += &format!(
        "zone:\n  name: \"{}\"\n  zonefile: \"zone\"\n  provide-xfr: 127.0.0.0/8 {key}\n\
         \x20 store-ixfr: yes\n  create-ixfr: yes\n",
        setup.zone
    );
    match &setup.role {
        Role::Primary { notify, .. } => {
            for target in notify {
                text += &format!("  notify: {} {key}\n", at(target));
            }
        }
        Role::Secondary { primary } => {
            text += &format!(
                "  request-xfr: {} {key}\n  allow-notify: 127.0.0.0/8 {key}\n\
                 \x20 min-refresh-time: 1\n  min-retry-time: 1\n",
                at(primary)
            );
        }
    }
    text
}
