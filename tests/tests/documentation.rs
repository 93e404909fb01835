//! The examples of README.md and the manual run as they stand: every `$ anchorite sign`,
//! `$ anchorite audit`, `$ anchorite check` and `$ cargo run --release --` line in a block of
//! commands is given to the program in a copy of `examples/`. Other commands are not run.
//! Never: a file outside the copy; `/etc/opendnssec` and `/var/lib/opendnssec` stand for folders
//! in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anchorite_tests::judges::{self, repository_file};
use anchorite_tests::program::anchorite;
use anchorite_tests::signing::repository_text;

/// A command of the documentation: where it stands, and its words behind `anchorite`.
#[derive(Debug, PartialEq, Eq)]
struct Example {
    place: String,
    words: Vec<String>,
}

/// Marks of blocks whose lines are commands.
const COMMAND_BLOCKS: [&str; 4] = ["console", "sh", "bash", "shell"];
/// Beginnings of commands that are ours; what follows is for `anchorite`.
const BEGINNINGS: [&str; 3] =
    ["anchorite ", "cargo run --release -- ", "cargo run -q --release -- "];
/// Programs that end by themselves and need nothing but files.
const RUNNABLE: [&str; 3] = ["sign", "audit", "check"];

/// Our commands in a Markdown text: lines that begin with a prompt in blocks of commands, with
/// continuation lines, without comments.
fn examples(file: &str, markdown: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut in_commands = None;
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if let Some(mark) = line.strip_prefix("```") {
            in_commands = match in_commands {
                Some(_) => None,
                None => Some(COMMAND_BLOCKS.contains(&mark.split(',').next().unwrap_or_default())),
            };
            continue;
        }
        let Some(command) = line.strip_prefix("$ ").filter(|_| in_commands == Some(true)) else {
            continue;
        };
        let mut command = command.to_owned();
        while command.ends_with('\\') {
            command.pop();
            command.push_str(lines.next().map_or("", |(_, more)| more.trim()));
        }
        let ours = BEGINNINGS.iter().find_map(|beginning| command.strip_prefix(beginning));
        let Some(ours) = ours else { continue };
        let words = ours.split_whitespace().take_while(|word| !word.starts_with('#'));
        let words: Vec<String> = words.map(str::to_owned).collect();
        if words.first().is_some_and(|program| RUNNABLE.contains(&program.as_str())) {
            found.push(Example { place: format!("{file}:{}", number + 1), words });
        }
    }
    found
}

#[test]
fn only_our_commands_are_taken() {
    let text = "\
$ anchorite sign outside\n\
```console\n$ anchorite sign a.zone --output \\\n    b  # a comment\n$ cargo xtask test\n\
output\nanchorite sign output\n$ anchorite run -c conf.xml\n```\n\
```text\n$ anchorite sign text\n```\n\
```sh\n$ cargo run --release -- check -c c\n```\n";
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(
        examples("f", text),
        [
            Example { place: "f:3".into(), words: words("sign a.zone --output b") },
            Example { place: "f:14".into(), words: words("check -c c") },
        ]
    );
}

/// The examples of README.md and of each page of the manual.
fn documents() -> Vec<Vec<Example>> {
    let manual = fs::read_dir(repository_file("docs/src")).unwrap();
    let manual = manual.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let manual = manual.filter(|name| name.ends_with(".md")).map(|name| format!("docs/src/{name}"));
    let mut files: Vec<String> = manual.chain(["README.md".to_owned()]).collect();
    files.sort();
    files.iter().map(|file| examples(file, &repository_text(file))).collect()
}

/// Folders of the system that configurations name; each stands for one in the copy.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/opendnssec", "/var/lib/opendnssec"];

/// `text` with the system's folders in `root`.
fn moved(text: &str, root: &Path) -> String {
    SYSTEM_FOLDERS.iter().fold(text.to_owned(), |text, folder| {
        text.replace(folder, &format!("{}{folder}", root.display()))
    })
}

fn copy(from: &Path, to: &Path, root: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target, root),
            false => {
                let text = fs::read_to_string(entry.path()).unwrap();
                fs::write(target, moved(&text, root)).unwrap();
            }
        }
    }
}

/// A folder in which the documented commands find what they name.
fn root() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    copy(&repository_file("examples"), &root.join("examples"), root);
    copy(&repository_file("examples/default"), &moved_path("/etc/opendnssec", root), root);
    // As an installation has them.
    for folder in ["enforcer", "signer"] {
        fs::create_dir_all(moved_path("/var/lib/opendnssec", root).join(folder)).unwrap();
    }
    folder
}

fn moved_path(path: &str, root: &Path) -> PathBuf {
    moved(path, root).into()
}

#[test]
fn the_commands_of_the_documentation_work() {
    for examples in documents() {
        let folder = root();
        for Example { place, words } in examples {
            let words = words.iter().map(|word| moved(word, folder.path()));
            let mut command = Command::new(anchorite());
            let output = judges::run(command.args(words).current_dir(&folder));
            assert!(output.status.success(), "{place}: {command:?}: {output:#?}");
        }
    }
}

/// The first thing that a newcomer types, and what README.md says comes of it.
#[test]
fn the_first_command_of_the_readme_signs_the_example() {
    let readme = examples("README.md", &repository_text("README.md"));
    let first = readme.first().expect("README.md has a command");
    assert_eq!(first.words, ["sign", "examples/zones/example.com.zone"]);
    let folder = root();
    let mut command = Command::new(anchorite());
    let output = judges::run(command.args(&first.words).current_dir(&folder));
    assert!(output.status.success(), "{output:#?}");
    let signed = folder.path().join("examples/zones/example.com.zone.signed");
    judges::all(&signed, "example.com.").unwrap();
    // Counts and titles do not depend on keys and times, so README.md must show them as they are.
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let fixed = ["zone", "input", "records", "denial", "audit", "state"];
    for title in fixed {
        let mut lines = printed.lines();
        let line = lines.find(|line| line.split(' ').next() == Some(title)).expect(title);
        assert!(repository_text("README.md").contains(line), "README.md lacks {line:?}");
    }
}
