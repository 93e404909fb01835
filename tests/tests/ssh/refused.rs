//! Who is not let in, and what nobody may.

use crate::front::{Front, said};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

#[track_caller]
fn check_denied((code, out, err): (i32, String, String)) {
    assert!(err.contains("Permission denied (publickey)"), "{code} {out} {err}");
    assert_eq!((code, out.as_str()), (255, ""));
}

#[test]
fn only_listed_keys_of_good_kinds_come_in() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let ann = front.installation.read("authorized_keys");
    front.make_key("stranger", &["-t", "ed25519"]);
    let kinds: [(&str, &[&str]); 4] = [
        ("p256", &["-t", "ecdsa", "-b", "256"]),
        ("p521", &["-t", "ecdsa", "-b", "521"]),
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("short", &["-t", "rsa", "-b", "1024"]),
    ];
    let others: String = kinds.iter().map(|(name, kind)| front.make_key(name, kind)).collect();
    front.authorize(&format!("{ann}{others}"));
    let mut host = front.host();
    for name in ["ann", "p256", "p521", "rsa"] {
        // The daemon does not run, which is what somebody learns who is in.
        assert_eq!(front.run(&host, name, "running").0, 209, "{name}");
    }
    check_denied(front.run(&host, "stranger", "running"));
    check_denied(front.run(&host, "short", "running"));
    host.process.wait_for(&["an RSA key of 1024 bits; 2048 are needed"]);
    let old = front.client(&host, "rsa", &["-o", "PubkeyAcceptedAlgorithms=ssh-rsa"]);
    check_denied({ old }.args(["127.0.0.1", "running"]).output().map(said).unwrap());
    let by_password = ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"];
    let mut client = front.client(&host, "ann", &by_password);
    client.args(["-o", "BatchMode=no", "127.0.0.1", "running"]);
    client.env("SSH_ASKPASS", "/bin/true").env("SSH_ASKPASS_REQUIRE", "force");
    check_denied(said(client.output().unwrap()));

    // A key that is taken out is out at once; a file that others may write to lets nobody in.
    front.authorize("");
    check_denied(front.run(&host, "ann", "running"));
    front.authorize(&ann);
    let path = front.installation.path("authorized_keys");
    std::fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
    check_denied(front.run(&host, "ann", "running"));
    host.process.wait_for(&["others may write to it"]);
    front.installation.write("host_key", "no key");
    let (status, log) = anchorite_tests::daemon::Daemon::spawn(front.host_command()).ended();
    assert!(status.code() == Some(1) && log.contains("host_key: mode"), "{log}");
}

#[test]
fn nothing_is_forwarded() {
    let keys = [("ann", "role=\"admin\""), ("no-terminal", "restrict,role=\"admin\"")];
    let front = Front::new(&keys);
    let host = front.host();
    let secret = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = secret.local_addr().unwrap().port();
    let run = |arguments: &[&str]| {
        let mut client = front.client(&host, "ann", &["-o", "LogLevel=INFO"]);
        client.args(arguments).env("DISPLAY", "127.0.0.1:77");
        client.env("SSH_AUTH_SOCK", front.installation.path("agent"));
        said(client.output().unwrap())
    };
    let (code, out, err) = run(&["-W", &format!("127.0.0.1:{port}"), "127.0.0.1"]);
    assert!(code == 255 && out.is_empty() && err.contains("forwarding failed"), "{code} {err}");
    let remote = format!("0:127.0.0.1:{port}");
    let fatal = "ExitOnForwardFailure=yes";
    let (code, _, err) = run(&["-o", fatal, "-N", "-R", &remote, "127.0.0.1"]);
    assert!(code == 255 && err.contains("remote port forwarding failed"), "{code} {err}");
    let (_, _, err) = run(&["-Y", "127.0.0.1", "running"]);
    assert!(err.contains("X11 forwarding request failed"), "{err}");
    let (code, _, err) = run(&["-s", "127.0.0.1", "sftp"]);
    assert!(code != 0 && err.contains("subsystem request failed"), "{code} {err}");
    // An agent is not asked for anything but what the client itself asks.
    let agent = UnixListener::bind(front.installation.path("agent")).unwrap();
    agent.set_nonblocking(true).unwrap();
    let (code, _, _) = run(&["-A", "-o", "IdentityAgent=none", "127.0.0.1", "running"]);
    assert_eq!(code, 209);
    assert!(agent.accept().is_err(), "the agent was asked");
    secret.set_nonblocking(true).unwrap();
    assert!(secret.accept().is_err(), "something was forwarded");

    // Variables are not taken over; a restricted key has no terminal.
    let mut client = front.client(&host, "ann", &["-o", "SendEnv=SSH_TEST", "127.0.0.1", "help"]);
    assert_eq!(said(client.env("SSH_TEST", "1").output().unwrap()).0, 0);
    let mut client = front.client(&host, "no-terminal", &["-o", "LogLevel=INFO", "-tt"]);
    let (_, _, err) = said(client.args(["127.0.0.1", "help"]).output().unwrap());
    assert!(err.contains("PTY allocation request failed"), "{err}");
}
