//! What the history says of why: a policy edit names the command and who gave it in what follows
//! at once; what follows later is the enforcer's own.

use crate::lab::{Lab, ZONE, installation, is_everywhere, user};

/// The history's entries that begin with this cause: their lines of events, one text each.
fn entries(history: &str, cause: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    let mut is_in = false;
    for line in history.lines() {
        if line.starts_with("    ") {
            if let Some(entry) = entries.last_mut().filter(|_| is_in) {
                entry.push_str(&format!("{}\n", line.trim()));
            }
            continue;
        }
        // Date and time come first.
        is_in = line.splitn(3, ' ').nth(2) == Some(cause);
        if is_in {
            entries.push(String::new());
        }
    }
    entries
}

#[test]
fn what_a_policy_edit_changes_at_once_names_who_gave_the_command() {
    let installation = installation();
    let text = installation.read("kasp.xml");
    let (before, _) = text.rsplit_once("</KASP>").unwrap();
    let (_, policy) = before.split_once("<Policy name=\"default\">").unwrap();
    let other = policy.replacen("<RetireSafety>PT3600S<", "<RetireSafety>PT3601S<", 1);
    let other = other.replacen("<Resign>PT12H<", "<Resign>PT11H<", 1);
    installation.write("kasp.xml", &format!("{before}<Policy name=\"other\">{other}</KASP>"));
    let lab = Lab::start(installation);
    lab.step_until(|keys| keys.iter().all(|key| is_everywhere(key)));
    let history = || lab.anchorite(&format!("key history {ZONE}")).stdout;

    lab.installation.edit("kasp.xml", ">13</Algorithm>", ">15</Algorithm>");
    lab.enforcer("policy import");
    lab.settle();
    let import = format!("policy import (by {})", user());
    let [entry] = &entries(&history(), &import)[..] else { panic!("{}", history()) };
    assert_eq!(entry.matches(" is to be withdrawn\n").count(), 2, "{entry}");
    assert_eq!(entry.matches(": algorithm 15, ").count(), 2, "{entry}");

    // What follows by the clock is nobody's command.
    lab.step();
    assert_eq!(entries(&history(), &import).len(), 1, "{}", history());

    lab.installation.edit("kasp.xml", "<Refresh>P3D<", "<Refresh>P2D<");
    lab.enforcer("update kasp");
    lab.settle();
    let update = format!("update kasp (by {})", user());
    assert_eq!(entries(&history(), &update), [""], "{}", history());
    let given = format!("zone set-policy -z {ZONE} -p other");
    assert_eq!(lab.enforcer(&given).code, 0);
    lab.settle();
    assert_eq!(entries(&history(), &format!("{given} (by {})", user())), [""], "{}", history());
    lab.daemon.stop();
}
