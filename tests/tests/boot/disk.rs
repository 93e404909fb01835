//! A disk that can lose its power: QEMU reads and writes it over NBD (fixed newstyle, with flush),
//! and what the guest has not flushed is in a volatile cache, as in a real disk's. In: a seed, and
//! after how many writes the power fails. Out: a file with all that was flushed, and of the rest,
//! sector by sector, nothing, everything, or what chance leaves, in any order.
//!
//! None of QEMU's cache modes does that: when QEMU is killed, the host keeps all that was written
//! (writeback, none), so a guest that never flushes loses nothing; with writethrough or directsync
//! the guest is told that there is no cache, and does not flush at all.
//!
//! Limits: one connection at a time; reads, writes and flushes only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use crate::machine::WAIT;

const SECTOR_OCTETS: usize = 512;
type Sector = [u8; SECTOR_OCTETS];

/// SplitMix64: the same numbers for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What a cut did to the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loss {
    /// Sectors that had been written and not flushed.
    pub(crate) at_stake: usize,
    /// Those of them that are as they were before.
    pub(crate) lost: usize,
}

struct State {
    file: File,
    /// What was written since the last flush: every version of a sector, oldest first.
    unflushed: BTreeMap<u64, Vec<Sector>>,
    writes: u64,
    flushes: u64,
    /// Number of the write at which the power fails.
    fails_at: Option<u64>,
    has_power: bool,
    is_connected: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The disk.
pub(crate) struct Disk {
    socket: PathBuf,
    shared: Arc<Shared>,
}

impl Disk {
    /// A blank disk, with its file and its socket in that folder.
    pub(crate) fn new(folder: &Path, mib: u64) -> Disk {
        let path = folder.join("disk");
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(path).unwrap();
        file.set_len(mib << 20).unwrap();
        let state = State {
            file,
            unflushed: BTreeMap::new(),
            writes: 0,
            flushes: 0,
            fails_at: None,
            has_power: true,
            is_connected: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let socket = folder.join("nbd");
        let listener = UnixListener::bind(&socket).unwrap();
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            // QEMU's end is the end of a connection; the next machine makes a new one.
            for stream in listener.incoming().map_while(Result::ok) {
                served.state.lock().unwrap().is_connected = true;
                let _ = serve(&stream, &served);
                served.state.lock().unwrap().is_connected = false;
                served.changed.notify_all();
            }
        });
        Disk { socket, shared }
    }

    /// What QEMU opens.
    pub(crate) fn address(&self) -> PathBuf {
        PathBuf::from(format!("nbd:unix:{}", self.socket.display()))
    }

    /// Has the power fail after so many more writes: the last of them reaches the cache, and is not
    /// answered.
    pub(crate) fn fail_after(&self, writes: u64) {
        let mut state = self.lock();
        state.fails_at = Some(state.writes + writes);
    }

    /// Waits until the power has failed.
    #[track_caller]
    pub(crate) fn wait_until_failed(&self) {
        drop(self.wait_while(|state| state.has_power));
    }

    #[track_caller]
    fn wait_while(&self, goes_on: fn(&State) -> bool) -> MutexGuard<'_, State> {
        let deadline = Instant::now() + WAIT;
        let mut state = self.lock();
        while goes_on(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "after {} writes no more came", state.writes);
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        state
    }

    /// Writes and flushes so far.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.lock();
        (state.writes, state.flushes)
    }

    /// The machine is off: what was flushed is there, of the rest what chance leaves. The power is
    /// back.
    pub(crate) fn settle(&self, chance: &mut Chance) -> Loss {
        // What QEMU had sent before it was killed has been read, and dropped, by then.
        let mut state = self.wait_while(|state| state.is_connected);
        let mut loss = Loss::default();
        // All, nothing, or each sector for itself.
        let kind = chance.below(4);
        for (number, versions) in std::mem::take(&mut state.unflushed) {
            loss.at_stake += 1;
            let kept = match kind {
                0 => 0,
                1 => versions.len(),
                _ => chance.below(versions.len() as u64 + 1) as usize,
            };
            match kept.checked_sub(1) {
                Some(last) => state.put(number, &versions[last]),
                None => loss.lost += 1,
            }
        }
        (state.fails_at, state.has_power) = (None, true);
        loss
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl State {
    fn put(&self, number: u64, sector: &Sector) {
        self.file.write_all_at(sector, number * SECTOR_OCTETS as u64).unwrap();
    }

    fn read(&self, at: u64, octets: &mut [u8]) {
        self.file.read_exact_at(octets, at).unwrap();
        let first = at / SECTOR_OCTETS as u64;
        for (number, place) in (first..).zip(octets.chunks_mut(SECTOR_OCTETS)) {
            if let Some(sector) = self.unflushed.get(&number).and_then(|all| all.last()) {
                place.copy_from_slice(sector);
            }
        }
    }

    fn write(&mut self, at: u64, octets: &[u8]) {
        let first = at / SECTOR_OCTETS as u64;
        for (number, sector) in (first..).zip(octets.chunks(SECTOR_OCTETS)) {
            self.unflushed.entry(number).or_default().push(sector.try_into().unwrap());
        }
        self.writes += 1;
        if self.fails_at.is_some_and(|number| self.writes >= number) {
            self.has_power = false;
        }
    }

    fn flush(&mut self) {
        for (number, versions) in std::mem::take(&mut self.unflushed) {
            self.put(number, &versions[versions.len() - 1]);
        }
        self.flushes += 1;
    }
}

// The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
const OPTION_MAGIC: u64 = 0x4948_4156_454f_5054;
const REPLY_MAGIC: u64 = 0x0003_e889_0455_65a9;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const SIMPLE_REPLY_MAGIC: u32 = 0x6744_6698;
const FIXED_NEWSTYLE_NO_ZEROES: u16 = 3;
const HAS_FLAGS_SEND_FLUSH: u16 = 5;
const OPTION_EXPORT_NAME: u32 = 1;
const OPTION_ABORT: u32 = 2;
const OPTION_INFO: u32 = 6;
const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = 0x8000_0001;
const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const TRANSFER_OCTETS_MAX: u32 = 32 << 20;

fn field<const N: usize>(mut stream: &UnixStream) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    stream.read_exact(&mut octets)?;
    Ok(octets)
}

