//! Lines of a file of authorized keys: whose they are, and which are none.

use super::*;

const ED25519: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn roles_of(text: &str) -> Roles {
    text.parse().unwrap()
}

#[track_caller]
fn check(line: &str, name: &str, roles: &str, command: Option<&str>, terminal: Terminal) {
    let (keys, faults) = read(line);
    assert!(faults.is_empty(), "{faults:?}");
    let expected = Holder {
        name: name.to_owned(),
        roles: roles_of(roles),
        command: command.map(str::to_owned),
        terminal,
    };
    assert_eq!(keys.iter().map(|(_, holder)| holder).collect::<Vec<_>>(), [&expected]);
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let (keys, faults) = read(text);
    assert!(keys.is_empty());
    let faults: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(faults, [expected]);
}

#[test]
fn options_before_the_key() {
    use Terminal::{Allowed, Refused};
    check(&format!("{ED25519} ann"), "ann", "monitor", None, Allowed);
    check(&format!("{ED25519} Ann of Operations"), "Ann of Operations", "monitor", None, Allowed);
    check(&format!("role=\"admin\" {ED25519} bo"), "bo", "admin", None, Allowed);
    check(&format!("role=\"admin,officer\"  {ED25519} bo"), "bo", "admin,officer", None, Allowed);
    check(&format!("role=operator,no-pty {ED25519} cy"), "cy", "operator", None, Refused);
    check(&format!("restrict,pty,no-X11-forwarding {ED25519} d"), "d", "monitor", None, Allowed);
    let line = format!("restrict,command=\"monitor health, -v\",role=\"monitor\" {ED25519} nagios");
    check(&line, "nagios", "monitor", Some("monitor health, -v"), Refused);
    let line = format!("command=\"zone show \\\"a b\\\"\" {ED25519} e");
    check(&line, "e", "monitor", Some("zone show \"a b\""), Allowed);
    let print = "SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE";
    check(ED25519, print, "monitor", None, Allowed);
    check(&format!("{ED25519} \u{1b}[2J"), "?[2J", "monitor", None, Allowed);
}

#[test]
fn lines_that_let_nobody_in() {
    check_refused("\n# comment\nhello", "line 3: expected [OPTIONS] TYPE KEY NAME");
    check_refused("ssh-ed25519 AAAA ann", "line 1: expected [OPTIONS] TYPE KEY NAME");
    let line = format!("from=\"192.0.2.0/24\" {ED25519} ann");
    check_refused(&line, "line 1: there is no option from here");
    check_refused(&format!("role=\"root\" {ED25519} ann"), "line 1: there is no role root");
    check_refused(&format!("role=\"\" {ED25519} ann"), "line 1: there is no role ");
    check_refused(
        &format!("command=\"\" {ED25519} ann"),
        "line 1: there is no option command here",
    );
    check_refused("role=\"admin", "line 1: a quotation mark is missing");
    let many = format!("{ED25519} ann\n").repeat(KEYS_MAX + 2);
    let (keys, faults) = read(&many);
    assert_eq!((keys.len(), faults.len(), faults[0].line), (KEYS_MAX, 2, KEYS_MAX + 1));
}

#[test]
fn short_and_old_keys() {
    let rsa = |bits| {
        let mut rng = russh::keys::key::safe_rng();
        let pair = russh::keys::ssh_key::private::RsaKeypair::random(&mut rng, bits).unwrap();
        russh::keys::PrivateKey::from(pair).public_key().clone()
    };
    let key = rsa(2048);
    assert_eq!(check_key(&key, &Algorithm::Rsa { hash: Some(HashAlg::Sha256) }), Ok(()));
    let sha1 = check_key(&key, &Algorithm::Rsa { hash: None });
    assert!(matches!(sha1, Err(LineError::Algorithm(_))));
    let text = format!("role=\"admin\" {}\n", key.to_openssh().unwrap());
    assert_eq!(read(&text).0.len(), 1);
}

#[test]
fn the_first_line_of_a_key_counts() {
    let key = PublicKey::from_openssh(ED25519).unwrap();
    let text = format!("nonsense\nrole=\"admin\" {ED25519} ann\nrole=\"monitor\" {ED25519} bo\n");
    let (holder, faults) = holder_of(&text, &key);
    assert_eq!(holder.unwrap().name, "ann");
    assert_eq!(faults.len(), 1);
    assert_eq!(holder_of("", &key), (None, Vec::new()));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "[ -~\\n\"=,\\\\é]{0,300}") {
        let with_key = format!("{text} {ED25519} x");
        drop(read(&text));
        drop(read(&with_key));
    }
}
