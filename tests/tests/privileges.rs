//! `<Privileges>`: the daemon and its slot hosts run as the user that conf.xml names, or not at
//! all. Needs root, as the daemon does that is to become somebody else.

use anchorite_tests::daemon::Installation;
use nix::unistd::{Pid, User, chown, geteuid};
use std::path::Path;

const USER: &str = "nobody";

fn installation(user: &str) -> Installation {
    let installation = Installation::new("default");
    let privileges = format!("<Enforcer><Privileges><User>{user}</User></Privileges>");
    installation.edit("conf.xml", "<Enforcer>", &privileges);
    installation.write_zonelist(&[("a.example", "default")]);
    installation.write_small_zone("a.example", 1, "");
    installation
}

/// Gives a folder and everything in it to `user`.
fn give(path: &Path, user: &User) {
    chown(path, Some(user.uid), Some(user.gid)).unwrap();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user);
        }
    }
}

/// The four user ids of a process.
fn users_of(pid: Pid) -> Vec<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}

#[test]
fn the_daemon_and_its_slot_hosts_become_the_user() {
    assert!(geteuid().is_root(), "this test has to be run by root, as CI does");
    let user = User::from_name(USER).unwrap().unwrap();
    let installation = installation(USER);
    give(&installation.path(""), &user);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let expected = vec![user.uid.to_string(); 4];
    assert_eq!(users_of(daemon.pid()), expected);
    let hosts = daemon.slot_hosts();
    assert!(!hosts.is_empty(), "the token is in a process of its own");
    for host in hosts {
        assert_eq!(users_of(host), expected);
    }
    daemon.stop();
}

#[test]
fn a_user_who_is_not_there_is_named_and_nothing_starts() {
    let installation = installation("no-such-user");
    let mut daemon = installation.start();
    daemon.wait_for(&["<Privileges>: there is no user no-such-user on this machine", "useradd"]);
    assert!(!installation.path("kasp.db.redb").exists(), "nothing was made");
}
