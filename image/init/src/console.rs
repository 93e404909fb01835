//! `init console TERMINAL`: the plain text console. It makes the terminal its own,
//! sets a new box up by the wizard, and then takes commands: a few about the box, and every command
//! of `anchorite`. In: lines. Out: text. Ends when somebody leaves; PID 1 starts it anew.
//! Not yet: a line editor, a pager, a login; it is for whoever stands in front of the box.

use crate::control::ask;
use crate::request::{SIGNER, SIGNER_GROUP};
use crate::signals;
use crate::wizard::{Next, Wizard};
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;
use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, OutputFlags, SetArg, SpecialCharacterIndices, tcflush,
    tcgetattr, tcsetattr,
};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};
use std::fs::File;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A longer line is cut there.
const LINE_OCTETS_MAX: u64 = 4096;
const LOG: &str = "/data/log/anchorite.log";
/// Lines of the log that are shown when nothing else is said.
const LOG_LINES: usize = 20;
/// How much of the log is looked at for them.
const LOG_OCTETS_MAX: u64 = 256 * 1024;
/// What has to be typed before everything is lost.
const ERASE_WORD: &str = "erase everything";

const HELP: &str = "\
status           the box: services, addresses, memory, how long the start took
log [LINES]      the end of the signer's log
setup            name and network, once more
reboot, poweroff
exit             leaves the console
help             this; `anchorite help` lists the signer's commands

Everything else is a command of the signer: `zone list` is `anchorite zone list`.
";

/// Runs the console until its end.
pub(crate) fn run(terminal: &Path) -> io::Result<()> {
    take_terminal(terminal)?;
    let mut console = Console { input: io::BufReader::new(io::stdin()) };
    console.say(&format!("\nAnchorite {} on {}\n", env!("CARGO_PKG_VERSION"), terminal.display()));
    loop {
        let state = ask("state").unwrap_or_else(|fault| format!("no-data {fault}"));
        let (stage, detail) = state.trim_end().split_once(' ').unwrap_or((&state, ""));
        let went_on = match stage {
            "ready" => console.command(detail)?,
            "new" => console.set_up()?,
            _ => console.without_data(detail)?,
        };
        if !went_on {
            return Ok(());
        }
    }
}

/// Makes the terminal the controlling one of a session of our own, with sane settings.
fn take_terminal(path: &Path) -> io::Result<()> {
    setsid()?;
    // The first terminal that the leader of a session opens becomes the session's.
    let terminal = open(path, OFlag::O_RDWR, Mode::empty())?;
    dup2_stdin(&terminal)?;
    dup2_stdout(&terminal)?;
    dup2_stderr(&terminal)?;
    // Ctrl-C ends the command that runs, not the console.
    let mut ours = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP] {
        ours.add(signal);
    }
    ours.thread_block()?;
    let input = io::stdin();
    let mut settings = tcgetattr(input.as_fd())?;
    settings.input_flags.insert(InputFlags::ICRNL | InputFlags::IXON | InputFlags::IUTF8);
    settings.output_flags.insert(OutputFlags::OPOST | OutputFlags::ONLCR);
    settings.local_flags.insert(
        LocalFlags::ICANON
            | LocalFlags::ECHO
            | LocalFlags::ECHOE
            | LocalFlags::ECHOK
            | LocalFlags::ISIG,
    );
    // Nobody could wake a command that was stopped.
    settings.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
    tcsetattr(input.as_fd(), SetArg::TCSANOW, &settings)?;
    // Noise of the line from before anybody was there.
    tcflush(input.as_fd(), FlushArg::TCIFLUSH)?;
    Ok(())
}

struct Console {
    input: io::BufReader<io::Stdin>,
}

