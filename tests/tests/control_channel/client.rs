//! Front ends as programs. In: a name, words, standard input. Out: streams and exit code.

use anchorite_tests::daemon::Installation;
use anchorite_tests::program::anchorite;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// What came of a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Said {
    /// Success with these words on standard output and none on standard error.
    #[track_caller]
    pub(crate) fn is(&self, stdout: &str) {
        self.ends(stdout, "", 0);
    }

    #[track_caller]
    pub(crate) fn ends(&self, stdout: &str, stderr: &str, code: i32) {
        let found = (self.stdout.as_str(), self.stderr.as_str(), self.code);
        assert_eq!(found, (stdout, stderr, Some(code)));
    }
}

/// Runs a program with these words and this standard input.
pub(crate) fn run(command: &mut Command, words: &[&str], input: &str) -> Said {
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; run cargo xtask setup"));
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_owned());
    // Apart from reading, or both would wait for each other. A program that does not read its
    // input is no mistake.
    let typing = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    typing.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { stdout: text(output.stdout), stderr: text(output.stderr), code: output.status.code() }
}

/// Our program under a name.
pub(crate) fn ours(name: &str) -> Command {
    let mut command = Command::new(anchorite());
    command.arg0(name);
    command
}

/// Debian's, under the same name.
pub(crate) fn theirs(name: &str) -> Command {
    let mut command = Command::new(Path::new("/usr/sbin").join(name));
    command.arg0(name);
    command
}

/// The front ends of a running installation.
pub(crate) struct Clients {
    enforcer_socket: String,
    signer_socket: String,
}

impl Clients {
    pub(crate) fn of(installation: &Installation) -> Clients {
        let enforcer_socket = installation.socket();
        let signer_socket = installation.path("engine.sock").to_string_lossy().into_owned();
        Clients { enforcer_socket, signer_socket }
    }

    fn run(&self, name: &str, socket: &str, words: &str, input: &str) -> Said {
        let mut all = vec!["-s", socket];
        all.extend(words.split_ascii_whitespace());
        let mut said = run(&mut ours(name), &all, input);
        if name != "anchorite" {
            // As OpenDNSSEC's tools say.
            let first = format!("sock set to {socket}\n");
            said.stdout = said.stdout.strip_prefix(&first).expect(&first).to_owned();
        }
        said
    }

    pub(crate) fn enforcer(&self, words: &str) -> Said {
        self.run("ods-enforcer", &self.enforcer_socket, words, "")
    }

    pub(crate) fn signer(&self, words: &str) -> Said {
        self.run("ods-signer", &self.signer_socket, words, "")
    }

    pub(crate) fn anchorite(&self, words: &str) -> Said {
        self.run("anchorite", &self.enforcer_socket, words, "")
    }

    pub(crate) fn anchorite_reads(&self, words: &str, input: &str) -> Said {
        self.run("anchorite", &self.enforcer_socket, words, input)
    }

    pub(crate) fn enforcer_typed(&self, input: &str) -> Said {
        self.run("ods-enforcer", &self.enforcer_socket, "", input)
    }

    pub(crate) fn signer_typed(&self, input: &str) -> Said {
        self.run("ods-signer", &self.signer_socket, "", input)
    }
}
