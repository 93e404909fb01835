//! PowerDNS's configuration, with the BIND backend and its database of keys.

use std::process::Command;

use super::{Place, Role, Setup};

pub(super) fn command(setup: &Setup, place: &Place) -> Command {
    let folder = place.folder();
    let zone = &setup.zone;
    let statement = match &setup.role {
        Role::Primary { .. } => {
            format!("zone \"{zone}\" {{ type master; file \"{folder}/zone\"; }};")
        }
        Role::Secondary { primary } => format!(
            "zone \"{zone}\" {{ type slave; file \"{folder}/zone\"; masters {{ {primary}; }}; }};"
        ),
    };
    place.write("zones.conf", &format!("{statement}\n"));
    place.write("pdns.conf", &configuration(setup, place));
    super::run(tool("pdnsutil", place).arg("create-bind-db").arg(place.path("keys.db")));
    if let Some(key) = &setup.key {
        let import = ["import-tsig-key", &key.name, &key.algorithm, &key.secret];
        super::run(tool("pdnsutil", place).args(import));
        // A secondary lets its zone go by the key, too.
        let sides: &[&str] = match &setup.role {
            Role::Primary { .. } => &["primary"],
            Role::Secondary { .. } => &["primary", "secondary"],
        };
        for side in sides {
            let activate = ["activate-tsig-key", &setup.zone, &key.name, side];
            super::run(tool("pdnsutil", place).args(activate));
        }
    }
    if let Role::Secondary { .. } = &setup.role {
        super::run(tool("pdnsutil", place).args(["set-meta", &setup.zone, "IXFR", "1"]));
    }
    let mut command = super::command("pdns_server", place.folder.path());
    command.arg(format!("--config-dir={folder}"));
    command
}

/// Has a primary read its zone file again and tell others.
pub(super) fn reload(setup: &Setup, place: &Place) {
    super::run(tool("pdns_control", place).args(["bind-reload-now", &setup.zone]));
    if matches!(&setup.role, Role::Primary { notify, .. } if !notify.is_empty()) {
        super::run(tool("pdns_control", place).args(["notify", &setup.zone]));
    }
}

fn tool(program: &str, place: &Place) -> Command {
    let mut command = super::command(program, place.folder.path());
    command.arg(format!("--config-dir={}", place.folder()));
    command
}

fn configuration(setup: &Setup, place: &Place) -> String {
    let folder = place.folder();
    let side = match &setup.role {
        Role::Primary { notify, .. } => {
            let targets: Vec<String> = notify.iter().map(ToString::to_string).collect();
            format!("primary=yes\nonly-notify=\nalso-notify={}\n", targets.join(","))
        }
        Role::Secondary { .. } => "secondary=yes\nallow-notify-from=127.0.0.0/8\n".to_owned(),
    };
    format!(
        "launch=bind\nbind-config={folder}/zones.conf\nbind-dnssec-db={folder}/keys.db\n\
         local-address=127.0.0.1\nlocal-port={}\nsocket-dir={folder}\ndaemon=no\nguardian=no\n\
         disable-syslog=yes\nloglevel=6\nallow-axfr-ips=127.0.0.0/8\ncache-ttl=0\n\
         query-cache-ttl=0\nnegquery-cache-ttl=0\nxfr-cycle-interval=1\nsecurity-poll-suffix=\n\
         zone-cache-refresh-interval=0\n{side}",
        place.address.port()
    )
}
