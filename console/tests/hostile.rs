//! What the fuzz target `shell` runs, over mutated sessions: `SHELL_ROUNDS=n` for more rounds than
//! the usual few, `SEED=n` to repeat some.

#[path = "../../fuzz/shared/shell.rs"]
mod shell;

use shell::END;

/// Rounds, unless told.
const ROUNDS: u64 = 400;
/// Most octets of a session.
const OCTETS_MAX: usize = 4096;

/// Pieces of sessions: keys, and answers, whose first octet says which.
const PIECES: &[&[u8]] = &[
    b"zone list\r",
    b"que\r",
    b"key ds-s?",
    b"signer sign ex\t\t",
    b"queue | match 'a b' | count\r",
    b"plan --all | csv\r",
    b"help\r",
    b" Gq",
    b"\x12zo\x12\r",
    b"\x1b[A\x1b[1;5D\x1b[3~\x1bb\x1bd\x17\x19\x14\x0b\x15",
    b"\x1b[1234567890123456789;A",
    b"\x03",
    b"\x08\x7f\x01\x05\x02\x06",
    "ä日\u{202e}\u{301}\u{1f600}x".as_bytes(),
    b"\x00signer1 operator 2\n",
    b"\x00example.com\nexample.org\n",
    b"\x00a\nb\nc\nd\ne\nf\ng\nh\x1b[2J\n",
    b"\x00[{\"zone\":\"a\",\"at\":5},{\"b\":[1]}]",
    b"\x01warning \x1b]0;title\x07\n",
    b"\x02\x00",
    b"\x02\x01",
    b"\x04really? [y/N] ",
    b"yes\r",
    b"\x05\x00\x00",
    b"\x05\x50\x18",
    b"\x06no daemon",
];

/// Numbers that are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

fn session(numbers: &mut Numbers) -> Vec<u8> {
    let mut octets: Vec<u8> = (0..3).map(|_| numbers.below(256) as u8).collect();
    for _ in 0..numbers.below(40) {
        octets.extend_from_slice(PIECES[numbers.below(PIECES.len())]);
        octets.push(END);
    }
    for _ in 0..numbers.below(12) {
        let at = numbers.below(octets.len());
        match numbers.below(5) {
            0 => octets[at] ^= 1 << numbers.below(8),
            1 => octets[at] = numbers.below(256) as u8,
            2 => drop(octets.remove(at)),
            3 => octets.insert(at, numbers.below(256) as u8),
            _ => {
                let end = (at + numbers.below(30)).min(octets.len());
                let again: Vec<u8> = octets[at..end].repeat(1 + numbers.below(60));
                octets.splice(at..at, again);
            }
        }
        if octets.is_empty() {
            break;
        }
    }
    octets.truncate(OCTETS_MAX);
    octets
}

#[test]
fn no_session_panics_or_lets_anything_raw_through() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let rounds = number("SHELL_ROUNDS").unwrap_or(ROUNDS);
    let first = number("SEED").unwrap_or(1);
    for seed in first..first + rounds {
        let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let octets = session(&mut numbers);
        let run = std::panic::catch_unwind(|| shell::run(&octets));
        assert!(run.is_ok(), "SEED={seed} SHELL_ROUNDS=1: {:?}", String::from_utf8_lossy(&octets));
    }
}
