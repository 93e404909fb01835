//! The same words as glibc's `getopt_long` reads them.

use super::*;

const KNOWN: &[Known] = &[
    Known { short: 'c', long: "config", takes_value: true },
    Known { short: 'V', long: "version", takes_value: false },
    Known { short: 'v', long: "verbose", takes_value: false },
];

#[track_caller]
fn check(words: &[&str], expected: &[Given]) {
    let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
    assert_eq!(read(&words, KNOWN), expected);
}

fn option(letter: char) -> Given {
    Given::Option(letter, None)
}

fn config(value: &str) -> Given {
    Given::Option('c', Some(value.to_owned()))
}

fn wrong(text: &str) -> Given {
    Given::Wrong(text.to_owned())
}

#[test]
fn values_stand_in_the_word_or_after_it() {
    for words in [&["-c", "F"][..], &["-cF"], &["--config", "F"], &["--config=F"], &["--conf=F"]] {
        check(words, &[config("F")]);
    }
    check(&["-vcF", "-V"], &[option('v'), config("F"), option('V')]);
    check(&["--config=", "-c", ""], &[config(""), config("")]);
    check(&["-c", "-v"], &[config("-v")]);
}

#[test]
fn other_words_are_passed_over() {
    check(&["one", "-", "-v", "two", "--", "-V"], &[option('v')]);
    check(&[], &[]);
}

#[test]
fn complaints() {
    check(&["--bogus=1", "-v"], &[wrong("unrecognized option '--bogus=1'"), option('v')]);
    let ambiguous = "option '--ve' is ambiguous; possibilities: '--version' '--verbose'";
    check(&["--ve"], &[wrong(ambiguous)]);
    check(&["--vers=1"], &[wrong("option '--version' doesn't allow an argument")]);
    check(&["--conf"], &[wrong("option '--config' requires an argument")]);
    check(&["-xv"], &[wrong("invalid option -- 'x'"), option('v')]);
    check(&["-vc"], &[option('v'), wrong("option requires an argument -- 'c'")]);
    check(&["-ü"], &[wrong("invalid option -- 'ü'")]);
}

#[test]
fn operands_are_the_words_that_belong_to_no_option() {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let apart = |line, place| take_apart(&words(line), KNOWN, place);
    let read = apart("zone -v list -c conf - -- -V", Place::Anywhere);
    assert_eq!(read.operands, ["zone", "list", "-", "-V"]);
    assert_eq!(read.given, [option('v'), Given::Option('c', Some("conf".to_owned()))]);
    let read = apart("-v zone list -x", Place::InFront);
    assert_eq!(read.operands, ["zone", "list", "-x"]);
    assert_eq!(read.given, [option('v')]);
    assert_eq!(apart("-v -- -x", Place::InFront).operands, ["-x"]);
}
