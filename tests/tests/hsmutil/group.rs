//! The tools on a repository group of two SoftHSM tokens: what OpenDNSSEC's lines become, and the
//! line for each member.

use crate::bench::{Bench, Result};
use std::process::Command;

/// `pair` is the group of both repositories, whose keys may be extracted.
fn pair() -> Bench {
    let bench = Bench::new();
    let text = std::fs::read_to_string(bench.path("conf.xml")).unwrap();
    let text = text
        .replace("<SkipPublicKey/>", "<SkipPublicKey/><AllowExtraction/>")
        .replace("<PIN>1234</PIN></Repository>", "<PIN>1234</PIN><AllowExtraction/></Repository>")
        .replace(
            "</RepositoryList>",
            "<RepositoryGroup name=\"pair\"><Member>first</Member><Member>second</Member>\
             </RepositoryGroup></RepositoryList>",
        );
    std::fs::write(bench.path("conf.xml"), text).unwrap();
    bench
}

/// Rows of `list pair`: id and who has it.
fn rows(bench: &Bench) -> Vec<(String, String)> {
    let listed = bench.ours("list pair");
    let rows = listed.output.lines().skip_while(|line| !line.starts_with("-----")).skip(1);
    let row = |line: &str| {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("pair"), "{line}");
        let id = words.next().unwrap().to_owned();
        words.next();
        (id, words.collect::<Vec<_>>().join(" "))
    };
    rows.map(row).collect()
}

#[track_caller]
fn check(result: &Result, output: &str, code: i32) {
    assert_eq!((result.output.as_str(), result.code), (output, Some(code)), "{result:?}");
}

