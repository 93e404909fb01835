//! The image, booted in QEMU: set up by a file and by the wizard, signing, switched off by its
//! button, its data there again; and the ways on when something is missing. Run by `cargo xtask
//! boot-tests`; those whose names begin with `quick` are CI's part.

mod disk;
mod fetched;
mod machine;
mod power;
mod site;

use anchorite_tests::judges::repository_file;
use machine::{Doors, Machine, Start, blank_disk, image, setup_disk};
use site::{Site, Way, zonelist};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The passphrase of everybody in these tests.
const PASS: &str = "correct horse battery staple";
/// The prompt of the commands about the box.
const BOX1: &str = "box1 box> ";

const ZONE: &str = "$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\n\
                    ns A 192.0.2.1\nwww A 192.0.2.2\n";

/// A key for SSH in that folder, with these roles: its file, and its line for the settings.
fn ssh_key(folder: &Path, roles: &str) -> (PathBuf, String) {
    let file = folder.join(format!("key-{roles}"));
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f"]).arg(&file);
    assert!(keygen.status().unwrap().success());
    let public = std::fs::read_to_string(folder.join(format!("key-{roles}.pub"))).unwrap();
    (file, format!("ssh-key = role=\"{roles}\" {public}"))
}

/// The numbers that `status` gives for a service: its process, and how often it was started.
fn service(status: &str, name: &str) -> (u32, u32) {
    let begin = format!("service    {name}: process ");
    let line = status.lines().find_map(|line| line.trim_end().strip_prefix(&begin));
    let line = line.unwrap_or_else(|| panic!("{name} does not run: {status}"));
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).unwrap();
    (number(line.split(' ').next()), number(line.split(' ').next_back()))
}

/// Shows the steps of a start: those that `status` has, answered at that age of the machine, and
/// those that were seen from outside.
fn timeline(status: &str, age: Duration, seen: &[(&str, Duration)]) {
    let seconds = |begin: &str, line: &str| -> Option<f64> {
        line.strip_prefix(begin)?.trim_start().split(' ').next()?.parse().ok()
    };
    let running = status.lines().find_map(|line| seconds("running", line)).expect("status has it");
    let kernel = age.as_secs_f64() - running;
    let inside = status.lines().filter_map(|line| {
        let at = seconds("boot", line)?;
        Some((line.trim_end().rsplit_once(" s ")?.1, kernel + at))
    });
    let outside = seen.iter().map(|(step, at)| (*step, at.as_secs_f64()));
    for (step, at) in [("kernel begins", kernel)].into_iter().chain(inside).chain(outside) {
        eprintln!("timeline {at:>7.1} s {step}");
    }
}

