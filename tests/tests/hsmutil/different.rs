//! What is deliberately not as OpenDNSSEC has it; each is in `docs/src/differences.md`.

use crate::bench::Bench;

#[test]
fn new_keys_are_such_that_somebody_may_use() {
    let bench = Bench::new();
    let made = bench.ours("generate second rsa");
    assert!(made.output.starts_with("Generating 2048 bit RSA key in"), "{made:?}");
    for (words, reason) in [
        ("rsa 1024", "2048 to 4096 bits"),
        ("rsa 512", "2048 to 4096 bits"),
        ("rsa 5000", "2048 to 4096 bits"),
        ("rsa 99999999", "2048 to 4096 bits"),
        ("dsa 1024", "RFC 8624"),
        ("gost", "RFC 9906"),
    ] {
        let refused = bench.ours(&format!("generate second {words}"));
        assert!(refused.output.ends_with("Key generation failed.\n"), "{words}: {refused:?}");
        assert!(refused.errors.contains(reason), "{words}: {refused:?}");
        assert_eq!(refused.code, Some(255));
    }
    assert_eq!(bench.keys().len(), 1);
}

/// OpenDNSSEC makes such keys; they are shown, but not used.
#[test]
fn keys_that_cannot_be_used_are_listed_as_unknown() {
    let bench = Bench::new();
    let made = bench.theirs("generate second dsa 1024");
    assert_eq!(made.code, Some(0), "{made:?}");
    let keys = bench.keys();
    assert_eq!(keys[0][2], "UNKNOWN", "{keys:?}");
    let id = &keys[0][1];
    let refused = bench.ours(&format!("dnskey {id} example.com 257 8"));
    assert_eq!(refused.output, "Not an RSA key, the key is of algorithm UNKNOWN.\n");
    assert_eq!(refused.code, Some(255));
    assert_eq!(bench.ours(&format!("remove {id}")).code, Some(0));
}

#[test]
fn dnskey_of_what_nobody_may_publish() {
    let bench = Bench::new();
    let id = bench.generate("second rsa 2048");
    let refused = bench.ours(&format!("dnskey {id} example.com 257 1"));
    assert_eq!((refused.output.as_str(), refused.code), ("Invalid algorithm: 1\n", Some(255)));
    // Theirs is aborted by an assertion.
    let refused = bench.ours(&format!("dnskey {id} example..com 257 8"));
    assert_eq!(
        (refused.output.as_str(), refused.code),
        ("Invalid name: example..com\n", Some(255))
    );
}

#[test]
fn purge_wants_the_whole_word() {
    let bench = Bench::new();
    bench.generate("second ecdsa 256");
    for input in ["yesterday\n", "yes, but not now\n", "YESYESYESYESYESYESYES\n"] {
        let kept = bench.anchorite("hsmutil -c conf.xml purge second", input);
        assert_eq!(kept.code, Some(255), "{input}: {kept:?}");
    }
    assert_eq!(bench.keys().len(), 1);
}

#[test]
fn a_repository_that_is_not_asked_for_is_not_opened() {
    let bench = Bench::new();
    bench.write_variant("label.xml", "<TokenLabel>Second<", "<TokenLabel>Third<");
    for words in ["list first", "generate first ecdsa 256", "-f purge first"] {
        let ours = bench.anchorite(&format!("hsmutil -c label.xml {words}"), "");
        assert_eq!(ours.code, Some(0), "{ours:?}");
    }
}

#[test]
fn a_test_leaves_no_keys() {
    let bench = Bench::new();
    let before = bench.generate("second ecdsa 256");
    assert_eq!(bench.ours("test second").code, Some(0));
    assert_eq!(bench.keys().len(), 1);
    assert_eq!(bench.keys()[0][1], before);
    // Theirs forgets the two keys on curves, and counts what it cannot make as failures.
    assert_eq!(bench.theirs("test second").code, Some(3));
    assert_eq!(bench.keys().len(), 3);
}
