//! `init logger FILE`: what the daemon says, into a file of bounded size. In: lines on standard
//! input. Out: the file, each line with the time in UTC before it; when it is full it becomes
//! `FILE.1`, that one `FILE.2`, and so on; the oldest goes. Ends when nobody writes any more.

use nix::sys::signal::{SigSet, Signal};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Size at which a file is put away.
const FILE_OCTETS_MAX: u64 = 4 << 20;
/// How many files there are, the current one too.
const FILES_MAX: u32 = 4;
/// A longer line is cut into lines.
const LINE_OCTETS_MAX: u64 = 8192;

/// Writes until the input ends.
pub(crate) fn run(path: &Path) -> io::Result<()> {
    // At a stop the end of the input is waited for: what is still in the pipe matters most then.
    let mut ignored = SigSet::empty();
    ignored.add(Signal::SIGTERM);
    ignored.thread_block()?;
    let mut input = BufReader::new(io::stdin().lock());
    let mut log = Log::open(path)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LINE_OCTETS_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        log.append(&format!("{} {}\n", utc(seconds), text.trim_end_matches('\n')))?;
    }
}

struct Log {
    path: PathBuf,
    file: File,
    octets: u64,
}

impl Log {
    fn open(path: &Path) -> io::Result<Log> {
        let file = File::options().create(true).append(true).open(path)?;
        let octets = file.metadata()?.len();
        Ok(Log { path: path.to_owned(), file, octets })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if self.octets + line.len() as u64 > FILE_OCTETS_MAX {
            self.put_away()?;
        }
        self.file.write_all(line.as_bytes())?;
        self.octets += line.len() as u64;
        Ok(())
    }

    fn put_away(&mut self) -> io::Result<()> {
        let numbered = |number: u32| match number {
            0 => self.path.clone(),
            _ => PathBuf::from(format!("{}.{number}", self.path.display())),
        };
        for number in (0..FILES_MAX - 1).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        *self = Log::open(&self.path)?;
        Ok(())
    }
}

/// A time as RFC 3339 has it, in UTC.
pub(crate) fn utc(seconds: u64) -> String {
    let (days, in_day) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March have their leap day at the end; counted from 1 March of year 0, an
    // era of 400 years has 146,097 days.
    let day = days + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_767_225_599), "2025-12-31T23:59:59Z");
        assert_eq!(utc(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn full_files_are_put_away_and_the_oldest_goes() {
        let folder = std::env::temp_dir().join(format!("anchorite-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("log");
        let mut log = Log::open(&path).unwrap();
        for letter in ["a", "b", "c", "d", "e"] {
            log.append(letter).unwrap();
            log.octets = FILE_OCTETS_MAX;
        }
        let texts = ["log", "log.1", "log.2", "log.3"]
            .map(|name| fs::read_to_string(folder.join(name)).unwrap());
        assert_eq!(texts, ["e", "d", "c", "b"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
        fs::remove_dir_all(&folder).unwrap();
    }
}
