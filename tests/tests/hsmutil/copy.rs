//! `copy` of OpenDNSSEC 2.1.14, which Debian's `ods-hsmutil` does not have yet, and `debug`, which
//! it has. Debian's tool sees what ours has copied.

use crate::bench::{Bench, Result};

#[test]
fn a_copy_is_the_same_key_under_another_id() {
    let bench = Bench::new();
    for (kind, algorithm) in
        [("rsa 2048", 8), ("ecdsa 256", 13), ("ecdsa 384", 14), ("ed25519", 15)]
    {
        // Without public objects of RSA keys, and with them.
        for repository in ["first", "second"] {
            let id = bench.generate(&format!("{repository} {kind}"));
            let copied = bench.ours(&format!("copy {id} C0FFEE"));
            assert_eq!(copied.output, "Key copy successful.\n", "{copied:?}");
            assert_eq!((copied.errors.as_str(), copied.code), ("", Some(0)));
            let dnskey = |id: &str| {
                let shown = bench.ours(&format!("dnskey {id} example.com 257 {algorithm}"));
                assert_eq!(shown.code, Some(0), "{shown:?}");
                shown.output
            };
            assert_eq!(dnskey(&id), dnskey("c0ffee"));
            let theirs = bench.theirs(&format!("list {repository}"));
            assert!(theirs.output.contains("2 keys found."), "{theirs:?}");
            assert!(theirs.output.contains("c0ffee"), "{theirs:?}");
            // Either of the two lives without the other.
            assert_eq!(bench.theirs(&format!("remove {id}")).code, Some(0));
            dnskey("c0ffee");
            assert_eq!(bench.ours("remove c0ffee").code, Some(0));
            assert!(bench.keys().is_empty());
        }
    }
}

#[test]
fn copies_that_cannot_be() {
    let bench = Bench::new();
    let id = bench.generate("second ecdsa 256");
    let other = bench.generate("second rsa 2048");
    for (words, output, reason) in [
        (format!("copy {id} {other}"), "Key copy failed.\n", "exists already; choose a new id"),
        (format!("copy {id} {id}"), "Key copy failed.\n", "exists already; choose a new id"),
        (format!("copy {id} xyz"), "Key copy failed.\n", "\"xyz\" is no key id"),
        ("copy 00 01".to_owned(), "Key not found: 00\n", ""),
        (format!("copy {id}"), "", "usage: "),
        (format!("copy {id} 01 02"), "", "usage: "),
        ("copy".to_owned(), "", "usage: "),
    ] {
        let refused = bench.ours(&words);
        assert_eq!((refused.output.as_str(), refused.code), (output, Some(255)), "{words}");
        assert!(refused.errors.contains(reason), "{words}: {refused:?}");
    }
    assert_eq!(bench.keys().len(), 2);
}

#[test]
fn debug() {
    let bench = Bench::new();
    bench.generate("second ecdsa 256");
    for (words, code) in [
        ("-c conf.xml debug", 0),
        ("-c conf.xml debug more words", 0),
        ("-c conf.xml DEBUG", 0),
        ("-c /nonexistent debug", 255),
    ] {
        let [theirs, ours] = bench.both("ods-hsmutil", words, "");
        assert_eq!(without_numbers(&ours), without_numbers(&theirs), "{words}");
        assert_eq!((ours.code, theirs.code), (Some(code), Some(code)), "{words}");
    }
}

/// The output without addresses and handles, which are any numbers.
fn without_numbers(result: &Result) -> String {
    let word = |word: &str| match word.trim_end_matches(')') {
        hex if hex.starts_with("0x") => "0x".to_owned(),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) => "N".to_owned(),
        _ => word.to_owned(),
    };
    let lines = result.output.split('\n');
    let line = |line: &str| match line.contains("CTX Sessions") {
        true => line.to_owned(),
        false => line.split(' ').map(word).collect::<Vec<_>>().join(" "),
    };
    lines.map(line).collect::<Vec<_>>().join("\n")
}
