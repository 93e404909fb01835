//! What both sides say alike, byte for byte but for key ids and rates.

use crate::bench::Bench;
use anchorite_tests::program::anchorite;
use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn commands_that_find_nothing() {
    let bench = Bench::new();
    for words in [
        "list",
        "list first",
        "LIST second extra",
        "list nope",
        "info",
        "login",
        "remove 00",
        "remove zz",
        "remove ''",
        "purge first",
        "-f purge first",
        "purge nope",
        "generate nope rsa 2048",
        "dnskey 00 example.com 256 8",
        "test nope",
    ] {
        bench.check_same(&format!("-c conf.xml {words}"), "");
    }
    bench.check_same("list -c conf.xml first", "");
    bench.check_same("-cconf.xml -- list first", "");
}

#[test]
fn wrong_words() {
    let bench = Bench::new();
    for words in [
        "",
        "-x",
        "-c",
        "-h -x",
        "-x -h",
        "-V",
        "-c conf.xml bogus",
        "-c conf.xml generate",
        "-c conf.xml generate first",
        "-c conf.xml generate first rsa 2048 more",
        "-c conf.xml remove",
        "-c conf.xml remove 00 11",
        "-c conf.xml purge",
        "-c conf.xml purge first second",
        "-c conf.xml dnskey",
        "-c conf.xml dnskey 00 example.com 256",
        "-c conf.xml test",
        "-c conf.xml generate first foo",
        "-c conf.xml generate first rsa x",
        "-c conf.xml generate first rsa -1",
        "-c conf.xml generate first gost",
        "-c conf.xml generate first ecdsa 99",
        "-c conf.xml generate first ecdsa x",
        "-c /nonexistent list",
        "-c /etc list",
        "logout",
        "-c /nonexistent logout",
    ] {
        let ours = bench.check_same(words, "");
        assert!(!ours.errors.contains("panicked"), "{words}: {ours:?}");
    }
}

#[test]
fn tokens_that_do_not_open() {
    let bench = Bench::new();
    bench.write_variant("pin.xml", "<PIN>1234<", "<PIN>9999<");
    bench.write_variant("label.xml", "<TokenLabel>Second<", "<TokenLabel>Third<");
    bench.write_variant("module.xml", "libsofthsm2.so<", "libnone.so<");
    bench.write_variant("broken.xml", "</RepositoryList>", "");
    bench.write_variant("none.xml", "<RepositoryList>", "<RepositoryList/><!--");
    for (conf, line) in [
        ("pin.xml", "hsm_session_init(): Incorrect PIN for repository second"),
        ("label.xml", "hsm_get_slot_id(): could not find token with the name Third"),
        ("module.xml", "hsm_session_init(): PKCS#11 module load failed: "),
        ("broken.xml", "hsm_open2(): No repositories found"),
    ] {
        for command in ["list second", "login", "info", "purge second", "dnskey 00 a. 256 8"] {
            let ours = bench.check_same(&format!("-c {conf} {command}"), "");
            assert!(ours.errors.contains(line), "{conf} {command}: {ours:?}");
            assert_eq!(ours.code, Some(255));
        }
    }
}

#[test]
fn generate_list_and_remove() {
    let bench = Bench::new();
    for words in ["first rsa 2048", "second RSA 3072", "first ecdsa 256", "second ECDSA 384"] {
        let [theirs, ours] =
            bench.both("ods-hsmutil", &format!("-c conf.xml generate {words}"), "");
        assert_eq!((ours.normalised(), ours.code), (theirs.normalised(), theirs.code), "{words}");
        assert_eq!(ours.code, Some(0), "{ours:?}");
    }
    bench.generate("first ed25519");
    bench.check_same_keys("-c conf.xml list", "");
    bench.check_same_keys("-c conf.xml list first", "");
    let keys = bench.keys();
    assert_eq!(keys.len(), 9);
    assert!(keys.iter().any(|[_, _, kind]| kind == "EDDSA/255"), "{keys:?}");
    assert_eq!(keys[0][0], "second", "the last of conf.xml comes first, as theirs does");
    // Whoever made a key, the other can remove it.
    for (number, [_, id, _]) in keys.iter().enumerate() {
        let words = format!("remove {id}");
        let removed = if number % 2 == 0 { bench.theirs(&words) } else { bench.ours(&words) };
        assert_eq!((removed.output.as_str(), removed.code), ("Key remove successful.\n", Some(0)));
        bench.check_same(&format!("-c conf.xml remove {id}"), "");
    }
    assert!(bench.keys().is_empty());
}

