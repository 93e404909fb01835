//! What a journal writes on: a file, or a disk in memory that fails on command.

use crate::faults::FaultDisk;
use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The changes that appending makes.
pub(super) trait Medium: Debug + Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes all changes durable, the length too.
    fn sync(&self) -> io::Result<()>;
    /// Cuts everything from `length` on.
    fn cut(&self, length: u64) -> io::Result<()>;
}

impl Medium for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Medium for FaultDisk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(offset, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        FaultDisk::sync(self)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_length(length)
    }
}