#[test]
fn quick_set_up_by_file_signs_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let (data, setup) = (folder.path().join("data"), folder.path().join("setup"));
    let (key, key_line) = ssh_key(folder.path(), "admin,officer");
    let (monitor, monitor_line) = ssh_key(folder.path(), "monitor");
    blank_disk(&data, 512);
    let read = |path: &str| std::fs::read_to_string(repository_file(path)).unwrap();
    let settings = format!(
        "hostname = box1\nnetwork = dhcp\nuser = ann admin,officer {PASS}\n{key_line}{monitor_line}"
    );
    let zones = [("a.example", "default", Way::File, Way::File)];
    let files: [(&str, &str); 5] = [
        ("anchorite.setup", &settings),
        ("opendnssec/conf.xml", &read("image/files/conf.xml")),
        ("opendnssec/kasp.xml", &read("examples/default/kasp.xml")),
        ("opendnssec/zonelist.xml", &zonelist(&zones)),
        ("unsigned/a.example", ZONE),
    ];
    setup_disk(&setup, &files);
    let mut machine = Machine::start(Start::Kernel, &[&data, &setup]);
    machine.wait_for("box1 login: ");
    let prompt = machine.age();
    machine.type_line("ann");
    machine.wait_for("Passphrase: ");
    machine.type_line("a wrong passphrase");
    machine.wait_for("Wrong name or passphrase.");
    machine.log_in("box1", "ann", PASS);
    machine.command_until("log", BOX1, "[STATS] a.example");
    let signed = machine.age();
    let status = machine.command_until("status", BOX1, "10.0.2.15 on");
    eprintln!("{status}");
    timeline(&status, machine.age(), &[("console prompt", prompt), ("first zone signed", signed)]);

    // The same commands over SSH; whoever has no key stays out.
    machine.ssh_until(&key, "running", "Engine running.");
    eprintln!("SSH answers after {:?}", machine.age());
    let (code, zones, err) = machine.ssh(&key, "zone list");
    assert!(code == Some(0) && zones.contains("a.example"), "{zones} {err}");
    // A zone from a master, which the set-up disk knew nothing of.
    let addns = folder.path().join("addns.xml");
    let text = "<Adapter><DNS><Inbound><RequestTransfer><Remote><Address>192.0.2.1</Address>\
                </Remote></RequestTransfer></Inbound></DNS></Adapter>\n";
    std::fs::write(&addns, text).unwrap();
    let (code, out, err) = machine.ssh_with(&key, "config put addns.xml", &addns);
    assert!(code == Some(0) && out.contains("addns.xml was changed"), "{code:?} {out} {err}");
    let (code, out, err) = machine.ssh(&key, "zone add -z b.example -p default -j DNS");
    assert!(code == Some(0) && out.contains("b.example added"), "{code:?} {out} {err}");
    assert_eq!(machine.ssh(&key, "zone delete -z b.example --force").0, Some(0));
    let keys = machine.ssh(&key, "key list -p").1;
    assert_eq!(keys.lines().filter(|line| line.starts_with("a.example")).count(), 2, "{keys}");
    let (code, _, err) = machine.ssh(&folder.path().join("none"), "running");
    assert!(code == Some(255) && err.contains("Permission denied"), "{err}");

    // Nagios asks by Debian's plugin, with a key that may do nothing else.
    let (code, said) = machine.check_by_ssh(&monitor, "health");
    assert!(code == Some(0) && said.contains("OK"), "{code:?} {said}");
    let (code, said) = machine.check_by_ssh(&monitor, "nonsense");
    assert!(code == Some(3) && said.contains("no such check"), "{code:?} {said}");

    // Whatever ends the signer, PID 1 starts it again, and says so on the console.
    assert_eq!(machine.ssh(&key, "stop").0, Some(0));
    machine.wait_for_all(&["anchorite ended (Exited(", "it starts again in 100ms"]);
    machine.ssh_until(&key, "running", "Engine running.");
    let status = machine.command_until("status", BOX1, "service    ssh: process");
    assert_eq!(service(&status, "anchorite").1, 2, "{status}");
    assert_eq!(service(&status, "ssh").1, 1, "{status}");
    machine.press_power_button();
    machine.wait_until_off();

    let mut machine = Machine::start(Start::Kernel, &[&data]);
    machine.log_in("box1", "ann", PASS);
    eprintln!("second start: prompt after {:?}", machine.age());
    let log = machine.command("log 500", BOX1);
    assert!(log.contains("signer shutdown"), "the power button ended the signer in order: {log}");
    // With the same host key, or the client would refuse it.
    machine.ssh_until(&key, "running", "Engine running.");
    assert_eq!(machine.ssh(&key, "key list -p").1, keys, "the same keys");
    machine.type_line("reboot");
    machine.wait_until_off();
}

#[test]
fn quick_the_wizard_sets_a_new_box_up() {
    let folder = tempfile::tempdir().unwrap();
    let (data, setup) = (folder.path().join("data"), folder.path().join("setup"));
    blank_disk(&data, 128);
    setup_disk(&setup, &[("anchorite.setup", "hostname = box2\nnetwork = wifi\n")]);
    let mut machine = Machine::start(Start::Kernel, &[&data, &setup]);
    machine.wait_for("anchorite.setup: line 2: wifi: expected dhcp or static");
    machine.wait_for("Name of this box [anchorite]: ");
    let answers = [
        ("two words", "Name of this box [anchorite]: "),
        ("box2", "Network, dhcp or static [dhcp]: "),
        ("static", "IPv4 address and prefix, like 192.0.2.10/24: "),
        ("10.0.2.77/24", "Gateway [none]: "),
        ("10.0.2.2", "or none [none]: "),
        ("10.0.2.3", "Passphrase for the user admin, 12 characters or more: "),
    ];
    for (answer, next) in answers {
        machine.command(answer, next);
    }
    // What is typed now is not shown.
    for (answer, next) in [
        ("too short", "12 characters or more: "),
        (PASS, "The same once more: "),
        (PASS, "SSH public key of the administrator, or none [none]: "),
    ] {
        machine.type_line(answer);
        let shown = machine.wait_for(next);
        assert!(!shown.contains(answer), "{shown}");
    }
    machine.command("none", "Use these, yes or no? ");
    machine.type_line("yes");
    machine.log_in("box2", "admin", PASS);
    machine.command_until("status", "box2 box> ", "10.0.2.77 on");
    machine.command("make coffee", "`help` lists what there is here");
    machine.wait_for("box2 box> ");
    // Back into the signer's shell, and out of it.
    machine.type_line("shell");
    machine.wait_for("box2 (admin,officer)");
    machine.wait_for("> ");
    machine.type_keys("exit\r");
    machine.wait_for("box2 box> ");
    machine.type_line("poweroff");
    machine.wait_until_off();
}

