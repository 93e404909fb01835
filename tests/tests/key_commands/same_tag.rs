//! Two keys of one zone with one key tag: `tests/data/key_commands/same-tag-*.pem`, made for this
//! test and used for nothing else. A command that names them by the tag changes neither.

use crate::lab::{Lab, ZONE, installation};
use anchorite_tests::judges::repository_file;
use anchorite_tests::program::anchorite;
use std::process::Command;

const IDS: [&str; 2] = ["0a0a0a0a", "0b0b0b0b"];
const TAG: &str = "11684";

#[test]
fn a_key_tag_of_two_keys_changes_neither_and_names_both() {
    let installation = installation();
    for (name, id) in ["one", "other"].into_iter().zip(IDS) {
        let file = repository_file(&format!("tests/data/key_commands/same-tag-{name}.pem"));
        let mut command = Command::new(anchorite());
        command.args(["hsm", "import", "--role", "ksk", "--repository", "SoftHSM", "--same-tag"]);
        command.args(["--id", id, "--config"]).arg(installation.path("conf.xml")).arg(file);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let lab = Lab::start(installation);
    for id in IDS {
        lab.done(&format!(
            "key import -k {id} -r SoftHSM -z {ZONE} -b 256 -g 13 -e retire -t KSK -w \
             2026-01-01-00:00:00"
        ));
    }
    let waiting = |lab: &Lab| lab.done("key ds-gone");
    let table = waiting(&lab);
    assert_eq!(table.matches(TAG).count(), 2, "{table}");
    let refused = lab.enforcer(&format!("key ds-gone -z {ZONE} -x {TAG}"));
    assert_eq!(refused.code, 11, "{refused:?}");
    assert_eq!(refused.stdout, "2 KSK matches found.\n0 KSKs changed.\n");
    assert!(IDS.iter().all(|id| refused.stderr.contains(id)), "{refused:?}");
    assert!(refused.stderr.contains("--cka_id"), "{refused:?}");
    assert_eq!(waiting(&lab), table);

    let explained = lab.anchorite(&format!("explain key {TAG}"));
    assert_ne!(explained.code, 0, "{explained:?}");
    assert!(IDS.iter().all(|id| explained.stderr.contains(id)), "{explained:?}");

    lab.done(&format!("key ds-gone -z {ZONE} -k {}", IDS[0]));
    let table = waiting(&lab);
    assert!(!table.contains(IDS[0]) && table.contains(IDS[1]), "{table}");
    lab.daemon.stop();
}
