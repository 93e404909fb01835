//! `ods-enforcer` on an installation. In: words. Out: streams and exit code.

use anchorite_tests::daemon::Installation;
use anchorite_tests::program::anchorite;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// Gives a command to the daemon.
pub(crate) fn enforcer(installation: &Installation, words: &str) -> Said {
    let mut command = Command::new(anchorite());
    command.arg0("ods-enforcer").arg("-s").arg(installation.socket());
    let output = command.args(words.split_ascii_whitespace()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let first = format!("sock set to {}\n", installation.socket());
    Said {
        stdout: stdout.strip_prefix(&first).expect(&first).to_owned(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

impl Said {
    /// Success with these words on standard output.
    #[track_caller]
    pub(crate) fn is(&self, stdout: &str) {
        assert_eq!((self.stdout.as_str(), self.code), (stdout, 0), "{}", self.stderr);
    }

    /// No success, with these words on standard error and none on standard output.
    #[track_caller]
    pub(crate) fn refuses(&self, fragment: &str) {
        assert!(self.stdout.is_empty() && self.code == 1, "{self:?}");
        assert!(self.stderr.contains(fragment), "{self:?}");
    }
}
