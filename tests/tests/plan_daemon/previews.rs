//! What an import of policies says before it does it, over three zones.

use crate::lab::{Lab, installation};
use anchorite_tests::daemon::Installation;

const ZONES: [&str; 3] = ["a.example", "b.example", "c.example"];

/// A second policy, like the first one but for its name; the third zone has it.
fn lab() -> (Lab, String) {
    let zones: Vec<(&str, &str)> = ZONES
        .iter()
        .map(|zone| (*zone, if *zone == "c.example" { "other" } else { "default" }))
        .collect();
    let installation = installation(&zones);
    let text = installation.read("kasp.xml");
    let (begin, end) = (text.find("<Policy ").unwrap(), text.find("</KASP>").unwrap());
    let other = text[begin..end].replace("name=\"default\"", "name=\"other\"");
    let both = format!("{}{other}{}", &text[..end], &text[end..]);
    installation.write("kasp.xml", &both);
    (Lab::start(installation, &ZONES), both)
}

/// Changes the policy `default` alone.
fn change(installation: &Installation, both: &str, from: &str, to: &str) {
    let (first, second) = both.split_once("name=\"other\"").unwrap();
    assert!(first.contains(from), "{from}");
    installation.write("kasp.xml", &format!("{}name=\"other\"{second}", first.replace(from, to)));
}

#[test]
fn an_import_tells_what_changes_for_whom_and_when() {
    let (lab, both) = lab();
    let dry = |from: &str, to: &str| {
        change(&lab.installation, &both, from, to);
        lab.done("policy import --dry-run")
    };
    let algorithm = dry("<Algorithm length=\"256\">13<", "<Algorithm length=\"384\">14<");
    assert!(algorithm.starts_with("Policy default changes:\n"), "{algorithm}");
    let line = "  Keys/KSK/Algorithm: 13 (length=\"256\") -> 14 (length=\"384\")\n";
    assert!(algorithm.contains(line), "{algorithm}");
    for zone in ["a.example", "b.example"] {
        assert!(algorithm.contains(&format!("Zone {zone}: KSK ")), "{algorithm}");
    }
    assert!(!algorithm.contains("c.example"), "{algorithm}");
    for part in [
        "will be rolled out; ",
        "a new ZSK (ECDSAP384SHA384, 384 bits) will be rolled in",
        "  KSKs: a roll begins now, DS to the parent 20",
        "Policy default would be updated\n",
        "Policy other already up-to-date\n",
    ] {
        assert!(algorithm.contains(part), "{part}: {algorithm}");
    }

    let ttl =
        dry("<TTL>PT3600S</TTL>\n\t\t\t<RetireSafety>", "<TTL>P1D</TTL>\n\t\t\t<RetireSafety>");
    assert!(ttl.contains("  Keys/TTL: PT1H -> P1D\n"), "{ttl}");
    assert!(ttl.contains("Zone a.example: its keys stay.\n  KSKs: "), "{ttl}");
    assert!(ttl.contains("    by today's policy: "), "{ttl}");

    let zsk = "<Lifetime>P9D</Lifetime>\n\t\t\t\t<Repository>built-in</Repository>";
    let roll = dry(zsk, &format!("{zsk}<ZskRollType>ZskDoubleSignature</ZskRollType>"));
    let line = "  Keys/ZSK/ZskRollType: ZskPrePublication -> ZskDoubleSignature\n";
    assert!(roll.contains(line), "{roll}");
    assert!(
        roll.contains("Zone b.example: its keys stay.\n  ZSKs: the next roll begins 20"),
        "{roll}"
    );

    // What does not change a key or a roll is counted, not listed.
    let quiet = dry("<Description>ECDSA", "<Description>Still ECDSA");
    assert!(quiet.contains("Keys and rolls of 2 zones do not change.\n"), "{quiet}");
    assert!(!quiet.contains("Zone "), "{quiet}");

    // The same is said when it is done.
    change(&lab.installation, &both, "<Lifetime>P9D<", "<Lifetime>P8D<");
    let done = lab.enforcer("update kasp");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.starts_with("Updated policy default successfully\n"), "{done:?}");
    assert!(done.stderr.contains("Zone a.example: its keys stay.\n  ZSKs: "), "{done:?}");
    lab.daemon.stop();
}
