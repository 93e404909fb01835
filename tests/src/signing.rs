//! `anchorite sign` as tests use it: a folder of its own for each test, with the zone, the state
//! and the signed file, and the printed summary in parts.
//! In: a zone's text and options. Out: what was printed, or the refusal. Never: a sleep, the
//! network, a file outside the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::judges::{self, repository_file};
use crate::program::anchorite;

/// A folder in which one zone is signed, perhaps several times.
pub struct Workplace {
    folder: tempfile::TempDir,
    /// The zone's name, with its final dot.
    pub origin: String,
}

impl Workplace {
    /// A fresh folder with this zone.
    pub fn new(origin: &str, zone: &str) -> Workplace {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let workplace = Workplace { folder, origin: origin.to_owned() };
        workplace.write_zone(zone);
        workplace
    }

    /// A fresh folder with a zone of this repository.
    pub fn of_repository(origin: &str, zone: &str) -> Workplace {
        Workplace::new(origin, &repository_text(zone))
    }

    /// A fresh folder with the real root zone.
    pub fn of_root_zone() -> Workplace {
        Workplace::new(".", &judges::root_zone_text())
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The unsigned file.
    pub fn zone_file(&self) -> PathBuf {
        self.path("zone")
    }

    /// The signed file.
    pub fn output(&self) -> PathBuf {
        self.path("signed")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes the unsigned zone.
    pub fn write_zone(&self, zone: &str) {
        fs::write(self.zone_file(), zone).expect("a file in a folder of ours can be written");
    }

    /// Replaces a part of the unsigned zone, which must be there.
    #[track_caller]
    pub fn edit_zone(&self, from: &str, to: &str) {
        let text = read(&self.zone_file());
        assert!(text.contains(from), "{from:?} is not in the zone");
        self.write_zone(&text.replacen(from, to, 1));
    }

    /// The signed zone's text.
    pub fn signed(&self) -> String {
        read(&self.output())
    }

    /// Runs `anchorite sign` with these options and says what it printed.
    pub fn run(&self, options: &[&str]) -> Output {
        let mut command = Command::new(anchorite());
        command.arg("sign").arg(self.zone_file()).args(["--origin", &self.origin]);
        command.arg("--state").arg(self.state()).arg("--output").arg(self.output());
        judges::run(command.args(options))
    }

    /// Signs; panics with all that was printed when that fails.
    #[track_caller]
    pub fn sign(&self, options: &[&str]) -> Summary {
        let output = self.run(options);
        assert!(output.status.success(), "{output:#?}");
        Summary { text: String::from_utf8_lossy(&output.stdout).into_owned() }
    }

    /// Is refused: exit code 1, the signed file as it was. Returns standard error.
    #[track_caller]
    pub fn refuse(&self, options: &[&str]) -> String {
        let before = fs::read(self.output()).ok();
        let output = self.run(options);
        assert_eq!(output.status.code(), Some(1), "{output:#?}");
        assert!(fs::read(self.output()).ok() == before, "the signed file was touched");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// A file of this repository as text.
pub fn repository_text(relative: &str) -> String {
    read(&repository_file(relative))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `anchorite sign` printed.
pub struct Summary {
    /// The whole text.
    pub text: String,
}

impl Summary {
    /// The words behind a title.
    #[track_caller]
    pub fn field(&self, title: &str) -> &str {
        let mut lines = self.text.lines();
        let value = lines.find_map(|line| line.strip_prefix(title)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {title} in {}", self.text)).trim()
    }

    /// The DS records for the parent, one a line.
    #[track_caller]
    pub fn ds(&self) -> String {
        let lines = self.text.lines().skip_while(|line| !line.starts_with("DS record")).skip(1);
        let records: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
        assert!(!records.is_empty(), "no DS in {}", self.text);
        records.join("\n")
    }

    /// Signatures made and kept.
    #[track_caller]
    pub fn counts(&self) -> (usize, usize) {
        let counts = self.field("records").split_once('(').expect("counts are in brackets").1;
        let number = |word: &str| word.parse().expect("a count is a number");
        let words: Vec<&str> = counts.split_whitespace().collect();
        (number(words[0]), number(words[2]))
    }

    /// Serial of the signed zone.
    #[track_caller]
    pub fn serial(&self) -> u32 {
        let words = self.field("output").rsplit_once("serial ").expect("the serial is told").1;
        words.trim_end_matches(')').parse().expect("a serial is a number")
    }

    /// The keys, `ROLE TAG ALGORITHM` each, in order of their tags.
    #[track_caller]
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.field("keys").split(", ").map(str::to_owned).collect();
        keys.sort();
        keys
    }
}
