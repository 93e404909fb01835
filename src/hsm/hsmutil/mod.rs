//! `ods-hsmutil`: keys of the repositories by hand, as OpenDNSSEC's tool does it.
//! In: words. Out: its lines on standard output, faults on standard error; its exit codes.

mod copy;
mod debug;
mod dnskey;
mod group;
mod keys;
mod test;

use super::pins;
use super::repositories::{self, CONF_FILE_DEFAULT, Fault, NewToken, Repositories};
use super::words::{self, Given};
use appliance_config::{Repository, RepositoryKind};
use hsm::pkcs11::Pkcs11Settings;
use hsm::{KeyEntry, KeyKind, KeyTransfer};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What `exit(-1)` is outside.
const MINUS_ONE: u8 = 255;
const USAGE: &str = "[-c config] [-vVfh] [command [options]]
  -h        Print this usage information.
  -v        Increase verbosity.
  -V        Print version and exit.
  -f        Force, Assume yes on all questions.
  -c <cfg>  Use alternative conf.xml.
commands
  login
  logout
  list [repository]
  generate <repository> rsa|ecdsa|ed25519 [keysize]
  copy <id> <new-id>
  remove <id>
  purge <repository>
  dnskey <id> <name> <type> <algo>
  test <repository>
  info";

/// What every command gets.
struct Task<'a> {
    repositories: &'a Repositories,
    operands: &'a [String],
    output: &'a mut dyn Write,
    is_verbose: bool,
    /// `-f`.
    is_forced: bool,
}

/// Why a command ended before its time.
enum End {
    /// Its words are wrong.
    Usage(u8),
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for End {
    fn from(fault: E) -> End {
        End::Fault(fault.into())
    }
}

type Outcome = Result<u8, End>;

/// A key, with its repository and that repository's open slot.
type Found<'a> = (&'a Repository, Box<dyn KeyTransfer>, KeyEntry);

