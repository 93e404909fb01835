//! Asks an operator for a PIN, on the terminal without echo; where there is none, on standard
//! error and standard input, as `getpass` does. Never: the PIN in a buffer that is not wiped.

use super::pins::PIN_BYTES_MAX;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use zeroize::Zeroizing;

/// The line that the operator types.
pub(super) fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    if let Ok(terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") {
        let _silence = Silence::begin(&terminal)?;
        (&terminal).write_all(prompt.as_bytes())?;
        let line = read_line(&mut &terminal);
        (&terminal).write_all(b"\n")?;
        return line;
    }
    io::stderr().write_all(prompt.as_bytes())?;
    // Not std's own buffer: it would keep the PIN.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    read_line(&mut &input)
}

fn read_line(input: &mut impl Read) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(Vec::with_capacity(PIN_BYTES_MAX));
    let mut byte = Zeroizing::new([0]);
    loop {
        match input.read(&mut byte[..]) {
            Ok(0) if line.is_empty() => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) if line.len() == PIN_BYTES_MAX => {
                return Err(io::Error::new(ErrorKind::InvalidInput, "the PIN is too long"));
            }
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| ErrorKind::InvalidData)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// A terminal that shows nothing of what is typed, until this is dropped. Neither can it be
/// interrupted meanwhile: it would stay silent after the program's end.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Silence<'_> {
    fn begin(terminal: &File) -> io::Result<Silence<'_>> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &silent)?;
        Ok(Silence { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // Nothing can be done when the terminal is gone.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
