//! Files with private keys from any bytes: a key or a fault, never a panic; a key that was read is
//! PKCS#8 of the same algorithm, and has a public half or says why not.
#![no_main]

use dnssec::Algorithm;
use hsm::import::read_private_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The first byte names the algorithm that the operator asks for; most values name none.
    let Some((&number, file)) = data.split_first() else { return };
    if let Ok(found) = read_private_key(file, Algorithm::from_number(number)) {
        let again = read_private_key(&found.pkcs8, Some(found.algorithm));
        let again = again.expect("what was read is read again");
        assert_eq!(again.algorithm, found.algorithm);
        let _ = found.public();
    }
});
