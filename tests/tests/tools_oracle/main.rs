//! `ods-control`, `ods-enforcer` and `ods-signer` beside Debian's OpenDNSSEC 2.1.12: the same
//! commands on the same configuration, with SoftHSM; standard output, standard error and exit code
//! of each have to be the same byte for byte. What 2.1.12 said is in `tests/data/tools-oracle`
//! (`TOOLS_ORACLE=record` asks it again); ids of keys, processes and moments are left out of the
//! comparison. Where ours differs on purpose, [`DIFFERS`] says why, what ours said is in the same
//! folder, and a line there that no longer differs, or differs otherwise, fails, too
//! (`TOOLS_ORACLE=ours` writes down what ours says now). The log lines go to a syslog of the test's
//! own.
//! Needs mount namespaces: root, or a system that gives users theirs.
//! Never: the machine's own OpenDNSSEC folders, its syslog.

use anchorite_tests::judges::repository_file;
use anchorite_tests::program::anchorite;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;

const VERSIONS: &str = "the version is ours beside OpenDNSSEC's";
const LIST: &str = "look-ahead of 2.2 and time leap are listed, too";
const NOTHING_IGNORED: &str = "2.1.12 ignores what it does not understand";

/// The commands in which ours differs, and why.
const DIFFERS: &[(&str, &str)] = &[
    ("ods-signer --version", VERSIONS),
    ("ods-enforcer --version", VERSIONS),
    ("ods-signer --help", VERSIONS),
    ("ods-enforcer --help", VERSIONS),
    ("ods-control start", VERSIONS),
    ("ods-enforcer help", LIST),
    ("ods-enforcer nonsense", LIST),
    ("ods-enforcer policy list", "kasp.xml counts from the start on, not from policy import on"),
    ("ods-enforcer policy import", "kasp.xml counts from the start on, not from policy import on"),
    ("ods-enforcer update all", "the zones of zonelist.xml are named, too"),
    ("ods-enforcer zone set-policy --zone ods1", "2.1.12 cuts the line that it complains of"),
    ("ods-enforcer key ds-seen --zone ods1 --keytag 1", "it says that there is no such key"),
    ("ods-enforcer backup list", "keys are made for zones, not ahead of the first one"),
    ("ods-signer sign ods1 --serial", "the words are getopt's"),
    ("ods-signer sign ods1 ods1 ods1 ods1", "more than six words are no reason to end"),
    ("ods-signer verbosity", "2.1.12 sets the level to 1 when none is given"),
    ("ods-signer verbosity x", "2.1.12 sets the level to 0, which hides every fault"),
    ("ods-signer running x", NOTHING_IGNORED),
    ("ods-signer zones x", NOTHING_IGNORED),
    ("ods-signer time leap", "there is one clock: ods-enforcer time leap"),
    ("ods-signer time leap --time nonsense", "there is one clock: ods-enforcer time leap"),
    ("ods-enforcer time leap", "a daemon leaps only when it was started with --set-time"),
    ("ods-control signer stop", "one daemon: nobody starts the signer anew"),
    ("ods-control stop", "one daemon stops once; 2.1.12's enforcer hung when this was recorded"),
];

const CONF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration><RepositoryList><Repository name="SoftHSM">
<Module>/usr/lib/softhsm/libsofthsm2.so</Module><TokenLabel>SoftHSM</TokenLabel><PIN>1234</PIN>
</Repository></RepositoryList>
<Common><Logging><Verbosity>3</Verbosity><Syslog><Facility>local0</Facility></Syslog></Logging>
<PolicyFile>/etc/opendnssec/kasp.xml</PolicyFile>
<ZoneListFile>/etc/opendnssec/zonelist.xml</ZoneListFile></Common>
<Enforcer><WorkingDirectory>/var/lib/opendnssec/enforcer</WorkingDirectory>
<Datastore><SQLite>/var/lib/opendnssec/kasp.db</SQLite></Datastore>
<AutomaticKeyGenerationPeriod>P1M</AutomaticKeyGenerationPeriod></Enforcer>
<Signer><WorkingDirectory>/var/lib/opendnssec/signer</WorkingDirectory></Signer></Configuration>
"#;

const ZONE: &str = "$ORIGIN ods1.\n$TTL 60\n@ IN SOA ns1 hostmaster 1 3600 600 86400 60\n\
                    @ IN NS ns1\nns1 IN A 192.0.2.1\n";

const PROGRAMS: [&str; 4] = ["ods-control", "ods-enforcer", "ods-signer", "ods-enforcer-db-setup"];

fn data(name: &str) -> std::path::PathBuf {
    repository_file(&format!("tests/data/tools-oracle/{name}"))
}

