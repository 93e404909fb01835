//! A folder with two SoftHSM tokens and a conf.xml, and the tools of both sides run on it.
//! In: words and standard input. Out: streams and exit code, with key ids and rates made equal.
//! Every program runs in a session of its own: otherwise it would ask the developer's terminal.

use anchorite_tests::program::anchorite;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// A folder in memory, which is where PINs may be kept.
const MEMORY: &str = "/dev/shm";

/// Tokens, configuration, and where PINs are kept.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    memory: TempDir,
    pub(crate) runtime: PathBuf,
}

/// What came of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Result {
    pub(crate) output: String,
    pub(crate) errors: String,
    pub(crate) code: Option<i32>,
}

impl Bench {
    /// Two repositories, `first` and `second`, each a token of its own with the PIN 1234.
    pub(crate) fn new() -> Bench {
        assert!(Path::new(MODULE).exists(), "SoftHSM2 is not installed: run cargo xtask setup");
        let memory = tempfile::tempdir_in(MEMORY).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let runtime = memory.path().join("anchorite");
        let bench = Bench { folder, memory, runtime };
        std::fs::create_dir(bench.path("tokens")).unwrap();
        let tokens = bench.path("tokens");
        let text = format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display());
        std::fs::write(bench.path("softhsm2.conf"), text).unwrap();
        for label in ["First", "Second"] {
            let line = format!("--init-token --free --label {label} --so-pin 5678 --pin 1234");
            let made = bench.run("softhsm2-util", &[], &line, "");
            assert_eq!(made.code, Some(0), "{made:?}");
        }
        let repository = |name: &str, label: &str, more: &str| {
            format!(
                "<Repository name=\"{name}\"><Module>{MODULE}</Module>\
                 <TokenLabel>{label}</TokenLabel><PIN>1234</PIN>{more}</Repository>\n"
            )
        };
        let first = repository("first", "First", "<SkipPublicKey/>");
        bench.write_conf(&format!("{first}{}", repository("second", "Second", "")));
        bench
    }

    /// Writes conf.xml with these repositories.
    pub(crate) fn write_conf(&self, repositories: &str) {
        let folder = self.folder.path().display();
        let text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Configuration>\n<RepositoryList>\n\
             {repositories}</RepositoryList>\n<Common>\
             <PolicyFile>{folder}/kasp.xml</PolicyFile>\
             <ZoneListFile>{folder}/zonelist.xml</ZoneListFile></Common>\n<Enforcer><Datastore>\
             <SQLite>{folder}/kasp.db</SQLite></Datastore></Enforcer>\n</Configuration>\n"
        );
        std::fs::write(self.path("conf.xml"), text).unwrap();
    }

    /// Another conf.xml with a text replaced in it.
    pub(crate) fn write_variant(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("conf.xml")).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.path(name), text.replace(from, to)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command in this folder; its program still has to be told what to do.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setsid");
        command.args(["--wait", program]).current_dir(self.folder.path());
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        command.env("ANCHORITE_RUNTIME_DIRECTORY", &self.runtime);
        command
    }

    /// Debian's `ods-hsmutil` with an answer to its question.
    pub(crate) fn their_purge(&self, words: &str, input: &str) -> Result {
        self.run("ods-hsmutil", &[], words, input)
    }

    fn run(&self, program: &str, first: &[&str], words: &str, input: &str) -> Result {
        let mut command = self.command(program);
        command.args(first).args(split(words));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("setsid can be run");
        // A program that does not read its input may have ended before it is all there.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Result::of(&child.wait_with_output().unwrap())
    }

    /// `anchorite` with these words.
    pub(crate) fn anchorite(&self, words: &str, input: &str) -> Result {
        self.run(anchorite().to_str().unwrap(), &[], words, input)
    }

    /// Our `ods-hsmutil` with our conf.xml.
    pub(crate) fn ours(&self, words: &str) -> Result {
        self.anchorite(&format!("hsmutil -c conf.xml {words}"), "")
    }

    /// Debian's, with the same.
    pub(crate) fn theirs(&self, words: &str) -> Result {
        self.run("ods-hsmutil", &["-c", "conf.xml"], words, "")
    }

    /// A program of OpenDNSSEC, Debian's and then ours.
    pub(crate) fn both(&self, program: &str, words: &str, input: &str) -> [Result; 2] {
        let ours = program.strip_prefix("ods-").unwrap();
        let theirs = self.run(program, &[], words, input);
        assert!(!theirs.errors.contains("setsid: "), "{theirs:?}: run cargo xtask setup");
        [theirs, self.run(anchorite().to_str().unwrap(), &[ours], words, input)]
    }

    /// The same standard output and exit code, and the same first line of complaint.
    #[track_caller]
    pub(crate) fn check_same(&self, words: &str, input: &str) -> Result {
        self.check(words, input, false)
    }

    /// The same, but for the order of lines: SoftHSM has none for keys.
    #[track_caller]
    pub(crate) fn check_same_keys(&self, words: &str, input: &str) -> Result {
        self.check(words, input, true)
    }

    #[track_caller]
    fn check(&self, words: &str, input: &str, is_sorted: bool) -> Result {
        let [theirs, ours] = self.both("ods-hsmutil", words, input);
        let lines = |text: &str| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            if is_sorted {
                lines.sort();
            }
            lines
        };
        assert_eq!(lines(&ours.output), lines(&theirs.output), "{words}: {ours:?}");
        assert_eq!(ours.output.ends_with('\n'), theirs.output.ends_with('\n'), "{words}");
        assert_eq!(ours.code, theirs.code, "{words}: {ours:?}");
        // Where they say something, we say it too, and then more.
        let said = theirs.errors.lines().find(|line| line.starts_with("hsm_"));
        assert!(ours.errors.contains(said.unwrap_or_default()), "{words}: {ours:?}, not {said:?}");
        ours
    }

    /// A new key of ours; its id.
    #[track_caller]
    pub(crate) fn generate(&self, words: &str) -> String {
        let made = self.ours(&format!("generate {words}"));
        assert_eq!(made.code, Some(0), "{made:?}");
        let (_, id) = made.output.trim_end().rsplit_once(' ').unwrap();
        id.to_owned()
    }

    /// Rows of keys: repository, id, kind.
    pub(crate) fn keys(&self) -> Vec<[String; 3]> {
        let listed = self.ours("list");
        let rows = listed.output.lines().skip_while(|line| !line.starts_with("-----")).skip(1);
        let row = |line: &str| {
            let mut words = line.split_whitespace().map(str::to_owned);
            [(); 3].map(|()| words.next().unwrap())
        };
        rows.map(row).collect()
    }

    /// Every file in memory.
    pub(crate) fn memory_files(&self) -> Vec<PathBuf> {
        files(self.memory.path())
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Words of a line; `''` is an empty one.
fn split(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(' ').filter(|word| !word.is_empty());
    words.map(|word| if word == "''" { "" } else { word })
}

impl Result {
    pub(crate) fn of(output: &Output) -> Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Result { output: stdout, errors: stderr, code: output.status.code() }
    }

    /// Key ids and rates that are the same for all.
    pub(crate) fn normalised(&self) -> String {
        let is_id = |word: &str| word.len() == 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let lines = self.output.split('\n').map(|line| {
            let mut words: Vec<_> = line.split(' ').collect();
            for at in 0..words.len() {
                if is_id(words[at]) {
                    words[at] = "ID";
                } else if words.get(at + 1) == Some(&"sig/s") {
                    words[at] = "RATE";
                }
            }
            words.join(" ")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
