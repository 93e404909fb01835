//! A zone as it came by AXFR, in a file: the messages, each behind its length, one after the other.
//! Bytes: `ANCHRCV1`; for each message its length (u16) and itself; 0 (u16); CRC-32 of all before
//! (u32). Numbers are in network order. It is written while the transfer runs and takes its place
//! only when that is complete, so whoever finds it finds a whole zone.
//! Never: what the messages mean. Memory: a block.

use crate::io::folders::private_folder;
use crate::io::zone_files::{SourceError, ZoneFile};
use crc32fast::Hasher;
use dnssec::RrType;
use dnssec::transfer::reception::each_record;
use std::path::{Path, PathBuf};
use storage::ReplaceError;
use storage::replace::{FileMode, PendingFile};

const MAGIC: &[u8; 8] = b"ANCHRCV1";
/// The end mark and the checksum.
const TRAILER_LENGTH: usize = 6;
/// Bytes of a block that is read; it ends with a whole message.
const BLOCK_BYTES: usize = 1 << 20;
/// Only we read it.
const MODE: FileMode = FileMode::Exactly(0o600);

/// Why such a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReceivedError {
    /// The file.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It is not as it was written.
    #[error("{} is damaged; it is transferred again", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
}

/// A file that is being written.
#[derive(Debug)]
pub struct ReceivedWriter {
    file: PendingFile,
    crc: Hasher,
}

impl ReceivedWriter {
    /// Begins a file that is to be at `path`.
    pub fn create(path: &Path) -> Result<ReceivedWriter, ReplaceError> {
        if let Some(folder) = path.parent() {
            // Before the first version of the first zone there is none; what is wrong with it is
            // told by the file's error.
            let _ = private_folder(folder);
        }
        let mut writer =
            ReceivedWriter { file: PendingFile::create(path, MODE)?, crc: Hasher::new() };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    /// Appends messages, each behind its length.
    pub fn write(&mut self, framed: &[u8]) -> Result<(), ReplaceError> {
        self.crc.update(framed);
        self.file.write(framed)
    }

    /// All is there: the file takes its place, durably.
    pub fn commit(mut self) -> Result<(), ReplaceError> {
        self.write(&[0, 0])?;
        let crc = self.crc.clone().finalize();
        self.file.write(&crc.to_be_bytes())?;
        self.file.commit()
    }
}

/// A file that is being read.
pub struct ReceivedFile {
    file: ZoneFile,
    rest: Vec<u8>,
    crc: Hasher,
    is_read: bool,
}

impl ReceivedFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<ReceivedFile, ReceivedError> {
        let mut file = ZoneFile::open(path)?;
        let (mut rest, mut crc) = (Vec::new(), Hasher::new());
        let is_read = file.read_block(MAGIC.len(), &mut rest)?;
        if rest != MAGIC {
            return Err(ReceivedError::Damaged { path: path.to_owned() });
        }
        crc.update(&rest);
        rest.clear();
        Ok(ReceivedFile { file, rest, crc, is_read })
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.file.length()
    }

    /// The next messages, to be taken apart by [`messages`]; `None`: those were all, and the
    /// file is sound.
    pub fn next_block(&mut self) -> Result<Option<Vec<u8>>, ReceivedError> {
        loop {
            let end = whole_end(&self.rest);
            if end > 0 && (self.is_read || self.rest.len() >= BLOCK_BYTES) {
                let rest = self.rest.split_off(end);
                let block = std::mem::replace(&mut self.rest, rest);
                self.crc.update(&block);
                return Ok(Some(block));
            }
            if self.is_read {
                break;
            }
            self.is_read = self.file.read_block(BLOCK_BYTES, &mut self.rest)?;
        }
        // On a copy: whoever asks again after the end gets the same answer.
        let mut crc = self.crc.clone();
        crc.update(self.rest.get(..2).unwrap_or_default());
        let crc = crc.finalize().to_be_bytes();
        let is_sound =
            self.rest.len() == TRAILER_LENGTH && self.rest[..2] == [0, 0] && self.rest[2..] == crc;
        match is_sound {
            true => Ok(None),
            false => Err(ReceivedError::Damaged { path: self.file.path().to_owned() }),
        }
    }
}

/// RDATA of the SOA that a file begins with.
pub fn first_soa(path: &Path) -> Result<Vec<u8>, ReceivedError> {
    let damaged = || ReceivedError::Damaged { path: path.to_owned() };
    let block = ReceivedFile::open(path)?.next_block()?.ok_or_else(damaged)?;
    let mut soa = None;
    let first = messages(&block).next().ok_or_else(damaged)?;
    let read = each_record(first, |_, rtype, _, rdata| {
        if soa.is_none() && rtype == RrType::SOA {
            soa = Some(rdata.to_vec());
        }
        Ok::<(), SourceError>(())
    });
    read.ok().and(soa).ok_or_else(damaged)
}

/// Where the last whole message of some bytes ends; an end mark is none.
fn whole_end(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(length) = length_at(bytes, at).filter(|length| *length > 0)
        && at + 2 + length <= bytes.len()
    {
        at += 2 + length;
    }
    at
}

fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes.get(at..)?.first_chunk::<2>()?;
    Some(usize::from(u16::from_be_bytes(*length)))
}

/// The messages of a block.
pub fn messages(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + 2;
        let message = block.get(start..start + length_at(block, at)?)?;
        at = start + message.len();
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u16).to_be_bytes()[..], message].concat()
    }

    fn read(path: &Path) -> Result<Vec<Vec<u8>>, ReceivedError> {
        let mut file = ReceivedFile::open(path)?;
        let mut all = Vec::new();
        while let Some(block) = file.next_block()? {
            all.extend(messages(&block).map(<[u8]>::to_vec));
        }
        // The end stays the end.
        assert!(file.next_block()?.is_none());
        Ok(all)
    }

    #[test]
    fn messages_come_back_or_the_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("zone.received");
        let sent: Vec<Vec<u8>> = (1..60u8).map(|number| vec![number; 40_000]).collect();
        let mut writer = ReceivedWriter::create(&path).unwrap();
        sent.iter().for_each(|message| writer.write(&framed(message)).unwrap());
        assert!(!path.exists());
        writer.commit().unwrap();
        assert_eq!(read(&path).unwrap(), sent);

        let sound = std::fs::read(&path).unwrap();
        let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = sound.clone();
            change(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
            matches!(read(&path), Err(ReceivedError::Damaged { .. }))
        };
        for at in [0, 8, 9, 10, 500_000, sound.len() - 6, sound.len() - 1] {
            assert!(damaged(&|bytes| bytes[at] ^= 1), "{at}");
        }
        assert!(damaged(&|bytes| bytes.push(0)));
        assert!(damaged(&|bytes| bytes.truncate(sound.len() - 1)));
        assert!(damaged(&|bytes| bytes.truncate(9)));
        assert!(damaged(&|bytes| bytes.truncate(3)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(read(&path), Err(ReceivedError::Source(SourceError::Missing { .. }))));
    }
}