/// One connection, until its end.
fn serve(stream: &UnixStream, shared: &Shared) -> io::Result<()> {
    let size = shared.state.lock().unwrap().file.metadata()?.len();
    if !negotiate(stream, size)? {
        return Ok(());
    }
    let mut octets = Vec::new();
    loop {
        let magic = u32::from_be_bytes(field(stream)?);
        assert_eq!(magic, REQUEST_MAGIC, "QEMU speaks NBD");
        let _flags = field::<2>(stream)?;
        let kind = u16::from_be_bytes(field(stream)?);
        let cookie = field::<8>(stream)?;
        let at = u64::from_be_bytes(field(stream)?);
        let length = u32::from_be_bytes(field(stream)?) as usize;
        let is_whole = [at as usize, length].iter().all(|octets| octets % SECTOR_OCTETS == 0);
        assert!(is_whole, "{length} octets at {at}: whole sectors were asked for");
        octets.resize(length, 0);
        if kind == WRITE {
            (&mut &*stream).read_exact(&mut octets)?;
        }
        let mut state = shared.state.lock().unwrap();
        match kind {
            // Without power nothing is taken and nothing is answered.
            _ if !state.has_power => continue,
            READ => state.read(at, &mut octets),
            WRITE => state.write(at, &octets),
            FLUSH => state.flush(),
            DISCONNECT => return Ok(()),
            _ => panic!("request {kind} was not offered"),
        }
        if !state.has_power {
            shared.changed.notify_all();
            continue;
        }
        drop(state);
        let mut reply = SIMPLE_REPLY_MAGIC.to_be_bytes().to_vec();
        reply.extend_from_slice(&[0; 4]);
        reply.extend_from_slice(&cookie);
        if kind == READ {
            reply.extend_from_slice(&octets);
        }
        (&mut &*stream).write_all(&reply)?;
    }
}

/// Agrees on the disk. False: QEMU only wanted to know.
fn negotiate(mut stream: &UnixStream, size: u64) -> io::Result<bool> {
    stream.write_all(b"NBDMAGICIHAVEOPT")?;
    stream.write_all(&FIXED_NEWSTYLE_NO_ZEROES.to_be_bytes())?;
    let _client = field::<4>(stream)?;
    let export = [&size.to_be_bytes()[..], &HAS_FLAGS_SEND_FLUSH.to_be_bytes()].concat();
    loop {
        assert_eq!(u64::from_be_bytes(field(stream)?), OPTION_MAGIC, "QEMU speaks NBD");
        let option = u32::from_be_bytes(field(stream)?);
        let length = u32::from_be_bytes(field(stream)?);
        stream.take(u64::from(length)).read_to_end(&mut Vec::new())?;
        let mut reply = |kind: u32, data: &[u8]| -> io::Result<()> {
            stream.write_all(&REPLY_MAGIC.to_be_bytes())?;
            stream.write_all(&option.to_be_bytes())?;
            stream.write_all(&kind.to_be_bytes())?;
            stream.write_all(&(data.len() as u32).to_be_bytes())?;
            stream.write_all(data)
        };
        match option {
            OPTION_EXPORT_NAME => {
                stream.write_all(&export)?;
                return Ok(true);
            }
            OPTION_INFO | OPTION_GO => {
                reply(REPLY_INFO, &[&INFO_EXPORT.to_be_bytes()[..], &export].concat())?;
                let mut sizes = INFO_BLOCK_SIZE.to_be_bytes().to_vec();
                for octets in [SECTOR_OCTETS as u32, 4096, TRANSFER_OCTETS_MAX] {
                    sizes.extend_from_slice(&octets.to_be_bytes());
                }
                reply(REPLY_INFO, &sizes)?;
                reply(REPLY_ACK, &[])?;
                if option == OPTION_GO {
                    return Ok(true);
                }
            }
            OPTION_ABORT => {
                reply(REPLY_ACK, &[])?;
                return Ok(false);
            }
            _ => reply(REPLY_UNSUPPORTED, &[])?,
        }
    }
}
