//! What was acknowledged stays: over kill -9 at any call that changes files, over changes of the
//! file that the zone began with, and over a change of the input.

use crate::lab::{Lab, ZONE, ask, installation, key, request};
use anchorite_tests::daemon::Daemon;
use anchorite_tests::peers::free_address;
use dnssec::RrType;
use dnssec::transfer::Rcode;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// Kills, unless `ROUNDS` says otherwise.
const ROUND_COUNT: u64 = 6;
/// A start passes some tens of points, each update some.
const POINT_COUNT: u64 = 160;
/// More are not sent to a daemon that is not killed early.
const UPDATES_MAX: u16 = 60;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_acknowledged_is_lost_when_it_is_killed_anywhere() {
    let address = free_address();
    let installation = installation(address);
    let library = installation.path("kill_at.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library);
    compile.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/faults/kill_at.c"));
    assert!(compile.status().expect("Rust links with cc, so it is there").success());
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]", ZONE]);
    daemon.stop();
    let mut random = variable("SEED", 2026).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut acknowledged = Vec::new();
    let mut killed = 0;
    for round in 0..variable("ROUNDS", ROUND_COUNT) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let point = 20 + random % POINT_COUNT;
        let mut command = installation.command();
        command.env("LD_PRELOAD", &library).env("KILL_AT", point.to_string());
        let mut daemon = Daemon::spawn(command);
        if !daemon.sees_all(&[&[ZONE, "is served again"]]) {
            killed += 1;
            continue;
        }
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        for number in 0..UPDATES_MAX {
            let name = format!("k{round}x{number}");
            let update =
                request(number, &[(&name, RrType::A, 1, 60, &[192, 0, 2, 8])], Duration::ZERO);
            match ask(&mut stream, &update) {
                Some(rcode) => {
                    assert_eq!(rcode, Rcode::NOERROR, "{point}: {}", daemon.log());
                    acknowledged.push(name);
                }
                None => {
                    killed += 1;
                    break;
                }
            }
        }
        daemon.kill();
    }
    println!("{killed} kills, {} updates acknowledged", acknowledged.len());
    assert!(killed > 0 && acknowledged.len() > 10);
    let mut daemon = installation.start();
    daemon.wait_for(&[ZONE, "is served again"]);
    let mut lab = Lab { installation, address, daemon };
    let last = acknowledged.last().unwrap().clone();
    lab.wait_until(true, (&last, "A", "192.0.2.8"));
    let served = lab.served();
    for name in &acknowledged {
        let start = format!("{name}.{ZONE}. ");
        assert!(served.iter().any(|line| line.starts_with(&start)), "{name} is lost");
    }
    lab.verify();
    lab.daemon.stop();
}

/// The first content is the file's; what the file says later is not looked at.
#[test]
fn the_file_that_it_began_with_does_not_take_updates_back() {
    let mut lab = Lab::new();
    let add = format!("update add kept.{ZONE}. 60 A 192.0.2.8\n");
    assert_eq!(lab.tell("nsupdate", Some(&key()), &[], &add), "");
    lab.wait_until(true, ("kept", "A", "192.0.2.8"));
    lab.installation.write_small_zone(ZONE, 9999, "other A 192.0.2.9\n");
    let Lab { installation, address, daemon } = lab;
    daemon.stop();
    let mut daemon = installation.start();
    daemon.wait_for(&[ZONE, "is served again"]);
    daemon.reload();
    let mut lab = Lab { installation, address, daemon };
    let add = format!("update add later.{ZONE}. 60 A 192.0.2.8\n");
    assert_eq!(lab.tell("nsupdate", Some(&key()), &[], &add), "");
    lab.wait_until(true, ("later", "A", "192.0.2.8"));
    assert!(lab.has("kept", "A", "192.0.2.8") && !lab.has("other", "A", "192.0.2.9"));
    lab.daemon.stop();
}

/// A zone that came from its file goes on from there when it is changed by updates from now on.
#[test]
fn a_zone_from_a_file_goes_on_with_updates() {
    let address = free_address();
    let installation = installation(address);
    let addns = installation.read("addns.xml");
    let (before, rest) = addns.split_once("<InitialFile>").unwrap();
    let (_, after) = rest.split_once("</InitialFile>").unwrap();
    installation.write("addns.xml", &format!("{before}{after}"));
    let folder = installation.path("").to_string_lossy().into_owned();
    let dns = format!("<Input><Adapter type=\"DNS\">{folder}addns.xml");
    let file = format!("<Input><Adapter type=\"File\">{folder}unsigned/{ZONE}");
    installation.edit("zonelist.xml", &dns, &file);
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]", ZONE]);
    let lab = Lab { installation, address, daemon };
    let add = format!("update add x.{ZONE}. 60 A 192.0.2.8\n");
    let said = lab.tell("nsupdate", Some(&key()), &[], &add);
    assert!(said.contains("REFUSED"), "{said}");
    lab.installation.edit("zonelist.xml", &file, &dns);
    let Lab { installation, address, daemon } = lab;
    daemon.stop();
    let mut daemon = installation.start();
    daemon.wait_for(&[ZONE, "is served again"]);
    let mut lab = Lab { installation, address, daemon };
    assert_eq!(lab.tell("nsupdate", Some(&key()), &[], &add), "");
    lab.wait_until(true, ("x", "A", "192.0.2.8"));
    assert!(lab.has("www", "A", "192.0.2.1"));
    lab.daemon.stop();
}
