//! A zone file into wire records, by the auditor's own reader, on all cores.
//! In: a path. Out: blocks of records. A file is read in sections of some megabytes at a time, so
//! that its text is never in memory as a whole; what is no regular file is.

use audit::presentation::{Carried, Section, TextError, read_section};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Octets of text in a section: many sections for each core, and none of them large.
const SECTION_OCTETS: usize = 4 << 20;

/// Why a zone file cannot be audited.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read {}: {cause}", path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{}:{line}:{column}: {error}", path.display())]
    Text { path: PathBuf, line: usize, column: usize, error: TextError },
    #[error("{}: there are no records in it", .0.display())]
    Empty(PathBuf),
}

/// Where text comes from.
enum Text {
    File(File, usize),
    Memory(Vec<u8>),
}

impl Text {
    fn open(path: &Path) -> io::Result<Text> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if metadata.is_file() {
            let length = usize::try_from(metadata.len()).map_err(io::Error::other)?;
            return Ok(Text::File(file, length));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Text::Memory(bytes))
    }

    fn length(&self) -> usize {
        match self {
            Text::File(_, length) => *length,
            Text::Memory(bytes) => bytes.len(),
        }
    }

    /// The octets from `start` to before `end`.
    fn part(&self, start: usize, end: usize) -> io::Result<Vec<u8>> {
        match self {
            Text::Memory(bytes) => Ok(bytes[start..end].to_vec()),
            Text::File(file, _) => {
                let mut part = vec![0; end - start];
                file.read_exact_at(&mut part, start as u64)?;
                Ok(part)
            }
        }
    }

    /// The first start of a line at `from` or behind it that does not begin with a blank; there a
    /// section can begin unless an entry reaches over it.
    fn line_start(&self, from: usize) -> io::Result<usize> {
        if from == 0 {
            return Ok(0);
        }
        let mut start = from - 1;
        let mut window = 4096;
        while start < self.length() {
            let part = self.part(start, self.length().min(start + window))?;
            let is_start = |pair: &[u8]| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t');
            if let Some(at) = part.windows(2).position(is_start) {
                return Ok(start + at + 1);
            }
            // A line feed at the end of the window is looked at again with what follows.
            start += part.len() - usize::from(part.len() == window);
            window = (2 * window).min(SECTION_OCTETS);
        }
        Ok(self.length())
    }
}

/// A section as it was read first, and where it is.
struct Attempt {
    start: usize,
    end: usize,
    section: Option<Section>,
}

/// Reads a zone file on `threads` threads. `origin`: what relative names end in.
pub(super) fn read(
    path: &Path,
    origin: Option<Vec<u8>>,
    threads: usize,
) -> Result<Vec<Vec<u8>>, FileError> {
    let io = |cause| FileError::Io { path: path.to_owned(), cause };
    let text = Text::open(path).map_err(io)?;
    let begin = Carried::new(origin);
    let count = text.length().div_ceil(SECTION_OCTETS).max(1);
    // The first section tells what the others most likely begin with.
    let first = read_first(&text, 0, count, &begin).map_err(io)?;
    let guess = first.section.as_ref().map_or_else(
        || begin.clone(),
        |section| Carried { last_owner: Vec::new(), last_ttl: None, ..section.carried.clone() },
    );
    let next = AtomicUsize::new(1);
    let work = || -> io::Result<Vec<Attempt>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(done);
            }
            done.push(read_first(&text, number, count, &guess)?);
        }
    };
    let mut sections = vec![first];
    for part in super::on_threads(threads.min(count), work) {
        sections.extend(part.map_err(io)?);
    }
    sections.sort_by_key(|section| section.start);
    put_together(path, &text, sections, begin)
}

/// Reads a section with a guess of what the lines above it hand on. What is wrong in it may be the
/// guess, so it is told only when the section is read again.
fn read_first(text: &Text, number: usize, count: usize, guess: &Carried) -> io::Result<Attempt> {
    let start = text.line_start(number * SECTION_OCTETS)?;
    let is_last = number + 1 == count;
    let end = if is_last { text.length() } else { text.line_start((number + 1) * SECTION_OCTETS)? };
    let part = text.part(start, end.max(start))?;
    let section = read_section(&part, guess, is_last).ok();
    Ok(Attempt { start, end: end.max(start), section })
}

/// Takes the sections in order; those that were read with a wrong guess, or begin elsewhere than
/// where the one before ended, are read again.
fn put_together(
    path: &Path,
    text: &Text,
    sections: Vec<Attempt>,
    begin: Carried,
) -> Result<Vec<Vec<u8>>, FileError> {
    let mut carried = begin;
    let mut blocks = Vec::new();
    let mut at = 0;
    let last = sections.len() - 1;
    for (number, read) in sections.into_iter().enumerate() {
        let fits = read.section.filter(|_| read.start == at);
        let section = match fits.and_then(|section| section.follow(&carried)) {
            Some(section) => section,
            None => read_again(path, text, (at, read.end.max(at)), &carried, number == last)?,
        };
        at += section.consumed;
        carried = section.carried;
        if !section.records.is_empty() {
            blocks.push(section.records);
        }
    }
    if blocks.is_empty() { Err(FileError::Empty(path.to_owned())) } else { Ok(blocks) }
}

fn read_again(
    path: &Path,
    text: &Text,
    (start, end): (usize, usize),
    carried: &Carried,
    is_last: bool,
) -> Result<Section, FileError> {
    let io = |cause| FileError::Io { path: path.to_owned(), cause };
    let part = text.part(start, end).map_err(io)?;
    read_section(&part, carried, is_last).or_else(|error| {
        let (line, column) = error.line_and_column(&part);
        let mut lines_above = 0;
        for from in (0..start).step_by(SECTION_OCTETS) {
            let above = text.part(from, start.min(from + SECTION_OCTETS)).map_err(io)?;
            lines_above += above.iter().filter(|&&octet| octet == b'\n').count();
        }
        let line = lines_above + line;
        Err(FileError::Text { path: path.to_owned(), line, column, error })
    })
}
