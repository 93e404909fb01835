//! The image, booted in QEMU: set up by a file and by the wizard, signing, switched off by its
//! button, its data there again; and the ways on when something is missing. Run by `cargo xtask
//! boot-tests`; those whose names begin with `quick` are CI's part.

mod machine;

use anchorite_tests::judges::repository_file;
use machine::{Machine, Start, blank_disk, image, setup_disk};

const ZONE: &str = "$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\n\
                    ns A 192.0.2.1\nwww A 192.0.2.2\n";

fn zonelist(zone: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<ZoneList><Zone name=\"{zone}\"><Policy>default</Policy>\
         <SignerConfiguration>/var/lib/opendnssec/signconf/{zone}.xml</SignerConfiguration>\
         <Adapters><Input><Adapter type=\"File\">/var/lib/opendnssec/unsigned/{zone}</Adapter>\
         </Input><Output><Adapter type=\"File\">/var/lib/opendnssec/signed/{zone}</Adapter>\
         </Output></Adapters></Zone></ZoneList>\n"
    )
}

/// The last column of the zone's lines.
fn key_tags(list: &str) -> Vec<String> {
    let lines = list.lines().filter(|line| line.starts_with("a.example"));
    lines.filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

#[test]
fn quick_set_up_by_file_signs_and_keeps_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let (data, setup) = (folder.path().join("data"), folder.path().join("setup"));
    blank_disk(&data, 512);
    let read = |path: &str| std::fs::read_to_string(repository_file(path)).unwrap();
    let files: [(&str, &str); 5] = [
        ("anchorite.setup", "hostname = box1\nnetwork = dhcp\n"),
        ("opendnssec/conf.xml", &read("image/files/conf.xml")),
        ("opendnssec/kasp.xml", &read("examples/default/kasp.xml")),
        ("opendnssec/zonelist.xml", &zonelist("a.example")),
        ("unsigned/a.example", ZONE),
    ];
    setup_disk(&setup, &files);
    let mut machine = Machine::start(Start::Kernel, &[&data, &setup]);
    machine.wait_for("box1> ");
    eprintln!("prompt after {:?}", machine.age());
    machine.command_until("log", "box1> ", "[STATS] a.example");
    eprintln!("signed after {:?}", machine.age());
    let running = machine.command("running", "box1> ");
    assert!(running.contains("Engine running."), "{running}");
    let zones = machine.command("zone list", "box1> ");
    assert!(zones.contains("a.example"), "{zones}");
    let keys = key_tags(&machine.command("key list --verbose", "box1> "));
    assert_eq!(keys.len(), 2, "a KSK and a ZSK: {keys:?}");
    let status = machine.command_until("status", "box1> ", "10.0.2.15 on");
    eprintln!("{status}");
    // Whatever ends the signer, PID 1 starts it again, and says so on the console.
    // Its lines and the answer to the command come in any order.
    machine.type_line("stop");
    machine.wait_for("stop");
    machine.wait_for_all(&["anchorite ended (Exited(", "it starts again in 100ms", "box1> "]);
    machine.command_until("running", "box1> ", "Engine running.");
    let status = machine.command("status", "box1> ");
    let signer = status.lines().find(|line| line.contains("anchorite: process"));
    assert!(signer.is_some_and(|line| line.trim_end().ends_with("starts 2")), "{status}");
    machine.press_power_button();
    machine.wait_until_off();

    let mut machine = Machine::start(Start::Kernel, &[&data]);
    machine.wait_for("box1> ");
    eprintln!("second start: prompt after {:?}", machine.age());
    machine.command_until("running", "box1> ", "Engine running.");
    let log = machine.command("log 500", "box1> ");
    assert!(log.contains("signer shutdown"), "the power button ended the signer in order: {log}");
    let found = key_tags(&machine.command("key list --verbose", "box1> "));
    assert_eq!(found, keys, "the same keys");
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
        ("10.0.2.3", "Use these, yes or no? "),
        ("yes", "box2> "),
    ];
    for (answer, next) in answers {
        machine.command(answer, next);
    }
    machine.command_until("status", "box2> ", "10.0.2.77 on");
    machine.command_until("running", "box2> ", "Engine running.");
    let unknown = machine.command("make coffee", "box2> ");
    assert!(unknown.contains("(exit status: "), "{unknown}");
    machine.type_line("poweroff");
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
fn damaged_data_can_be_repaired_or_erased() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    blank_disk(&data, 128);
    let mut machine = Machine::start(Start::Kernel, &[&data]);
    machine.wait_for("Name of this box [anchorite]: ");
    machine.press_power_button();
    machine.wait_until_off();
    // The first MiB of the partition, which begins at the second of the disk.
    let file = std::fs::File::options().write(true).open(&data).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 1 << 20], 1 << 20).unwrap();
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