/// Id of the key that `generate` has made.
fn made(result: &Result) -> String {
    let line = result.output.lines().find(|line| line.starts_with("Key generation successful: "));
    line.unwrap_or_else(|| panic!("{result:?}")).rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_new_key_gets_into_both_and_goes_out_of_both() {
    let bench = pair();
    for (kind, name) in [
        ("ecdsa 256", "a P-256 ECDSA key"),
        ("ecdsa 384", "a P-384 ECDSA key"),
        ("rsa 2048", "2048 bit RSA key"),
    ] {
        let result = bench.ours(&format!("generate pair {kind}"));
        let id = made(&result);
        check(
            &result,
            &format!(
                "Generating {name} in repository: pair\nKey generation successful: {id}\n\
                 \tfirst: made\n\tsecond: has it too\n"
            ),
            0,
        );
        assert_eq!(rows(&bench), [(id.clone(), "first, second".to_owned())]);
        // Debian's tool knows no groups, and sees both.
        bench.write_variant(
            "theirs.xml",
            "<RepositoryGroup name=\"pair\"><Member>first</Member>\
            <Member>second</Member></RepositoryGroup>",
            "",
        );
        let [theirs, _] = bench.both("ods-hsmutil", "-c theirs.xml list", "");
        assert_eq!(theirs.output.matches(&id).count(), 2, "{theirs:?}");
        let copied = bench.ours(&format!("copy {id} c0ffee"));
        check(&copied, "Key copy successful.\n\tfirst: copied\n\tsecond: copied\n", 0);
        let removed = bench.ours(&format!("remove {id}"));
        check(&removed, "Key remove successful.\n\tfirst: removed\n\tsecond: removed\n", 0);
        let removed = bench.ours("remove c0ffee");
        check(&removed, "Key remove successful.\n\tfirst: removed\n\tsecond: removed\n", 0);
        assert!(bench.keys().is_empty());
    }
}

#[test]
fn a_key_that_must_not_leave_its_token_is_in_one_member_only() {
    let bench = pair();
    bench.write_variant("closed.xml", "<AllowExtraction/>", "");
    let result = bench.anchorite("hsmutil -c closed.xml generate pair ecdsa 256", "");
    let id = made(&result);
    let line = "\tsecond: lacks it: keys must not leave first, which has no <AllowExtraction/>\n";
    assert!(result.output.ends_with(line), "{result:?}");
    assert_eq!(result.code, Some(1), "one member lacks it");
    assert_eq!(rows(&bench), [(id.clone(), "first; not in second".to_owned())]);
    let info = bench.ours("info");
    let end = format!(
        "\nRepository group: pair\n\tMembers:       first, second\n\tQuorum:        2\n\
         \tKeys:          0 of 1 in all members\n\t\t{id}: first; not in second\n"
    );
    assert!(info.output.ends_with(&end), "{info:?}");
    // The token itself keeps what was made to stay there.
    let refused = bench.anchorite("hsm replicate -c conf.xml -r pair", "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.output.contains("\tsecond: lacks it: repository first"), "{refused:?}");
    assert!(refused.output.ends_with("0 in all members, 1 not\n"), "{refused:?}");
    let removed = bench.ours(&format!("remove {id}"));
    check(&removed, "Key remove successful.\n\tfirst: removed\n\tsecond: had no such key\n", 0);
}

#[test]
fn keys_are_replicated_to_members_that_lack_them() {
    let bench = pair();
    let one = bench.generate("first ecdsa 256");
    let two = bench.generate("second rsa 2048");
    let done = bench.anchorite("hsm replicate -c conf.xml -r pair", "");
    assert_eq!(done.code, Some(0), "{done:?}");
    for line in [
        "2 keys in repository group pair\n".to_owned(),
        format!("{one}: first; not in second\n\tsecond: taken from first\n"),
        format!("{two}: second; not in first\n\tfirst: taken from second\n"),
        "2 in all members, 0 not\n".to_owned(),
    ] {
        assert!(done.output.contains(&line), "{line}: {done:?}");
    }
    assert!(rows(&bench).iter().all(|(_, holders)| holders == "first, second"));
    let again = bench.anchorite("hsm replicate -c conf.xml -r pair", "");
    check(&again, "2 keys in repository group pair\n2 in all members, 0 not\n", 0);
    let none = bench.anchorite("hsm replicate -c conf.xml -r first", "");
    assert!(none.errors.contains("first is a repository, not a repository group"), "{none:?}");
    let unknown = bench.anchorite("hsm replicate -c conf.xml -r nope", "");
    assert!(unknown.errors.contains("Can't find repository: nope"), "{unknown:?}");
    assert_eq!((none.code, unknown.code), (Some(1), Some(1)));
}

#[test]
fn a_file_goes_into_every_member_or_into_none() {
    let bench = pair();
    let openssl = |name: &str| {
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", "ED25519", "-out", name]);
        assert!(command.current_dir(bench.folder.path()).output().unwrap().status.success());
    };
    openssl("one.pem");
    openssl("two.pem");
    let import =
        |words: &str| bench.anchorite(&format!("hsm import -c conf.xml --role zsk {words}"), "");
    let taken = import("-r pair --id 0a one.pem");
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert!(taken.output.ends_with("\n\tfirst: taken\n\tsecond: taken\n"), "{taken:?}");
    assert_eq!(rows(&bench), [("0a".to_owned(), "first, second".to_owned())]);
    // The second member knows the id as that of another key.
    assert_eq!(import("-r second --id 0b two.pem").code, Some(0));
    openssl("three.pem");
    let refused = import("-r pair --id 0b three.pem");
    assert_eq!((refused.output.as_str(), refused.code), ("", Some(1)));
    for words in ["repository second", "exists already", "first: taken, and removed again"] {
        assert!(refused.errors.contains(words), "{words}: {refused:?}");
    }
    assert_eq!(rows(&bench)[1], ("0b".to_owned(), "second; not in first".to_owned()));
    // The very key under another id.
    let refused = import("-r pair --id 0c two.pem");
    assert!(refused.errors.contains("repository second has this very key already"), "{refused:?}");
    // Two members with two keys for one id: nobody here may say which is right.
    assert_eq!(import("-r first --id 0b three.pem").code, Some(0));
    assert_eq!(rows(&bench)[1].1, "first, second: DIFFERENT KEYS");
    let torn = bench.anchorite("hsm replicate -c conf.xml -r pair", "");
    assert!(torn.output.contains("nothing is done: find out which"), "{torn:?}");
    assert_eq!(torn.code, Some(1));
    let test = bench.anchorite("hsm test -c conf.xml -r pair", "");
    assert!(test.output.contains("FAIL     members hold the same keys"), "{test:?}");
    assert!(test.output.contains("0b: first, second: DIFFERENT KEYS"), "{test:?}");
    assert_eq!(test.code, Some(1));
}

#[test]
fn the_other_commands_know_the_group() {
    let bench = pair();
    bench.generate("first ecdsa 256");
    assert_eq!(made(&bench.ours("generate pair ecdsa 256")).len(), 32);
    let kept = bench.ours("purge pair");
    assert!(kept.output.ends_with("\npurge cancelled.\n"), "{kept:?}");
    let purged = bench.ours("-f purge pair");
    assert_eq!(purged.code, Some(0), "{purged:?}");
    assert!(purged.output.starts_with("Purging all keys from repository: pair\n2 keys found.\n"));
    assert_eq!(purged.output.matches("\tfirst: removed\n").count(), 2, "{purged:?}");
    assert_eq!(purged.output.matches("\tsecond: had no such key\n").count(), 1, "{purged:?}");
    assert!(bench.keys().is_empty());
    let tested = bench.ours("test pair");
    assert_eq!(tested.code, Some(0), "{tested:?}");
    for member in ["first", "second"] {
        let begin = format!("Testing repository: {member}\n\n");
        assert_eq!(tested.output.matches(&begin).count(), 1, "{tested:?}");
    }
    let speed = bench.anchorite("hsmspeed -c conf.xml -r pair", "");
    assert!(speed.errors.contains("name one of its members: first, second"), "{speed:?}");
}

/// A member that does not open is named, and nothing is begun without it.
#[test]
fn with_a_member_that_is_away_nothing_is_made_or_removed() {
    let bench = pair();
    let id = made(&bench.ours("generate pair ecdsa 256"));
    bench.write_variant("away.xml", "<TokenLabel>Second<", "<TokenLabel>Third<");
    let away = |words: &str| bench.anchorite(&format!("hsmutil -c away.xml {words}"), "");
    let listed = away("list pair");
    assert!(listed.output.contains(&format!("{id}  ECDSA/256   first\n")), "{listed:?}");
    assert!(listed.errors.contains("member second of pair: "), "{listed:?}");
    assert!(listed.errors.contains("no such token; labels seen"), "{listed:?}");
    assert_eq!(listed.code, Some(255));
    for words in ["generate pair ecdsa 256", "-f purge pair"] {
        let refused = away(words);
        assert_eq!(refused.code, Some(255), "{words}: {refused:?}");
        assert!(refused.errors.contains("repository second"), "{words}: {refused:?}");
    }
    assert_eq!(bench.keys().len(), 2, "as before");
}