/// Runs the scene with the programs that `program` finds by name. What it wrote.
fn play(folder: &Path, program: impl Fn(&str) -> std::path::PathBuf) -> String {
    let make = |name: &str| std::fs::create_dir_all(folder.join(name)).unwrap();
    ["etc", "var/unsigned", "var/enforcer", "bin"].into_iter().for_each(make);
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let kasp = std::fs::read_to_string(repository_file("examples/default/kasp.xml")).unwrap();
    let no_zones = "<?xml version=\"1.0\"?><ZoneList/>\n";
    write("etc/conf.xml", CONF);
    write("etc/kasp.xml", &kasp.replace(">built-in<", ">SoftHSM<"));
    write("etc/zonelist.xml", no_zones);
    write("var/enforcer/zones.xml", no_zones);
    write("var/unsigned/ods1", ZONE);
    write("script", &std::fs::read_to_string(data("script")).unwrap());
    for name in PROGRAMS {
        symlink(program(name), folder.join("bin").join(name)).unwrap();
    }
    let user = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "250", "unshare", user, "sh"]).arg(data("scene.sh"));
    command.current_dir(folder).env("BIN", "./bin");
    let output = command.output().expect("unshare is there: cargo xtask setup");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).replace('\0', "")
}

/// The text without what is another one each time: ids, process numbers, moments.
fn comparable(text: &str) -> String {
    let word = |word: &str| match word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit()) {
        true => "ID".to_owned(),
        false => word.to_owned(),
    };
    let line = |line: &str| -> String {
        let words: Vec<String> = line.split(' ').map(word).collect();
        let line = words.join(" ");
        let cut = ["pid ", "It is now ", "default       "].into_iter().find_map(|mark| {
            let at = line.find(mark)? + mark.len();
            line[at..]
                .starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
                .then_some(at)
        });
        match cut {
            Some(at) => format!("{}*", &line[..at]),
            None => line,
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Commands and what they said, in order.
fn answers(text: &str) -> Vec<(&str, &str)> {
    let parts = text.split("$ ods-").skip(1);
    parts.map(|part| part.split_once('\n').unwrap_or((part, ""))).collect()
}

fn asks_for(what: &str) -> bool {
    std::env::var_os("TOOLS_ORACLE").is_some_and(|value| value == what)
}

fn record() {
    let folder = tempfile::tempdir().unwrap();
    let find = |name: &str| {
        let paths = ["/usr/sbin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
        paths.into_iter().find(|path| path.exists()).expect("cargo xtask setup installs it")
    };
    std::fs::write(data("opendnssec-2.1.12"), play(folder.path(), find)).unwrap();
}

#[test]
fn the_tools_say_what_opendnssec_says() {
    if asks_for("record") {
        record();
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dev")).unwrap();
    let syslog = UnixDatagram::bind(folder.path().join("dev/log")).unwrap();
    let reader = std::thread::spawn(move || {
        let (mut lines, mut octets) = (Vec::new(), [0; 8192]);
        while let Ok(length @ 1..) = syslog.recv(&mut octets) {
            lines.push(String::from_utf8_lossy(&octets[..length]).into_owned());
        }
        lines
    });
    let ours = comparable(&play(folder.path(), |_| anchorite()));
    // An empty line ends the reader.
    let end = UnixDatagram::unbound().unwrap();
    end.send_to(&[], folder.path().join("dev/log")).unwrap();
    let lines = reader.join().unwrap();
    let theirs = comparable(&std::fs::read_to_string(data("opendnssec-2.1.12")).unwrap());
    let (theirs, ours) = (answers(&theirs), answers(&ours));
    assert_eq!(theirs.len(), ours.len());
    let mut differing = Vec::new();
    let (mut faults, mut otherwise) = (String::new(), String::new());
    for ((command, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        let command = format!("ods-{command}");
        let is_known = DIFFERS.iter().any(|(known, _)| *known == command);
        if theirs.trim_end() != ours.trim_end() {
            if !is_known {
                faults += &format!("{command}\nOpenDNSSEC:\n{theirs}\nours:\n{ours}\n");
            }
            let ours = ours.trim_end().replace(env!("CARGO_PKG_VERSION"), "VERSION");
            otherwise += &format!("$ {command}\n{ours}\n");
            differing.push(command);
        }
    }
    assert!(faults.is_empty(), "{faults}");
    for (known, _) in DIFFERS {
        assert!(differing.iter().any(|one| one == known), "{known} is the same now");
    }
    if asks_for("ours") {
        std::fs::write(data("anchorite"), &otherwise).unwrap();
    }
    assert_eq!(otherwise, std::fs::read_to_string(data("anchorite")).unwrap());
    eprintln!("{} commands, {} of them differ", ours.len(), differing.len());
    // Facility local0, severity information; and the idents that people search for.
    for part in [" ods-signerd: [engine] signer started", " ods-enforcerd: [enforcer] "] {
        let is_there = |line: &String| line.starts_with("<134>") && line.contains(part);
        assert!(lines.iter().any(is_there), "{part}: {lines:#?}");
    }
}