#[test]
fn every_process_that_is_killed_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (data, setup) = (folder.path().join("data"), folder.path().join("setup"));
    let (key, key_line) = ssh_key(folder.path(), "admin,officer");
    blank_disk(&data, 256);
    let settings =
        format!("hostname = box1\nnetwork = dhcp\nuser = ann admin,officer {PASS}\n{key_line}");
    setup_disk(&setup, &[("anchorite.setup", &settings)]);
    let mut machine = Machine::start(Start::Kernel, &[&data, &setup]);
    machine.log_in("box1", "ann", PASS);
    machine.ssh_until(&key, "running", "Engine running.");
    for name in ["anchorite", "ssh", "network", "logger"] {
        let status = machine.command("status", BOX1);
        let (process, starts) = service(&status, name);
        machine.type_line(&format!("kill {name}"));
        machine.wait_for_all(&[&format!("{name} ended (Signaled("), "it starts again in"]);
        let again = format!("service    {name}: process");
        let status = machine.command_until("status", BOX1, &again);
        let (new, starts_now) = service(&status, name);
        assert!(new != process && starts_now == starts + 1, "{status}");
    }
    machine.ssh_until(&key, "running", "Engine running.");
    // The console's own process: the login is there again.
    machine.type_line("kill console-ttyS0");
    machine.log_in("box1", "ann", PASS);
    machine.press_power_button();
    machine.wait_until_off();
}

#[test]
fn quick_a_box_without_a_disk_says_so_and_can_be_switched_off() {
    let mut machine = Machine::start(Start::Kernel, &[]);
    machine.wait_for("This box has no data: there is no disk for the data");
    machine.wait_for("no data> ");
    let answer = machine.command("repair", "no data> ");
    assert!(answer.contains("there is no disk for the data"), "{answer}");
    machine.press_power_button();
    machine.wait_until_off();
}

#[test]
fn a_box_without_network_signs_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    blank_disk(&data, 128);
    let zones = [("a.example", "default", Way::File, Way::File)];
    let site = Site::new(folder.path(), Doors::new(), &zones, &[("unsigned/a.example", ZONE)]);
    let mut machine = Machine::start_at(Start::Kernel, &[&data, &site.setup], None);
    machine.wait_for_all(&["no network interface that the kernel knows; still looking", "login: "]);
    machine.type_line("");
    machine.log_in("box1", "ann", PASS);
    machine.command_until("log", BOX1, "[STATS] a.example");
    let status = machine.command("status", BOX1);
    assert_eq!(service(&status, "network").1, 1, "it waits, and does not end: {status}");
    machine.press_power_button();
    machine.wait_until_off();
}

#[test]
fn damaged_data_can_be_repaired_or_erased() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    blank_disk(&data, 128);
    let site = Site::new(folder.path(), Doors::new(), &[], &[]);
    let mut machine = Machine::start(Start::Kernel, &[&data, &site.setup]);
    machine.wait_for("box1 login: ");
    machine.press_power_button();
    machine.wait_until_off();
    // The partition begins at the second MiB of the disk.
    let damage = |octets: usize| {
        let file = std::fs::File::options().write(true).open(&data).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0xa5; octets], 1 << 20).unwrap();
    };
    // The first block: there are copies of what stands in it.
    damage(4096);
    let mut machine = Machine::start(Start::Kernel, &[&data]);
    machine.wait_for("the file system is damaged");
    machine.wait_for("no data> ");
    machine.command("repair", "the data partition is mounted");
    machine.wait_for("box1 login: ");
    machine.press_power_button();
    machine.wait_until_off();
    // A whole MiB, which has more than anybody can mend.
    damage(1 << 20);
    let mut machine = Machine::start(Start::Kernel, &[&data]);
    machine.wait_for("the file system is damaged");
    machine.wait_for("no data> ");
    machine.command("erase", "to lose all data: ");
    machine.command("no", "no data> ");
    machine.command("erase", "to lose all data: ");
    machine.command("erase everything", "Name of this box [anchorite]: ");
}

#[test]
fn the_disk_starts_by_its_firmware_and_grows() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::copy(image("anchorite.disk"), &disk).unwrap();
    std::fs::File::options().write(true).open(&disk).unwrap().set_len(1 << 30).unwrap();
    for start in ["first", "second"] {
        let mut machine = Machine::start(Start::Firmware, &[&disk]);
        machine.wait_for("Name of this box [anchorite]: ");
        eprintln!("{start} start by firmware: prompt after {:?}", machine.age());
        machine.press_power_button();
        machine.wait_until_off();
    }
    let mut sgdisk = std::process::Command::new("/sbin/sgdisk");
    let table = sgdisk.args(["--verify", "--print"]).arg(&disk).output();
    let table = String::from_utf8(table.expect("boot-tests installs gdisk").stdout).unwrap();
    for expected in ["No problems found", "anchorite-esp", "anchorite-data"] {
        assert!(table.contains(expected), "{table}");
    }
}
