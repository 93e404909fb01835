//! `anchorite hsm import`: keys of BIND and openssl in a built-in token and in SoftHSM, and files
//! that are none.
//! What each form of file has to be like is tested in `hsm/src/import`; here it is the program.

use crate::bench::Bench;
use dnssec::Algorithm;
use dnssec::key::{PublicKey, dnskey_rdata, key_tag};
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

fn with_builtin() -> Bench {
    let bench = Bench::new();
    let own = format!(
        "<RepositoryList><Repository name=\"own\"><BuiltIn/><TokenLabel>Own</TokenLabel>\
         <PIN>1234</PIN><Directory>{}</Directory></Repository>",
        bench.path("own").display()
    );
    bench.write_variant("conf.xml", "<RepositoryList>", &own);
    bench
}

fn run(folder: &Path, line: &str) -> String {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    let output = command.args(words).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{line}: {error}; run cargo xtask setup"));
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The text without white space, which separates parts of a key.
fn dense(record: &str) -> String {
    let (_, data) = record.split_once("DNSKEY").unwrap();
    data.split_whitespace().collect()
}

#[test]
fn keys_of_bind_have_the_same_dnskey_here() {
    let bench = with_builtin();
    let kinds = [
        ("RSASHA256 -b 2048", "-f KSK ", "ksk"),
        ("RSASHA512 -b 3072", "", "zsk"),
        ("ECDSAP256SHA256", "", "zsk"),
        ("ECDSAP384SHA384", "-f KSK ", "csk"),
        ("ED25519", "", "zsk"),
    ];
    // The built-in token; SoftHSM without and with public objects.
    let all = ["own", "first", "second"].map(|repository| kinds.map(|kind| (repository, kind)));
    for (repository, (name, flag, role)) in all.concat() {
        let stem =
            run(bench.folder.path(), &format!("dnssec-keygen -q {flag}-a {name} example.com"));
        let words = format!("hsm import -c conf.xml -r {repository} --role {role} {stem}.private");
        let taken = bench.anchorite(&words, "");
        assert_eq!(taken.code, Some(0), "{taken:?}");
        let lines: Vec<_> = taken.output.lines().collect();
        let id = lines[0].strip_prefix("Key import successful: ").unwrap();
        let tag = stem.rsplit('+').next().unwrap().trim_start_matches('0');
        assert!(lines[1].starts_with(&role.to_uppercase()), "{taken:?}");
        assert!(lines[1].ends_with(&format!(", key tag {tag}")), "{taken:?}, {stem}");
        assert!(lines[2].starts_with("example.com.\t3600\tIN\tDNSKEY\t"), "{taken:?}");
        let record = std::fs::read_to_string(bench.path(&format!("{stem}.key"))).unwrap();
        let record = record.lines().find(|line| !line.starts_with(';')).unwrap();
        assert_eq!(dense(lines[2]), dense(record));
        assert!(bench.keys().iter().any(|[name, key, _]| name == repository && key == id));
        // What the token itself shows of it, and it signs to prove that.
        let (flags, number) = (if role == "zsk" { 256 } else { 257 }, number_of(name));
        let shown = bench.ours(&format!("dnskey {id} example.com {flags} {number}"));
        let (shown, _) = shown.output.split_once(" ;").unwrap();
        assert_eq!(dense(shown), dense(record));
    }
    let theirs = bench.theirs("list");
    assert!(theirs.output.contains("10 keys found."), "{theirs:?}");
}

/// The number of an algorithm of `dnssec-keygen`.
fn number_of(name: &str) -> u8 {
    match name.split(' ').next().unwrap() {
        "RSASHA256" => 8,
        "RSASHA512" => 10,
        "ECDSAP256SHA256" => 13,
        "ECDSAP384SHA384" => 14,
        "ED25519" => 15,
        other => panic!("{other}"),
    }
}

#[test]
fn the_same_key_and_the_same_tag_are_refused() {
    let bench = with_builtin();
    let folder = bench.folder.path();
    for repository in ["own", "first", "second"] {
        let stem = run(folder, "dnssec-keygen -q -a ED25519 example.com");
        let import = |words: &str| {
            let words = format!("hsm import -c conf.xml -r {repository} --role {words}");
            bench.anchorite(&words, "")
        };
        let taken = import(&format!("zsk {stem}.private"));
        assert_eq!(taken.code, Some(0), "{taken:?}");
        let again = import(&format!("zsk --id 99 {stem}.private"));
        assert!(again.errors.contains("has this very key already, under the id"), "{again:?}");
        assert_eq!((again.output.as_str(), again.code), ("", Some(1)));
    }
    let [one, two] = keys_of_one_tag();
    std::fs::write(bench.path("one.der"), one).unwrap();
    std::fs::write(bench.path("two.der"), two).unwrap();
    for repository in ["own", "first", "second"] {
        let import = |words: &str| {
            let words = format!("hsm import -c conf.xml -r {repository} --role {words}");
            bench.anchorite(&words, "")
        };
        assert_eq!(import("zsk --id 01 one.der").code, Some(0));
        let refused = import("zsk two.der");
        assert!(refused.errors.contains("already, as a ZSK: 01"), "{refused:?}");
        assert!(refused.errors.contains("say --same-tag"), "{refused:?}");
        assert_eq!((refused.output.as_str(), refused.code), ("", Some(1)));
        assert_eq!(import("zsk --same-tag two.der").code, Some(0));
    }
}

/// Two Ed25519 keys as PKCS#8 (RFC 8410 §7) that have one key tag as ZSKs.
fn keys_of_one_tag() -> [Vec<u8>; 2] {
    let mut seen: HashMap<u16, Vec<u8>> = HashMap::new();
    for number in 0_u16.. {
        let mut seed = [7; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let (algorithm, bytes) = (Algorithm::Ed25519, pair.public_key().as_ref().to_vec());
        let tag = key_tag(&dnskey_rdata(256, &PublicKey { algorithm, bytes })).0;
        let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let key = [head.as_slice(), &seed].concat();
        if let Some(other) = seen.insert(tag, key.clone()) {
            return [other, key];
        }
    }
    unreachable!("there are 65536 tags, and as many keys were tried")
}

#[test]
fn ids_and_algorithms_are_as_told() {
    let bench = with_builtin();
    run(bench.folder.path(), "openssl genpkey -algorithm RSA -out key.pem");
    let import = |words: &str| {
        bench.anchorite(&format!("hsm import -c conf.xml -r own --role zsk {words} key.pem"), "")
    };
    let needed = import("");
    assert!(needed.errors.contains("say which, as a number: 8 or 10"), "{needed:?}");
    let taken = import("--algorithm 10 --id C0ffee");
    assert!(taken.output.starts_with("Key import successful: c0ffee\nZSK, RSASHA512, 2048 bits"));
    run(bench.folder.path(), "openssl genpkey -algorithm RSA -out key.pem");
    let again = import("--algorithm 10 --id c0ffee");
    assert!(again.errors.contains("a key with the id c0ffee exists already"), "{again:?}");
    assert_eq!((needed.code, again.code), (Some(1), Some(1)));
    assert_eq!(bench.keys().len(), 1);
}

#[test]
fn files_that_are_no_keys_and_other_bad_input() {
    let bench = with_builtin();
    let folder = bench.folder.path();
    run(folder, "openssl genpkey -algorithm ED25519 -out key.pem");
    run(folder, "openssl pkcs8 -topk8 -in key.pem -passout pass:x -out secret.pem");
    std::fs::write(bench.path("long.pem"), vec![b'x'; 70_000]).unwrap();
    std::fs::write(bench.path("empty.pem"), "").unwrap();
    std::fs::write(bench.path("K.private"), "Private-key-format: v1.3\nAlgorithm: 3 (DSA)\n")
        .unwrap();
    for (words, reason) in [
        ("-r own none.pem", "cannot read none.pem"),
        ("-r own .", "it is no regular file"),
        ("-r own /dev/zero", "it is no regular file"),
        ("-r own long.pem", "more than 65536 bytes"),
        ("-r own empty.pem", "no private key in a known form"),
        ("-r own conf.xml", "no private key in a known form"),
        ("-r own K.private", "the file is for algorithm 3 (DSA)"),
        ("-r own secret.pem", "the key is encrypted"),
        ("-r own -a 13 key.pem", "an Ed25519 key, which is no key for ECDSAP256SHA256"),
        ("-r own -a 99 key.pem", "99 is no algorithm"),
        ("-r own --id xyz key.pem", "is no key id"),
        ("-r own --id= key.pem", "is no key id"),
        ("-r nope key.pem", "Can't find repository: nope"),
    ] {
        let refused = bench.anchorite(&format!("hsm import -c conf.xml --role zsk {words}"), "");
        assert!(refused.errors.contains(reason), "{words}: {refused:?}");
        assert_eq!((refused.output.as_str(), refused.code), ("", Some(1)), "{words}");
    }
    for words in
        ["-r own key.pem", "-r own --role x key.pem", "--role zsk key.pem", "-r own --role zsk"]
    {
        let refused = bench.anchorite(&format!("hsm import -c conf.xml {words}"), "");
        assert_eq!(refused.code, Some(2), "{words}: {refused:?}");
    }
    assert!(bench.keys().is_empty());
}
