//! `init console TERMINAL`: the consoles of the box. It makes the terminal its own, sets a new box
//! up by the wizard, and then lets users in who have a passphrase: first into the signer's shell
//! (`anchorite shell`, as the daemon's user on behalf of who logged in), and when that is left, to
//! the few commands about the box. In: lines. Out: text. Ends when somebody leaves; PID 1 starts it
//! anew. Limits: [`IDLE_MAX`] without a line.

use crate::control::ask;
use crate::kernel_log::notice;
use crate::lock_out::LockOut;
use crate::request::{SIGNER, SIGNER_GROUP};
use crate::settings::Settings;
use crate::setup;
use crate::signals;
use crate::users::{User, verify_nobody};
use crate::wizard::{Next, Wizard};
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
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
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A longer line is cut there.
const LINE_OCTETS_MAX: u64 = 4096;
const LOG: &str = "/data/log/anchorite.log";
/// Lines of the log that are shown when nothing else is said.
const LOG_LINES: usize = 20;
/// How much of the log is looked at for them.
const LOG_OCTETS_MAX: u64 = 256 * 1024;
/// Somebody who says nothing for so long is logged out.
const IDLE_MAX: Duration = Duration::from_secs(10 * 60);
/// What has to be typed before everything is lost.
const ERASE_WORD: &str = "erase everything";

const HELP: &str = "\
shell            the signer's commands: zones, keys, what it is doing
status           the box: services, addresses, memory, how long the start took
log [LINES]      the end of the signer's log
setup            name and network, once more
kill SERVICE     ends one that hangs; it starts again (see status for the names)
reboot, poweroff
exit             logs out
";

