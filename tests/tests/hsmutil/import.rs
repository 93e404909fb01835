//! `anchorite hsm import`: keys of BIND and openssl in a built-in token, and files that are none.
//! What each form of file has to be like is tested in `hsm/src/import`; here it is the program.

use crate::bench::Bench;
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
    for (name, flag, role) in [
        ("RSASHA256 -b 2048", "-f KSK ", "ksk"),
        ("ECDSAP256SHA256", "", "zsk"),
        ("ECDSAP384SHA384", "-f KSK ", "csk"),
        ("ED25519", "", "zsk"),
    ] {
        let stem =
            run(bench.folder.path(), &format!("dnssec-keygen -q {flag}-a {name} example.com"));
        let words = format!("hsm import -c conf.xml -r own --role {role} {stem}.private");
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
        assert!(bench.keys().iter().any(|[name, key, _]| name == "own" && key == id));
    }
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
        ("-r first key.pem", "softhsm2-util --import"),
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
