//! The tools on a built-in token, which OpenDNSSEC has not got.

use crate::bench::Bench;

fn with_builtin() -> Bench {
    let bench = Bench::new();
    let folder = bench.path("own");
    bench.write_conf(&format!(
        "<Repository name=\"own\"><BuiltIn/><TokenLabel>Own</TokenLabel><PIN>1234</PIN>\
         <Directory>{}</Directory></Repository>",
        folder.display()
    ));
    bench
}

#[test]
fn a_tour() {
    let bench = with_builtin();
    let missing = bench.ours("list own");
    assert_eq!(missing.code, Some(255), "{missing:?}");
    assert!(!bench.path("own").exists(), "a look makes no token");
    let ids = ["rsa 2048", "ecdsa 256", "ecdsa 384", "ed25519"]
        .map(|kind| bench.generate(&format!("own {kind}")));
    let mut kinds: Vec<_> = bench.keys().into_iter().map(|[_, _, kind]| kind).collect();
    kinds.sort();
    assert_eq!(kinds, ["ECDSA/256", "ECDSA/384", "EDDSA/255", "RSA/2048"]);
    for (id, algorithm) in ids.iter().zip(["8", "13", "14", "15"]) {
        let record = bench.ours(&format!("dnskey {id} example.com 257 {algorithm}"));
        assert_eq!(record.code, Some(0), "{record:?}");
        let begin = format!("example.com.\t3600\tIN\tDNSKEY\t257 3 {algorithm} ");
        assert!(record.output.starts_with(&begin), "{record:?}");
    }
    let other = bench.ours(&format!("dnskey {} example.com 257 10", ids[0]));
    assert_eq!((other.output.as_str(), other.code), ("", Some(255)), "made for 8: {other:?}");
    let tested = bench.ours("test own");
    assert_eq!(tested.code, Some(0), "{tested:?}");
    let info = bench.ours("info");
    assert!(info.output.starts_with("Repository: own\n\tModule:        built-in, "), "{info:?}");
    let speed = bench.anchorite("hsmspeed -c conf.xml -r own -s 2048 -i 3", "");
    assert_eq!(speed.code, Some(0), "{speed:?}");
    assert_eq!(bench.ours(&format!("remove {}", ids[0])).code, Some(0));
    assert_eq!(bench.ours("-f purge own").code, Some(0));
    assert_eq!(bench.ours("list").code, Some(255));
}

#[test]
fn keys_that_it_does_not_make() {
    let bench = with_builtin();
    let refused = bench.ours("generate own rsa 2560");
    assert_eq!(refused.code, Some(255));
    assert!(refused.errors.contains("2048, 3072 and 4096"), "{refused:?}");
    let speed = bench.anchorite("hsmspeed -c conf.xml -r own -s 1024", "");
    assert_eq!((speed.output.as_str(), speed.code), ("", Some(255)), "{speed:?}");
}

#[test]
fn the_test_of_tokens_skips_what_is_no_question_here() {
    let bench = with_builtin();
    let kept = bench.generate("own ecdsa 256");
    let report = bench.anchorite("hsm test -c conf.xml --repository own --destructive", "");
    assert_eq!(report.code, Some(0), "{report:?}");
    assert!(report.output.contains("\nSKIPPED  two processes at once"), "{report:?}");
    assert!(report.output.ends_with(" 0 FAIL, 3 SKIPPED\n"), "{report:?}");
    let keys = bench.keys();
    assert_eq!((keys.len(), &keys[0][1]), (1, &kept));
}
