//! Runs the commands that an operator configured, without a shell (catalogue 5.10).
//! In: the text of `<NotifyCommand>`. Out: how it ended.
//! `%zone` and `%zonefile` are replaced in each argument after splitting at blanks, so a name can
//! never become two arguments. Limit: [`COMMAND_SECONDS_MAX`]; then the program is killed.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Longest time a configured command may take, in seconds.
pub const COMMAND_SECONDS_MAX: u64 = 60;

/// How a configured command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No program in the text.
    #[error("the command is empty")]
    Empty,
    /// It could not be started.
    #[error("cannot start {program}: {cause}; give the absolute path of an executable file")]
    NotStarted {
        /// The program.
        program: String,
        /// The system's words.
        #[source]
        cause: std::io::Error,
    },
    /// It ended with an error.
    #[error("{program} failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// Exit status or signal.
        status: ExitStatus,
    },
    /// It took too long and was killed.
    #[error("{program} was killed after {COMMAND_SECONDS_MAX} seconds")]
    TookTooLong {
        /// The program.
        program: String,
    },
}

/// The program and its arguments, with the place holders replaced.
pub fn expand(command: &str, zone: &str, zone_file: &Path) -> Vec<String> {
    let zone_file = zone_file.to_string_lossy();
    let expand = |word: &str| word.replace("%zonefile", &zone_file).replace("%zone", zone);
    command.split_whitespace().map(expand).collect()
}

/// Runs a command and waits for its end.
pub async fn run(words: &[String]) -> Result<(), CommandError> {
    run_with_input(words, &[]).await
}

/// [`run`], with this on its standard input. A command that does not read it is well done too.
pub async fn run_with_input(words: &[String], input: &[u8]) -> Result<(), CommandError> {
    let (program, arguments) = words.split_first().ok_or(CommandError::Empty)?;
    let program = program.clone();
    let started = Command::new(&program)
        .args(arguments)
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(cause) => return Err(CommandError::NotStarted { program, cause }),
    };
    let limit = Duration::from_secs(COMMAND_SECONDS_MAX);
    let stdin = child.stdin.take();
    let talk = async {
        if let Some(mut stdin) = stdin {
            // One that has heard enough closes its end.
            let _ = stdin.write_all(input).await;
        }
        child.wait().await
    };
    match tokio::time::timeout(limit, talk).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(CommandError::Failed { program, status }),
        Ok(Err(cause)) => Err(CommandError::NotStarted { program, cause }),
        Err(_) => Err(CommandError::TookTooLong { program }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| word.to_string()).collect()
    }

    #[test]
    fn place_holders_are_replaced_after_splitting() {
        assert_eq!(
            expand("/bin/reload %zone in=%zonefile", "a b", Path::new("/z/x y")),
            words(&["/bin/reload", "a b", "in=/z/x y"])
        );
    }

    #[tokio::test]
    async fn exit_status_is_honoured() {
        assert!(run(&words(&["/bin/true"])).await.is_ok());
        let failed = run(&words(&["/bin/false"])).await.unwrap_err();
        assert!(matches!(failed, CommandError::Failed { .. }));
        let missing = run(&words(&["/nonexistent/program"])).await.unwrap_err();
        assert!(matches!(missing, CommandError::NotStarted { .. }));
        assert!(matches!(run(&[]).await, Err(CommandError::Empty)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_is_killed() {
        let hung = run(&words(&["/bin/cat", "/dev/zero"])).await.unwrap_err();
        assert!(matches!(hung, CommandError::TookTooLong { .. }));
    }
}
