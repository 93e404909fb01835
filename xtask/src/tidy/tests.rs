//! Each rule of tidy against a sample that breaks it, and one that does not.

use std::path::Path;

use super::files::TextFile;
use super::{Finding, Severity, code_view, dependencies, files, links, source};
use crate::workspace::{Dependency, Package};

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.into(), text: text.into() }
}

/// Lines of the errors in a Rust file that begins with a head; line 1 is the head.
#[track_caller]
fn check_source(path: &str, body: &str, expected_lines: &[usize]) {
    let findings = source::check(&file(path, &format!("//! Head.\n{body}")));
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    let lines: Vec<usize> = errors.map(|f| f.line).collect();
    assert_eq!(lines, expected_lines, "{findings:?}");
}

#[test]
fn head_is_required() {
    assert_eq!(source::check(&file("dnssec/src/a.rs", "fn a() {}\n")).len(), 1);
    check_source("dnssec/src/a.rs", "fn a() {}\n", &[]);
}

#[test]
fn long_files_warn_then_fail() {
    let severities = |path: &str, lines: usize| -> Vec<Severity> {
        let text = "//! Head.\n".repeat(lines);
        source::check(&file(path, &text)).iter().map(|f| f.severity).collect()
    };
    assert_eq!(severities("dnssec/src/a.rs", 600), []);
    assert_eq!(severities("dnssec/src/a.rs", 601), [Severity::Warning]);
    assert_eq!(severities("dnssec/src/a.rs", 801), [Severity::Error]);
    assert_eq!(severities("dnssec/src/tests.rs", 801), [Severity::Warning]);
    let with_tests = format!("//! Head.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(900));
    assert_eq!(source::check(&file("dnssec/src/a.rs", &with_tests)), []);
}

#[test]
fn long_lines_fail() {
    check_source("dnssec/src/a.rs", &format!("// {}\n", "xä ".repeat(33)), &[2]);
    check_source("dnssec/src/a.rs", &format!("// {}\n", "xä ".repeat(32)), &[]);
    check_source("dnssec/src/a.rs", &format!("// {}\n", "x".repeat(120)), &[]);
}

#[test]
fn leftovers_fail_in_code_and_comments_only() {
    check_source("dnssec/src/a.rs", "fn a() { todo!() }\nfn b() { dbg!(1); }\n", &[2, 3]);
    check_source("dnssec/src/a.rs", "#[ignore = \"later\"]\nfn b() {}\n", &[2]);
    check_source("dnssec/src/a.rs", &format!("// {}: later\n", concat!("FIX", "ME")), &[2]);
    check_source("dnssec/src/a.rs", "// no todo! here\nconst A: &str = \"todo!()\";\n", &[]);
}

#[test]
fn reserved_calls_fail_outside_their_place() {
    let clock = "fn now() { std::time::Instant::now(); }\n";
    check_source("actors/src/zone.rs", clock, &[2]);
    check_source("actors/src/runtime/clock.rs", clock, &[]);
    check_source("dnssec/src/a.rs", "fn a() { println!(\"x\"); }\n", &[2]);
    check_source("src/main_program.rs", "fn a() { println!(\"x\"); }\n", &[]);
    check_source("dnssec/src/a.rs", "use std::fs;\n", &[2]);
    check_source("dnssec/src/a.rs", "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", &[]);
    check_source("audit/src/a.rs", "async fn a() {}\n", &[2]);
}

#[test]
fn sleeping_fails_in_tests_too() {
    check_source("actors/src/zone/tests.rs", "fn a() { std::thread::sleep(x); }\n", &[2]);
    check_source("actors/src/runtime/clock.rs", "fn a() { std::thread::sleep(x); }\n", &[]);
}

#[test]
fn crate_roots_forbid_unsafe() {
    check_source("dnssec/src/lib.rs", "", &[1]);
    check_source("dnssec/src/lib.rs", "#![forbid(unsafe_code)]\n", &[]);
    check_source("dnssec/src/lib.rs", "// #![forbid(unsafe_code)]\n", &[1]);
    check_source("hsm/src/lib.rs", "", &[]);
}

#[test]
fn allow_list_has_to_match_both_ways() {
    let code = |count| file("a/src/b.rs", &"#[allow(dead_code)]\n".repeat(count));
    let messages = |list: &str, count| -> usize {
        source::check_allow_list(&[file(source::ALLOW_LIST, list), code(count)]).len()
    };
    assert_eq!(messages("# comment\na/src/b.rs 1 the reason\n", 1), 0);
    assert_eq!(messages("", 1), 1, "more than the list grants");
    assert_eq!(messages("a/src/b.rs 2 the reason\n", 1), 1, "the list did not shrink");
    assert_eq!(messages("a/src/gone.rs 1 the reason\n", 0), 1, "the file is gone");
    assert_eq!(messages("a/src/b.rs 1\n", 1), 2, "no reason, so nothing is granted");
}

#[test]
fn machine_paths_fail_in_every_text() {
    let text = format!("fine\nsee {}/notes\n", concat!("/ro", "ot"));
    let findings = files::check_text(&file("docs/a.md", &text));
    assert_eq!(findings.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
}

#[test]
fn broken_links_fail() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let check = |text: &str| links::check(&file("README.md", text), root).len();
    assert_eq!(check("see [it](src/main.rs) and [that](src/main.rs#usage)\n"), 0);
    assert_eq!(check("see [it](src/gone.rs)\n"), 1);
    assert_eq!(check("[a](https://example.com/) [b](#here) `[c](gone)`\n"), 0);
    assert_eq!(check("```\n[a](gone)\n```\n[b](gone)\n"), 1);
}

fn package(name: &str, source: Option<&str>, uses: &[&str]) -> Package {
    let dependencies = uses.iter().map(|name| Dependency {
        name: name.trim_end_matches(" (dev)").into(),
        for_tests_only: name.ends_with(" (dev)"),
    });
    Package {
        name: name.into(),
        source: source.map(str::to_owned),
        dependencies: dependencies.collect(),
        ..Package::default()
    }
}

#[track_caller]
fn check_dependencies(packages: &[Package], expected: &[&str]) {
    let found: Vec<Finding> = dependencies::check(packages);
    let messages: Vec<&str> = found.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(messages, expected);
}

#[test]
fn dependencies_point_downwards() {
    let dnssec = || package("dnssec", None, &["sha2"]);
    check_dependencies(&[dnssec(), package("hsm", None, &["dnssec"])], &[]);
    check_dependencies(
        &[package("dnssec", None, &["hsm"]), package("hsm", None, &["dnssec"])],
        &["crate dnssec must not depend on hsm (STYLE H2)"],
    );
    check_dependencies(
        &[package("dnssec", None, &["tokio"]), package("tokio", Some("registry"), &["dnssec"])],
        &["crate dnssec must not depend on tokio (STYLE H2)"],
    );
    check_dependencies(&[package("dnssec", None, &["tokio (dev)"])], &[]);
    check_dependencies(
        &[dnssec(), package("console", None, &["dnssec (dev)"])],
        &["crate console must not depend on dnssec (STYLE H2)"],
    );
    check_dependencies(
        &[package("new", None, &[])],
        &["crate new has no row in the table of STYLE H2"],
    );
}

#[test]
fn auditor_computes_with_libraries_of_its_own() {
    check_dependencies(
        &[
            package("hsm", None, &["ring", "thiserror"]),
            package("audit", None, &["ring", "thiserror"]),
        ],
        &["audit and the signer both use ring; the auditor is a stranger (STYLE H10)"],
    );
    check_dependencies(
        &[package("hsm", None, &["ring (dev)"]), package("audit", None, &["ring"])],
        &[],
    );
}

#[test]
fn code_view_keeps_the_shape_and_hides_the_rest() {
    let source =
        "a(\"todo!\"); // x \"y\nb('\"', r#\"c\"d\"#, b\"e\\\"\", '\\'', f::<'a>()); /* g */ h";
    let views = code_view::split(source);
    assert_eq!(views.code.chars().count(), source.chars().count());
    for hidden in ["todo", "x", "y", "c", "d", "e", "g"] {
        assert!(!views.code.contains(hidden), "{hidden} is in {}", views.code);
    }
    for seen in ["a(", "b('\"'", "f::<'a>()", " h"] {
        assert!(views.code.contains(seen), "{seen} is not in {}", views.code);
    }
    assert!(views.comments.contains("x \"y") && views.comments.contains(" g "));
    assert!(!views.comments.contains('b') && !views.comments.contains('h'));
}
