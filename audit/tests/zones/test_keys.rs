//! Keys of the test signer: Ed25519 made from one octet, P-256 made once a run, RSA made by OpenSSL
//! where a foreign judge knows nothing else. Signatures with any change to their fields.

use std::cell::Cell;
use std::collections::HashMap;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};

use crate::common::{EXPIRATION, INCEPTION, RRSIG, Rr, canonical, labels, name};

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Arc<RsaKeyPair>),
}

/// A key of the zone of these tests.
pub(crate) struct Key {
    pair: Pair,
    pub(crate) rdata: Vec<u8>,
}

thread_local! {
    static USES_RSA: Cell<bool> = const { Cell::new(false) };
    /// Added to all times in signatures.
    static SHIFT: Cell<i64> = const { Cell::new(0) };
}

/// Runs with RSA keys wherever keys are not said to be others.
pub(crate) fn with_rsa_keys<T>(work: impl FnOnce() -> T) -> T {
    USES_RSA.set(true);
    let result = work();
    USES_RSA.set(false);
    result
}

/// Runs with the times of signatures moved, so that they are as good at `clock` as they are
/// otherwise at [`NOW`](crate::common::NOW).
pub(crate) fn at_clock_time<T>(clock: u64, work: impl FnOnce() -> T) -> T {
    SHIFT.set(clock.cast_signed() - crate::common::NOW.cast_signed());
    let result = work();
    SHIFT.set(0);
    result
}

fn dnskey(flags: u16, algorithm: u8, public_key: &[u8]) -> Vec<u8> {
    let [high, low] = flags.to_be_bytes();
    [&[high, low, 3, algorithm], public_key].concat()
}

/// A DNSKEY with an RSA modulus of this size, of which nobody has the private key.
pub(crate) fn dnskey_of_rsa(flags: u16, algorithm: u8, bits: usize) -> Vec<u8> {
    let modulus = vec![0x93; bits / 8];
    dnskey(flags, algorithm, &[&[3, 1, 0, 1], &modulus[..]].concat())
}

impl Key {
    pub(crate) fn new(seed: u8, flags: u16) -> Self {
        if USES_RSA.get() {
            let pair = rsa_pair(seed);
            let RsaPublicKeyComponents { n, e } =
                RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
            let key = [&[e.len() as u8], &e[..], &n].concat();
            return Key { rdata: dnskey(flags, 8, &key), pair: Pair::Rsa(pair) };
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Key { rdata: dnskey(flags, 15, pair.public_key().as_ref()), pair: Pair::Ed25519(pair) }
    }

    /// An ECDSA key; the same one for the same seed in one run.
    pub(crate) fn p256(seed: u8, flags: u16) -> Self {
        static MADE: OnceLock<Mutex<HashMap<u8, Vec<u8>>>> = OnceLock::new();
        let random = SystemRandom::new();
        let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
        let file = made.entry(seed).or_insert_with(|| {
            let file = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
            file.unwrap().as_ref().to_vec()
        });
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, file, &random).unwrap();
        Key { rdata: dnskey(flags, 13, &pair.public_key().as_ref()[1..]), pair: Pair::P256(pair) }
    }

    pub(crate) fn algorithm(&self) -> u8 {
        self.rdata[3]
    }

    pub(crate) fn tag(&self) -> u16 {
        let sum: u32 = self
            .rdata
            .iter()
            .enumerate()
            .map(|(at, &octet)| u32::from(octet) << if at % 2 == 0 { 8 } else { 0 })
            .sum();
        ((sum + (sum >> 16)) & 0xffff) as u16
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// RRSIG over records that are in canonical order and form, with `change` applied to the
    /// fields before the signature is made.
    pub(crate) fn rrsig_with(&self, rrset: &[Rr], change: impl Fn(&mut Vec<u8>)) -> Rr {
        let first = &rrset[0];
        let labels = labels(&first.owner).len() - usize::from(first.owner.starts_with(b"\x01*"));
        let mut rdata = Vec::new();
        rdata.extend_from_slice(&first.rtype.to_be_bytes());
        rdata.extend_from_slice(&[self.algorithm(), labels as u8]);
        for number in [first.ttl, EXPIRATION, INCEPTION] {
            rdata.extend_from_slice(&number.to_be_bytes());
        }
        rdata.extend_from_slice(&self.tag().to_be_bytes());
        rdata.extend_from_slice(&name("example"));
        change(&mut rdata);
        for field in [8, 12] {
            let time = u32::from_be_bytes(rdata[field..field + 4].try_into().unwrap());
            let moved = (i64::from(time) + SHIFT.get()) as u32;
            rdata[field..field + 4].copy_from_slice(&moved.to_be_bytes());
        }
        let mut message = rdata.clone();
        for record in rrset {
            message.extend_from_slice(&record.owner.to_ascii_lowercase());
            message.extend_from_slice(&record.rtype.to_be_bytes());
            message.extend_from_slice(&record.class.to_be_bytes());
            message.extend_from_slice(&rdata[4..8]);
            message.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
            message.extend_from_slice(&canonical(record.rtype, &record.rdata));
        }
        rdata.extend_from_slice(&self.sign(&message));
        Rr { rtype: RRSIG, rdata, ..first.clone() }
    }
}

/// RDATA of the DS, or CDS, of a key.
pub(crate) fn ds(key: &Key, digest_type: u8) -> Vec<u8> {
    let algorithm = match digest_type {
        1 => &SHA1_FOR_LEGACY_USE_ONLY,
        2 => &SHA256,
        _ => &SHA384,
    };
    let digest = digest(algorithm, &[&name("example")[..], &key.rdata].concat());
    [&key.tag().to_be_bytes()[..], &[key.algorithm(), digest_type], digest.as_ref()].concat()
}

fn rsa_pair(seed: u8) -> Arc<RsaKeyPair> {
    static MADE: OnceLock<Mutex<HashMap<u8, Arc<RsaKeyPair>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
    let make = || {
        let options = ["genpkey", "-algorithm", "RSA", "-outform", "DER"];
        let output = Command::new("openssl")
            .args(options)
            .args(["-pkeyopt", "rsa_keygen_bits:2048"])
            .output()
            .unwrap_or_else(|error| panic!("openssl: {error}; run cargo xtask setup"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // In what form DER comes depends on the version of OpenSSL.
        let pair = RsaKeyPair::from_pkcs8(&output.stdout);
        Arc::new(pair.or_else(|_| RsaKeyPair::from_der(&output.stdout)).unwrap())
    };
    made.entry(seed).or_insert_with(make).clone()
}