/// Runs the console until its end.
pub(crate) fn run(terminal: &Path) -> io::Result<()> {
    take_terminal(terminal)?;
    let input = io::BufReader::new(io::stdin());
    let mut console = Console { input, terminal: terminal.to_owned() };
    console.say(&format!("\nAnchorite {} on {}\n", env!("CARGO_PKG_VERSION"), terminal.display()));
    loop {
        let state = ask("state").unwrap_or_else(|fault| format!("no-data {fault}"));
        let (stage, detail) = state.trim_end().split_once(' ').unwrap_or((&state, ""));
        let went_on = match stage {
            "ready" => console.ready(detail)?,
            "new" => console.set_up(None, "setup")?,
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
    make_sane(Echo::On)?;
    // Noise of the line from before anybody was there.
    tcflush(io::stdin().as_fd(), FlushArg::TCIFLUSH)?;
    Ok(())
}

/// Whether what is typed is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Echo {
    On,
    Off,
}

/// Sets the terminal to lines, whatever the last program has made of it.
fn make_sane(echo: Echo) -> io::Result<()> {
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
    settings.local_flags.set(LocalFlags::ECHO, echo == Echo::On);
    // Nobody could wake a command that was stopped.
    settings.control_chars[SpecialCharacterIndices::VSUSP as usize] = 0;
    tcsetattr(input.as_fd(), SetArg::TCSANOW, &settings)?;
    Ok(())
}

struct Console {
    input: io::BufReader<io::Stdin>,
    terminal: PathBuf,
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

    /// The same; None also when nobody types for too long.
    fn line_of_somebody(&mut self) -> io::Result<Option<String>> {
        if self.input.buffer().is_empty() {
            let input = io::stdin();
            let mut waited = [PollFd::new(input.as_fd(), PollFlags::POLLIN)];
            let limit = PollTimeout::try_from(IDLE_MAX).unwrap_or(PollTimeout::MAX);
            if poll(&mut waited, limit)? == 0 {
                self.say("\nNobody is typing; logged out.\n");
                return Ok(None);
            }
        }
        self.line()
    }

    /// A box that works: one login, and what follows. False: somebody left.
    fn ready(&mut self, name: &str) -> io::Result<bool> {
        let settings = match setup::saved() {
            Ok(settings) => settings,
            Err(fault) => {
                self.say(&format!("the settings cannot be read: {fault}\n"));
                None
            }
        };
        if !settings.as_ref().is_some_and(Settings::lets_in) {
            self.say("\nThis box has no user yet.\n");
            return self.set_up(settings, "setup");
        }
        let users = settings.map_or(Vec::new(), |settings| settings.users);
        let Some(user) = self.login(name, &users)? else { return Ok(false) };
        self.shell(&user);
        loop {
            self.say(&format!("{name} box> "));
            let Some(line) = self.line_of_somebody()? else { return Ok(false) };
            let words: Vec<&str> = line.split_whitespace().collect();
            if matches!(words.as_slice(), ["exit" | "quit" | "logout"]) {
                return Ok(false);
            }
            if let Some(went_on) = self.command(&words, &user)? {
                return Ok(went_on);
            }
        }
    }

    /// Asks for a name and a passphrase until they are right. None: somebody left.
    fn login(&mut self, name: &str, users: &[User]) -> io::Result<Option<User>> {
        let terminal = self.terminal.display().to_string();
        let mut lock_out = LockOut::of(&self.terminal);
        loop {
            let left = lock_out.left();
            if !left.is_zero() {
                self.say(&format!("The next try is in {:.0} s.\n", left.as_secs_f64().ceil()));
                std::thread::sleep(left);
                tcflush(io::stdin().as_fd(), FlushArg::TCIFLUSH)?;
            }
            if users.is_empty() {
                self.say("No user may log in at a console; there are keys for SSH.\n");
            }
            self.say(&format!("{name} login: "));
            let Some(typed) = self.line()? else { return Ok(None) };
            if typed.is_empty() {
                continue;
            }
            make_sane(Echo::Off)?;
            self.say("Passphrase: ");
            let passphrase = self.line();
            make_sane(Echo::On)?;
            self.say("\n");
            let Some(passphrase) = passphrase? else { return Ok(None) };
            let known = users.iter().find(|user| user.name == typed);
            let is_right = match known {
                Some(user) => user.is_passphrase(&passphrase),
                None => {
                    verify_nobody(&passphrase);
                    false
                }
            };
            if let Some(user) = known.filter(|_| is_right) {
                lock_out.succeeded();
                notice(&format!("{} logged in on {terminal}", user.name));
                return Ok(Some(user.clone()));
            }
            lock_out.failed();
            // A name that is none may be a passphrase that was typed too early.
            notice(&format!(
                "{} on {terminal}: wrong passphrase",
                known.map_or("somebody unknown", |user| &user.name)
            ));
            self.say("Wrong name or passphrase.\n");
        }
    }

    /// One command about the box. Some: the session is over, and whether the console goes on.
    fn command(&mut self, words: &[&str], user: &User) -> io::Result<Option<bool>> {
        match words {
            [] => {}
            ["shell"] => self.shell(user),
            ["help" | "?"] => self.say(HELP),
            ["status"] => self.tell(&ask("status")),
            ["log"] => self.log(LOG_LINES),
            ["log", lines] if lines.parse::<usize>().is_ok() => {
                self.log(lines.parse().unwrap_or(LOG_LINES));
            }
            ["reboot" | "poweroff" | "setup"] | ["kill", _] if !user.is_admin() => {
                self.say(&format!("{} is for the role admin.\n", words[0]));
            }
            ["reboot" | "poweroff"] => {
                notice(&format!("{} by {}", words[0], user.name));
                self.tell(&ask(words[0]));
            }
            ["kill", service] => {
                notice(&format!("{service} is killed by {}", user.name));
                self.tell(&ask(&format!("kill\n{service}")));
            }
            ["setup"] => {
                let before = setup::saved().unwrap_or(None);
                return self.set_up(before, "setup-again").map(Some);
            }
            _ => self.say("`help` lists what there is here; `shell` has the signer's commands.\n"),
        }
        Ok(None)
    }

    fn tell(&self, answer: &Result<String, String>) {
        match answer {
            Ok(text) => self.say(text),
            Err(fault) => self.say(&format!("{fault}\n")),
        }
    }

    /// Runs the signer's shell as the daemon's user, on behalf of who logged in.
    fn shell(&self, user: &User) {
        let mut command = Command::new("/usr/bin/anchorite");
        signals::open_in_child(&mut command);
        let terminal = self.terminal.file_name().unwrap_or_default().to_string_lossy();
        command.args(["shell", "--name", &user.name, "--roles", &user.roles]);
        command.args(["--via", &format!("console {terminal}")]);
        command.args(["--idle", &IDLE_MAX.as_secs().to_string()]);
        command.uid(SIGNER).gid(SIGNER_GROUP);
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => self.say(&format!("({status})\n")),
            Err(cause) => self.say(&format!("cannot start it: {cause}\n")),
        }
        // It may have been killed in the middle of something. What cannot be set shows at once.
        let _ = make_sane(Echo::On);
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

    /// The wizard, with the request that it ends in. False: somebody left.
    fn set_up(&mut self, before: Option<Settings>, request: &str) -> io::Result<bool> {
        self.say(
            "\nThis box is to be set up. An empty line takes what stands in brackets, \
                  `back` goes back.\n\n",
        );
        let mut wizard = Wizard::new(before);
        loop {
            // Before the question: who answers at once must not see the answer either.
            let is_secret = wizard.asks_for_secret();
            make_sane(if is_secret { Echo::Off } else { Echo::On })?;
            self.say(&wizard.question());
            let line = self.line();
            if is_secret {
                self.say("\n");
            }
            let Some(line) = line? else { return Ok(false) };
            match wizard.answer(&line) {
                Next::Ask => {}
                Next::Again(fault) => self.say(&format!("{fault}\n")),
                Next::Done(settings) => {
                    self.tell(&ask(&format!("{request}\n{}", settings.to_text())));
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