#[test]
fn dnskey() {
    let bench = Bench::new();
    let kinds = ["rsa 2048", "ecdsa 256", "ecdsa 384", "ed25519"];
    for id in kinds.map(|kind| bench.generate(&format!("second {kind}"))) {
        for algorithm in ["3", "5", "6", "7", "8", "10", "12", "13", "14", "15", "99", "x"] {
            bench.check_same(&format!("-c conf.xml dnskey {id} example.com 257 {algorithm}"), "");
        }
        for rest in [
            "Ex.Ample.COM. 256 8",
            ". 257 13",
            "ex\\097mple.com 257 14",
            "example.com 255 8",
            "example.com x 8",
            "example.com 257 16",
        ] {
            bench.check_same(&format!("-c conf.xml dnskey {id} {rest}"), "");
        }
        bench.check_same(&format!("-c conf.xml dnskey {} . 256 8", id.to_uppercase()), "");
        bench.check_same(&format!("-c conf.xml dnskey {id}0 . 256 8"), "");
    }
    // With <SkipPublicKey/> only the private object has the numbers.
    let id = bench.generate("first rsa 2048");
    bench.check_same(&format!("-c conf.xml dnskey {id} example.com 257 8"), "");
}

#[test]
fn purge_asks_first() {
    let bench = Bench::new();
    bench.generate("first ecdsa 256");
    for input in ["", "\n", "no\n", "NO\n", "y\n", "ye\n"] {
        let ours = bench.check_same("-c conf.xml purge first", input);
        assert!(ours.output.ends_with("\npurge cancelled.\n"), "{ours:?}");
        assert_eq!(ours.code, Some(255));
    }
    assert_eq!(bench.keys().len(), 1);
    for (words, input) in [("purge first", "YES\n"), ("purge first", "yes"), ("-f purge first", "")]
    {
        let purge = |is_ours: bool| {
            bench.ours("-f purge first");
            let kept = bench.generate("second ecdsa 256");
            bench.generate("first ecdsa 256");
            bench.generate("first rsa 2048");
            let both = bench.both("ods-hsmutil", "-V", "");
            assert_eq!(both[0].code, Some(0));
            let words = format!("-c conf.xml {words}");
            let result = match is_ours {
                true => bench.anchorite(&format!("hsmutil {words}"), input),
                false => bench.their_purge(&words, input),
            };
            assert!(bench.keys().iter().all(|[repository, _, _]| repository == "second"));
            assert!(bench.keys().iter().any(|[_, id, _]| *id == kept));
            result
        };
        let (theirs, ours) = (purge(false), purge(true));
        assert_eq!((ours.normalised(), ours.code), (theirs.normalised(), theirs.code), "{words}");
        assert_eq!(ours.code, Some(0));
    }
}

#[test]
fn test_of_what_both_make() {
    let bench = Bench::new();
    let [theirs, ours] = bench.both("ods-hsmutil", "-c conf.xml test second", "");
    let (theirs, lines) = (theirs.normalised(), ours.normalised());
    assert!(lines.starts_with("Testing repository: second\n\n"), "{lines}");
    for bits in ["1024", "1536", "2048", "4096"] {
        let begin = format!("Generating {bits}-bit RSA key... ");
        let block = |text: &str| {
            let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{bits}: {text}"));
            rest.split_once("\n\n").unwrap().0.to_owned()
        };
        assert_eq!(block(&lines), block(&theirs), "{bits}");
    }
    assert_eq!(ours.code, Some(0), "{ours:?}");
    let ended = "Signing with key... OK\nDeleting key... OK\n\nGenerating ED448 key... Skipped\n\n";
    assert!(lines.ends_with(ended), "{lines}");
}

#[test]
fn speed() {
    let bench = Bench::new();
    for words in [
        "-c conf.xml -r second",
        "-c conf.xml -r first -i 7 -s 2048 -t 3",
        "-c conf.xml -r second -i 0 -t 1",
        "-c conf.xml -r second -i x",
        "-c conf.xml -r second more words",
        "-c conf.xml -r nope",
        "-c conf.xml -r second -s 100",
        "-c /nonexistent -r second",
        "-c conf.xml",
        "-r",
        "-x",
    ] {
        let [theirs, ours] = bench.both("ods-hsmspeed", words, "");
        assert_eq!((ours.normalised(), ours.code), (theirs.normalised(), theirs.code), "{words}");
    }
    let ours = bench.anchorite("hsmspeed -c conf.xml -r second -a 13 -i 5 -t 2", "");
    assert_eq!(
        ours.normalised(),
        "2 threads, 5 signatures per thread, RATE sig/s (ECDSAP256SHA256 256 bits)\n"
    );
    assert_eq!(bench.anchorite("hsmspeed -c conf.xml -r second -a 99", "").code, Some(1));
    assert!(bench.keys().is_empty(), "the temporary keys were removed");
}

#[test]
fn tools_answer_to_their_names() {
    for name in ["ods-hsmutil", "ods-hsmspeed"] {
        let short = name.strip_prefix("ods-").unwrap();
        let outputs = [(name, None), ("anchorite", Some(name)), ("anchorite", Some(short))];
        for (program, word) in outputs {
            let mut command = Command::new(anchorite());
            let output = command.arg0(program).args(word).arg("-x").output().unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            let usage = format!("{name}: invalid option -- 'x'\nusage: {name} [-c config]");
            assert!(errors.starts_with(&usage), "{program} {word:?}: {errors}");
            assert_eq!(output.status.code(), Some(1));
        }
    }
}
