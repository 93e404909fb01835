//! BIND's configuration. IXFR of changed zone files by `ixfr-from-differences`.

use std::process::Command;

use super::{Key, Place, Role, Setup};

pub(super) fn command(setup: &Setup, place: &Place) -> Command {
    place.write("named.conf", &configuration(setup, place));
    let mut command = super::command("named", place.folder.path());
    command.args(["-g", "-c"]).arg(place.path("named.conf"));
    command
}

fn configuration(setup: &Setup, place: &Place) -> String {
    let folder = place.folder();
    let mut text = format!(
        "options {{ directory \"{folder}\"; pid-file none; session-keyfile none; recursion no;\n\
         listen-on-v6 {{ none; }}; dnssec-validation no; allow-query {{ 127.0.0.0/8; }};\n\
         listen-on port {} {{ 127.0.0.1; }};\n",
        place.address.port()
    );
    if setup.tls.is_some() {
        let port = place.tls_address.port();
        text += &format!("listen-on port {port} tls own {{ 127.0.0.1; }};\n");
    }
    text += "};\ncontrols { };\n";
    if let Some(Key { name, algorithm, secret }) = &setup.key {
        text += &format!("key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};\n");
    }
    if let Some(tls) = &setup.tls {
        text += &format!(
            "tls own {{ cert-file \"{}\"; key-file \"{}\"; protocols {{ TLSv1.3; }}; }};\n",
            tls.certificate.display(),
            tls.private_key.display()
        );
        if let Role::Secondary { .. } = &setup.role {
            text += &format!(
                "tls primary {{ ca-file \"{}\"; remote-hostname \"{}\";\n\
                 protocols {{ TLSv1.3; }}; }};\n",
                tls.authority.display(),
                tls.name
            );
        }
    }
    text + &zone(setup)
}

fn zone(setup: &Setup) -> String {
    let key = setup.key.as_ref().map(|key| format!(" key \"{}\"", key.name)).unwrap_or_default();
    let transfer = match &setup.key {
        Some(key) => format!("key \"{}\";", key.name),
        None => "127.0.0.0/8;".to_owned(),
    };
    let common = format!("zone \"{}\" {{ allow-transfer {{ {transfer} }};", setup.zone);
    match &setup.role {
        Role::Primary { notify, .. } => {
            let targets: String = notify
                .iter()
                .map(|target| format!("{} port {}{key}; ", target.ip(), target.port()))
                .collect();
            format!(
                "{common} type primary; file \"zone\"; ixfr-from-differences yes;\n\
                 notify explicit; notify-delay 0; also-notify {{ {targets} }}; }};\n"
            )
        }
        Role::Secondary { primary } => {
            let tls = if setup.tls.is_some() { " tls primary" } else { "" };
            format!(
                "{common} type secondary; file \"received\"; masterfile-format text; notify no;\n\
                 min-refresh-time 1; min-retry-time 1; allow-notify {{ {transfer} }};\n\
                 primaries {{ {} port {}{key}{tls}; }}; }};\n",
                primary.ip(),
                primary.port()
            )
        }
    }
}