impl Console {
    fn say(&self, text: &str) {
        let mut out = io::stdout().lock();
        // A terminal that is gone shows at the next line that is read.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// A line that somebody typed; None at the end (Ctrl-D, or the line is cut).
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut octets = Vec::new();
        if (&mut self.input).take(LINE_OCTETS_MAX).read_until(b'\n', &mut octets)? == 0 {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&octets).trim().to_owned()))
    }

    /// One command. False: somebody left.
    fn command(&mut self, name: &str) -> io::Result<bool> {
        self.say(&format!("{name}> "));
        let Some(line) = self.line()? else { return Ok(false) };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            ["exit" | "quit" | "logout"] => return Ok(false),
            ["help" | "?"] => self.say(HELP),
            ["status" | "reboot" | "poweroff"] => self.tell(&ask(words[0])),
            ["setup"] => return self.set_up(),
            ["log"] => self.log(LOG_LINES),
            ["log", lines] if lines.parse::<usize>().is_ok() => {
                self.log(lines.parse().unwrap_or(LOG_LINES));
            }
            _ => self.signer(&words),
        }
        Ok(true)
    }

    fn tell(&self, answer: &Result<String, String>) {
        match answer {
            Ok(text) => self.say(text),
            Err(fault) => self.say(&format!("{fault}\n")),
        }
    }

    /// Runs a command of the signer as its own user, which makes an administrator; `anchorite` in
    /// front may be there or not.
    fn signer(&self, words: &[&str]) {
        let words = words.strip_prefix(&["anchorite"]).unwrap_or(words);
        let mut command = Command::new("/usr/bin/anchorite");
        signals::open_in_child(&mut command);
        command.args(words).uid(SIGNER).gid(SIGNER_GROUP);
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => self.say(&format!("({status})\n")),
            Err(cause) => self.say(&format!("cannot start it: {cause}\n")),
        }
    }

    fn log(&self, lines: usize) {
        let read = || -> io::Result<String> {
            let mut file = File::open(LOG)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_OCTETS_MAX)))?;
            let mut octets = Vec::new();
            file.read_to_end(&mut octets)?;
            Ok(String::from_utf8_lossy(&octets).into_owned())
        };
        match read() {
            Ok(text) => self.say(&last_lines(&text, lines)),
            Err(cause) => self.say(&format!("{LOG}: {cause}\n")),
        }
    }

    /// The wizard. False: somebody left.
    fn set_up(&mut self) -> io::Result<bool> {
        self.say(
            "\nThis box is to be set up. An empty line takes what stands in brackets, \
                  `back` goes back.\n\n",
        );
        let mut wizard = Wizard::new();
        loop {
            self.say(&wizard.question());
            let Some(line) = self.line()? else { return Ok(false) };
            match wizard.answer(&line) {
                Next::Ask => {}
                Next::Again(fault) => self.say(&format!("{fault}\n")),
                Next::Done(settings) => {
                    self.tell(&ask(&format!("setup\n{}", settings.to_text())));
                    return Ok(true);
                }
            }
        }
    }

    /// What can be done without a data partition. False: somebody left.
    fn without_data(&mut self, why: &str) -> io::Result<bool> {
        self.say(&format!(
            "\nThis box has no data: {why}\n\
             repair    looks again, and mends the file system as far as it can be\n\
             erase     makes the data partition anew: keys, zones and settings are lost\n\
             status, reboot, poweroff\n\n\
             no data> "
        ));
        let Some(line) = self.line()? else { return Ok(false) };
        match line.as_str() {
            "repair" => self.tell(&ask("repair-data")),
            "erase" => {
                self.say(&format!("Type \"{ERASE_WORD}\" to lose all data: "));
                match self.line()?.as_deref() {
                    Some(ERASE_WORD) => self.tell(&ask("erase-data")),
                    _ => self.say("Nothing was done.\n"),
                }
            }
            "status" | "reboot" | "poweroff" => self.tell(&ask(&line)),
            _ => {}
        }
        Ok(true)
    }
}

/// The last lines of a text; control characters, which could do things to a terminal, as `?`.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(count)..];
    let plain = |line: &&str| -> String {
        line.chars().map(|c| if c.is_control() { '?' } else { c }).chain(['\n']).collect()
    };
    shown.iter().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\n", 20), "a\n");
        assert_eq!(last_lines("", 20), "");
        assert_eq!(last_lines("x\u{1b}[2Jy\n", 1), "x?[2Jy\n");
    }
}
