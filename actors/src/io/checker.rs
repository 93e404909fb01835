//! Runs one external checker of signed zones, without a shell (`<Checker>` of conf.xml).
//! In: the command, a zone's name, a file with the candidate. Out: how it ended, and the first
//! lines of what it said.
//! `%zone` and `%file` are replaced in each argument after splitting at blanks, so a name can never
//! become two arguments. Only exit status 0 is an approval. Limits: the checker's own time-out,
//! then it is killed with all that it started; [`OUTPUT_OCTETS_MAX`] of its output are kept.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// As much of what a checker says is kept, in octets of each of its two outputs.
pub const OUTPUT_OCTETS_MAX: usize = 2048;
/// So many lines of it are shown.
const LINES_MAX: usize = 5;
/// Octets read at once.
const READ_OCTETS: usize = 4096;

/// A checker of conf.xml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checker {
    /// `<Command>`: program and arguments.
    pub command: String,
    /// `<Timeout>`.
    pub timeout: Duration,
}

/// Why a checker did not approve.
#[derive(Debug, thiserror::Error)]
pub enum CheckerError {
    /// No program in the text.
    #[error("the command is empty")]
    Empty,
    /// It could not be started, or not be waited for.
    #[error("cannot run {program}: {cause}; give the absolute path of an executable file")]
    NotStarted {
        /// The program.
        program: String,
        /// The system's words.
        #[source]
        cause: std::io::Error,
    },
    /// It ended with an error or by a signal.
    #[error("{program} did not approve: {status}{said}")]
    Failed {
        /// The program.
        program: String,
        /// Exit status or signal.
        status: ExitStatus,
        /// The first lines of what it said, each after a line end.
        said: String,
    },
    /// It took too long and was killed.
    #[error("{program} was killed after {} seconds without a verdict", .timeout.as_secs())]
    TookTooLong {
        /// The program.
        program: String,
        /// Its time-out.
        timeout: Duration,
    },
}

impl CheckerError {
    /// Whether it looked and said no; everything else is no verdict.
    pub fn is_verdict(&self) -> bool {
        matches!(self, CheckerError::Failed { status, .. } if status.code().is_some())
    }
}

/// The program and its arguments, with the place holders replaced.
fn expand(command: &str, zone: &str, file: &Path) -> Vec<String> {
    let file = file.to_string_lossy();
    let expand = |word: &str| word.replace("%file", &file).replace("%zone", zone);
    command.split_whitespace().map(expand).collect()
}

/// Has a checker look at a candidate.
pub async fn check(checker: &Checker, zone: &str, file: &Path) -> Result<(), CheckerError> {
    let words = expand(&checker.command, zone, file);
    let (program, arguments) = words.split_first().ok_or(CheckerError::Empty)?;
    let program = program.clone();
    let started = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(cause) => return Err(CheckerError::NotStarted { program, cause }),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // What it started may hold its outputs open after its end; all of them end with it.
    let group = Group::of(&child);
    let talk = async {
        let ended = async {
            let status = child.wait().await;
            group.kill();
            status
        };
        tokio::join!(ended, beginning(stdout), beginning(stderr))
    };
    match tokio::time::timeout(checker.timeout, talk).await {
        Ok((Ok(status), _, _)) if status.success() => Ok(()),
        Ok((Ok(status), stdout, stderr)) => {
            let said = lines(&[stdout, stderr].concat());
            Err(CheckerError::Failed { program, status, said })
        }
        Ok((Err(cause), _, _)) => Err(CheckerError::NotStarted { program, cause }),
        Err(_) => {
            let timeout = checker.timeout;
            group.kill();
            Err(CheckerError::TookTooLong { program, timeout })
        }
    }
}

/// The process group of a checker.
struct Group(Option<nix::unistd::Pid>);

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group(id.map(nix::unistd::Pid::from_raw))
    }

    /// Ends whoever is left of it.
    fn kill(&self) {
        if let Some(group) = self.0 {
            // Usually there is nobody any more.
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// Reads all, so that the checker never waits, and keeps the beginning.
async fn beginning(output: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let Some(mut output) = output else { return Vec::new() };
    let (mut kept, mut buffer) = (Vec::new(), vec![0; READ_OCTETS]);
    loop {
        match output.read(&mut buffer).await {
            Ok(0) | Err(_) => return kept,
            Ok(count) => {
                let room = OUTPUT_OCTETS_MAX - kept.len();
                kept.extend_from_slice(&buffer[..count.min(room)]);
            }
        }
    }
}

/// The first lines, each after a line end, without control characters.
fn lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines = text.lines().filter(|line| !line.trim().is_empty()).take(LINES_MAX);
    lines
        .map(|line| {
            let clean = line.chars().filter(|character| !character.is_control());
            format!("\n  {}", clean.collect::<String>())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker(command: &str) -> Checker {
        Checker { command: command.to_owned(), timeout: Duration::from_secs(60) }
    }

    async fn run(command: &str) -> Result<(), CheckerError> {
        check(&checker(command), "example.com", Path::new("/etc/hostname")).await
    }

    #[test]
    fn place_holders_are_replaced_after_splitting() {
        assert_eq!(
            expand("/bin/check -z %zone %file", "a b", Path::new("/z/x y")),
            ["/bin/check", "-z", "a b", "/z/x y"]
        );
    }

    #[tokio::test]
    async fn only_exit_status_zero_approves() {
        assert!(run("/bin/true").await.is_ok());
        assert!(run("/usr/bin/test -f %file").await.is_ok());
        let failed = run("/bin/ls /nonexistent/%zone").await.unwrap_err();
        assert!(failed.is_verdict(), "{failed}");
        assert!(failed.to_string().contains("/nonexistent/example.com"), "{failed}");
        let missing = run("/nonexistent/checker %file").await.unwrap_err();
        assert!(!missing.is_verdict(), "{missing}");
        assert!(matches!(run("  ").await, Err(CheckerError::Empty)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_hangs_is_killed_and_gives_no_verdict() {
        let hung = run("/bin/sleep 1000000").await.unwrap_err();
        assert!(matches!(hung, CheckerError::TookTooLong { .. }), "{hung}");
        assert!(!hung.is_verdict());
    }

    #[test]
    fn what_it_says_is_cut_and_cleaned() {
        let said = lines(b"one\x1b[31m\n\n two\n3\n4\n5\n6\n");
        assert_eq!(said, "\n  one[31m\n   two\n  3\n  4\n  5");
    }
}
