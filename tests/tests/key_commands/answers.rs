//! Answers to commands beside those of Debian's OpenDNSSEC 2.1.12, recorded from its enforcer for
//! one policy and one zone that is a moment old: standard output, standard error, exit code.
//! Where ours says more on standard error, the table here says so.

use crate::lab::{Lab, installation};

const RECORDED: &str = include_str!("../../data/key_commands/opendnssec-2.1.12.txt");

/// Commands for which standard error says why, where 2.1 says nothing.
const SAYS_WHY: [&str; 1] = ["key ds-seen -z ods1 -x 1"];

#[derive(Default)]
struct Answer {
    words: String,
    stdout: String,
    stderr: String,
    code: i32,
}

fn recorded() -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut answer = Answer::default();
    for line in RECORDED.lines() {
        if let Some(words) = line.strip_prefix("$ ") {
            answer = Answer { words: words.to_owned(), ..Answer::default() };
        } else if let Some(words) = line.strip_prefix("stderr: ") {
            answer.stderr += &format!("{words}\n");
        } else if let Some(code) = line.strip_prefix("exit ") {
            answer.code = code.parse().unwrap();
            answers.push(std::mem::take(&mut answer));
        } else {
            answer.stdout += &format!("{line}\n");
        }
    }
    answers
}

#[test]
fn answers_are_those_of_opendnssec() {
    let lab = Lab::start(installation());
    let mut wrong = Vec::new();
    for theirs in recorded() {
        let ours = lab.enforcer(&theirs.words);
        // The recording has no empty lines at the end.
        let is_same = ours.stdout.trim_end_matches('\n') == theirs.stdout.trim_end_matches('\n')
            && ours.code == theirs.code
            && (ours.stderr == theirs.stderr || SAYS_WHY.contains(&theirs.words.as_str()));
        if !is_same {
            let Answer { words, stdout, stderr, code } = theirs;
            wrong.push(format!("{words}: {ours:?}, theirs: {stdout:?} {stderr:?} {code}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    lab.daemon.stop();
}

#[test]
fn lists_have_opendnssecs_columns() {
    let lab = Lab::start(installation());
    let list = lab.done("key list -v -p");
    let fields: Vec<Vec<&str>> = list.lines().map(|line| line.split(';').collect()).collect();
    let [ksk, zsk] = fields.as_slice() else { panic!("{list}") };
    assert_eq!((ksk[1], ksk[2], zsk[1], zsk[2]), ("KSK", "publish", "ZSK", "ready"));
    let (next, id, tag) = (ksk[3], ksk[6], ksk[8]);
    let text = lab.done("key list -t KSK");
    let head = "Keys:\nZone:                           Keytype: State:    ";
    assert_eq!(
        text,
        format!(
            "{head}Date of next transition:\n\
             ods1                            KSK      publish   {next}\n"
        )
    );
    assert_eq!(
        lab.done("key list -v -t KSK -e publish"),
        format!(
            "{head}Date of next transition: Size: Algorithm: CKA_ID:                          \
             Repository: KeyTag:\n\
             ods1                            KSK      publish   {next}      256   13         {id} \
             SoftHSM     {tag}\n"
        )
    );
    assert_eq!(
        lab.done("key list -d -t KSK"),
        format!(
            "Keys:\nZone:                           Key role:     DS:          DNSKEY:      \
             RRSIGDNSKEY: RRSIG:       Pub: Act: Id:\n\
             ods1                            KSK           hidden       rumoured     rumoured     \
             NA           1    1    {id}\n"
        )
    );
    assert_eq!(
        lab.done("key list -f -t KSK"),
        format!(
            "ods1                            KSK      publish   {tag:<5} {id} hidden       \
             rumoured     rumoured     NA           1    1    {next}\n"
        )
    );
    assert_eq!(lab.done("key list -e publish,ready").lines().count(), 4);
    let both = lab.enforcer("key list -p");
    assert_eq!(both.stdout, lab.done("key list"));
    assert_eq!(both.stderr, "-p option only available in combination with -v and -d.\n");
    let exported = lab.done("key export -z ods1 -e publish -t KSK");
    let exported: Vec<&str> = exported.trim_end().split('\t').collect();
    assert_eq!(exported[..4], ["ods1.", "3600", "IN", "DNSKEY"], "{exported:?}");
    assert!(exported[4].starts_with("257 3 13 "), "{exported:?}");
    let ds = lab.done("key export -z ods1 -e publish -t KSK -d");
    let start = format!(";publish KSK DS record (SHA256):\nods1.\t3600\tIN\tDS\t{tag} 13 2 ");
    assert!(ds.starts_with(&start), "{ds}");
    lab.daemon.stop();
}

#[test]
fn time_stands_still_without_permission() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["[STATS]"]);
    let lab = Lab { installation, daemon };
    let refused = lab.enforcer("time leap");
    assert_eq!((refused.stdout.as_str(), refused.code), ("", 1));
    assert!(refused.stderr.contains("--set-time now"), "{refused:?}");
    lab.daemon.stop();
}
