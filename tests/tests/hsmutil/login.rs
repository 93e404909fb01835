//! `login` and `logout`: PINs come from the operator, stay in memory, and reach no disk.

use crate::bench::{Bench, Result, files};
use anchorite_tests::program::anchorite;
use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

/// Tokens whose PINs conf.xml does not have.
fn without_pins() -> Bench {
    let bench = Bench::new();
    bench.write_variant("nopin.xml", "<PIN>1234</PIN>", "");
    bench
}

fn ours(bench: &Bench, words: &str, input: &str) -> Result {
    bench.anchorite(&format!("hsmutil -c nopin.xml {words}"), input)
}

#[test]
fn pins_are_asked_for_once_and_kept_in_memory() {
    let bench = without_pins();
    let login = ours(&bench, "login", "1234\n1234\n");
    assert_eq!((login.output.as_str(), login.code), ("The tokens are now logged in.\n", Some(0)));
    assert_eq!(login.errors, "Enter PIN for token second: Enter PIN for token first: ");
    let kept = bench.memory_files();
    assert_eq!(kept.len(), 2, "{kept:?}");
    for path in &kept {
        assert_eq!(path.metadata().unwrap().mode() & 0o7777, 0o600);
        assert_eq!(path.parent().unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
    }
    // Every command finds them, and none asks.
    let made = ours(&bench, "generate first ecdsa 256", "");
    assert_eq!((made.code, made.errors.as_str()), (Some(0), ""), "{made:?}");
    assert_eq!(ours(&bench, "login", "").code, Some(0));
    let report = bench.anchorite("hsm test -c nopin.xml -r first", "");
    assert_eq!(report.code, Some(0), "{report:?}");
    let logout = ours(&bench, "logout", "");
    let line = "The credentials has been erased.\n";
    assert_eq!((logout.output.as_str(), logout.code), (line, Some(0)));
    assert!(bench.memory_files().is_empty());
    let asked = ours(&bench, "list first", "");
    assert!(asked.errors.starts_with("Enter PIN for token first: "), "{asked:?}");
    assert_eq!((asked.output.as_str(), asked.code), ("", Some(255)));
}

/// A PIN that is typed with any command counts as a login, as OpenDNSSEC has it.
#[test]
fn any_command_is_a_login() {
    let bench = without_pins();
    let listed = ours(&bench, "list first", "1234\n");
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert_eq!(bench.memory_files().len(), 1);
    assert_eq!(ours(&bench, "list first", "").code, Some(0));
}

#[test]
fn wrong_pins_are_offered_once_and_forgotten() {
    let bench = without_pins();
    for (input, reason) in [
        ("123\n1234\n1234\n", "hsm_session_init(): Incorrect PIN for repository second"),
        ("\n", "no PIN is known"),
        ("", "no PIN for repository second"),
        (&"9".repeat(1000), "the PIN is too long"),
    ] {
        let refused = ours(&bench, "login", input);
        assert!(refused.errors.contains(reason), "{input}: {refused:?}");
        assert_eq!(refused.errors.matches("Enter PIN").count(), 1, "{refused:?}");
        assert_eq!((refused.output.as_str(), refused.code), ("", Some(255)));
        assert!(bench.memory_files().is_empty(), "{input}");
    }
    // A PIN that was changed meanwhile is wrong once, and then asked for.
    assert_eq!(ours(&bench, "list second", "1234\n").code, Some(0));
    let kept = bench.memory_files();
    std::fs::write(&kept[0], "4321").unwrap();
    let refused = ours(&bench, "list second", "1234\n");
    assert!(refused.errors.contains("Incorrect PIN for repository second"), "{refused:?}");
    assert!(bench.memory_files().is_empty());
    assert_eq!(ours(&bench, "list second", "1234\n").code, Some(0));
}

#[test]
fn pins_are_not_kept_where_others_read_or_on_a_disk() {
    let mut bench = without_pins();
    assert_eq!(ours(&bench, "list first", "1234\n").code, Some(0));
    let folder = bench.runtime.join("pins");
    let kept = bench.memory_files().remove(0);
    for path in [folder.as_path(), &kept] {
        let mode = path.metadata().unwrap().permissions();
        std::fs::set_permissions(path, Permissions::from_mode(0o750)).unwrap();
        let refused = ours(&bench, "list first", "1234\n");
        assert!(refused.errors.contains("may be read by others"), "{refused:?}");
        assert_eq!(refused.code, Some(255));
        std::fs::set_permissions(path, mode).unwrap();
    }
    std::fs::remove_file(&kept).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &kept).unwrap();
    assert_eq!(ours(&bench, "list first", "1234\n").code, Some(255), "a link is not followed");
    let disk = tempfile::tempdir_in("/var/tmp").unwrap();
    bench.runtime = disk.path().join("run");
    let refused = ours(&bench, "list first", "1234\n");
    assert!(refused.errors.contains("is on a disk"), "{refused:?}");
    assert!(files(disk.path()).is_empty());
    assert_eq!(refused.code, Some(255));
}

#[test]
fn no_file_of_the_installation_has_the_pin() {
    let bench = without_pins();
    let pin = "73518264";
    let words = "hsmutil -c own.xml generate own ecdsa 256";
    let folder = bench.path("own");
    bench.write_conf(&format!(
        "<Repository name=\"own\"><BuiltIn/><TokenLabel>Own</TokenLabel>\
         <Directory>{}</Directory></Repository>",
        folder.display()
    ));
    std::fs::rename(bench.path("conf.xml"), bench.path("own.xml")).unwrap();
    let made = bench.anchorite(words, &format!("{pin}\n"));
    assert_eq!(made.code, Some(0), "{made:?}");
    let has_pin = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(pin.len()).any(|window| window == pin.as_bytes())
    };
    assert!(files(bench.folder.path()).iter().all(|path| !has_pin(path)));
    assert!(bench.memory_files().iter().any(|path| has_pin(path)));
}

/// On a terminal of its own, which util-linux's `script` makes.
#[test]
fn a_terminal_shows_the_question_and_no_pin() {
    let bench = without_pins();
    let line = format!("{} hsmutil -c nopin.xml list first", anchorite().display());
    let mut command = bench.command("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("script is there: run cargo xtask setup");
    let (mut output, mut shown) = (child.stdout.take().unwrap(), Vec::new());
    let mut byte = [0];
    // The question comes when echo is off already.
    while !shown.ends_with(b"Enter PIN for token first: ") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{:?}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"1234\n").unwrap();
    output.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(!shown.contains("1234"), "{shown}");
    assert!(shown.contains("0 keys found."), "{shown}");
    assert!(child.wait().unwrap().success());
    drop(input);
    assert_eq!(bench.memory_files().len(), 1);
}