/// Runs the tool; `arguments` come behind the name `program`.
pub(crate) fn main(program: &str, arguments: &[String]) -> ExitCode {
    let words = words::read(arguments, "c:vVhf");
    let (mut conf, mut is_verbose, mut is_forced) = (CONF_FILE_DEFAULT.to_owned(), false, false);
    for given in words.given {
        match given {
            Given::Option('c', Some(path)) => conf = path,
            Given::Option('v', _) => is_verbose = true,
            Given::Option('f', _) => is_forced = true,
            Given::Option('V', _) => {
                eprintln!(
                    "{program} (opendnssec) version 2.1 (anchorite {})",
                    env!("CARGO_PKG_VERSION")
                );
                return ExitCode::SUCCESS;
            }
            Given::Option(..) => return usage(program, 0),
            Given::Wrong(complaint) => {
                eprintln!("{program}: {complaint}");
                return usage(program, 1);
            }
        }
    }
    let Some((command, operands)) = words.operands.split_first() else { return usage(program, 1) };
    let mut output = io::stdout().lock();
    if command.eq_ignore_ascii_case("logout") {
        return ExitCode::from(logout(&mut output));
    }
    let result = Repositories::read(Path::new(&conf)).map_err(End::Fault).and_then(|known| {
        let output = &mut output;
        run(command, Task { repositories: &known, operands, output, is_verbose, is_forced })
    });
    // What was begun stands before what went wrong.
    let flushed = output.flush();
    match result {
        Ok(_) if flushed.is_err() => ExitCode::from(MINUS_ONE),
        Ok(code) => ExitCode::from(code),
        Err(End::Usage(code)) => usage(program, code),
        Err(End::Fault(fault)) => {
            eprintln!("{fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

fn usage(program: &str, code: u8) -> ExitCode {
    eprintln!("usage: {program} {USAGE}");
    ExitCode::from(code)
}

fn run(command: &str, mut task: Task) -> Outcome {
    match command.to_ascii_lowercase().as_str() {
        "login" => login(&mut task),
        "list" => keys::list(&mut task),
        "generate" => keys::generate(&mut task),
        "remove" => keys::remove(&mut task),
        "purge" => keys::purge(&mut task),
        "dnskey" => dnskey::run(&mut task),
        "test" => test::run(&mut task),
        "info" => info(&mut task),
        "copy" => copy::run(&mut task),
        "debug" => debug::run(&mut task),
        _ => Err(End::Usage(MINUS_ONE)),
    }
}

impl<'a> Task<'a> {
    fn open(&self, repository: &Repository) -> Result<Box<dyn KeyTransfer>, Fault> {
        repositories::open(repository, NewToken::Refused, Pkcs11Settings::SESSIONS_DEFAULT)
    }

    /// The key with this id in hexadecimal, in the first repository that has it.
    fn find(&self, id: &str) -> Result<Option<Found<'a>>, Fault> {
        let Some(id) = dnssec::key::KeyId::from_hex(id) else { return Ok(None) };
        for repository in &self.repositories.all {
            let slot = self.open(repository)?;
            let keys = slot.list();
            let keys = keys.map_err(|error| repositories::slot_fault(repository, error))?;
            if let Some(key) = keys.into_iter().find(|key| key.id == id) {
                return Ok(Some((repository, slot, key)));
            }
        }
        Ok(None)
    }
}

/// Opening asks for each PIN that nobody knows, and keeps it.
fn login(task: &mut Task) -> Outcome {
    for repository in &task.repositories.all {
        repositories::open(repository, NewToken::Made, Pkcs11Settings::SESSIONS_DEFAULT)?;
    }
    writeln!(task.output, "The tokens are now logged in.")?;
    Ok(0)
}

fn logout(output: &mut dyn Write) -> u8 {
    let (line, code) = match pins::forget_all() {
        Ok(()) => ("The credentials has been erased.", 0),
        Err(fault) => {
            eprintln!("{fault}");
            ("Failed to erase the credentials.", 1)
        }
    };
    if writeln!(output, "{line}").is_err() { MINUS_ONE } else { code }
}

fn info(task: &mut Task) -> Outcome {
    for (position, repository) in task.repositories.all.iter().enumerate() {
        let slot = task.open(repository)?;
        let info = slot.info().map_err(|error| repositories::slot_fault(repository, error))?;
        if position > 0 {
            writeln!(task.output)?;
        }
        // The token pads these with spaces, and libhsm prints them so.
        writeln!(task.output, "Repository: {}", repository.name)?;
        writeln!(task.output, "\tModule:        {}", module(repository))?;
        writeln!(task.output, "\tSlot:          {}", info.slot)?;
        writeln!(task.output, "\tToken Label:   {:<32}", info.label)?;
        writeln!(task.output, "\tManufacturer:  {:<32}", info.manufacturer)?;
        writeln!(task.output, "\tModel:         {:<16}", info.model)?;
        writeln!(task.output, "\tSerial:        {:<16}", info.serial)?;
        for record in info.damaged {
            eprintln!("{}: {}", record.path, record.damage);
        }
    }
    group::info(task)
}

fn module(repository: &Repository) -> String {
    match &repository.kind {
        RepositoryKind::Module(path) => path.display().to_string(),
        RepositoryKind::BuiltIn { directory } => format!("built-in, {}", directory.display()),
    }
}

/// libhsm's name of a key's algorithm and its length in bits; `None` for what we cannot use.
fn kind_and_bits(key: &KeyEntry) -> Option<(&'static str, usize)> {
    match key.kind {
        KeyKind::Rsa => Some(("RSA", key.bits)),
        KeyKind::EcdsaP256 => Some(("ECDSA", 256)),
        KeyKind::EcdsaP384 => Some(("ECDSA", 384)),
        KeyKind::Ed25519 => Some(("EDDSA", 255)),
        KeyKind::Ed448 => Some(("EDDSA", 448)),
        KeyKind::Other => None,
    }
}
