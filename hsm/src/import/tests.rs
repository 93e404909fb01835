//! Keys as `dnssec-keygen` and `openssl` write them, taken into a built-in token; and whatever
//! else may stand in a file.

use super::*;
use crate::KeyTransfer;
use crate::builtin::{BuiltinToken, Unlock};
use crate::slot::{SignBatch, Slot, random_key_id};
use crate::verify::verify;
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

fn run(folder: &Path, program: &str, words: &str) -> Vec<u8> {
    let output = Command::new(program).args(words.split(' ')).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; run cargo xtask setup"));
    assert!(output.status.success(), "{program} {words}: {output:?}");
    output.stdout
}

/// Takes the key into a token, has it sign there, and gives its public half.
#[track_caller]
fn check_signs(bytes: &[u8], wanted: Option<Algorithm>) -> dnssec::key::PublicKey {
    let found = read_private_key(bytes, wanted).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let unlock = Unlock::Pin("1234".into());
    let path = folder.path().join("keys");
    let token = BuiltinToken::create("main", &path, "Anchor", &unlock).unwrap();
    let key = random_key_id().unwrap();
    let public = token.import(&key, found.algorithm, &found.pkcs8).unwrap();
    let messages = [b"to be signed".as_slice()].into_iter().collect();
    let batch = SignBatch { key, algorithm: found.algorithm, messages };
    let signatures = token.sign(&batch).unwrap();
    assert!(verify(&public, b"to be signed", signatures.get(0).unwrap()));
    public
}

#[test]
fn keys_of_bind() {
    let algorithms = ["RSASHA1", "NSEC3RSASHA1", "RSASHA256", "RSASHA512"].map(|name| (name, 2048));
    let curves = [("ECDSAP256SHA256", 256), ("ECDSAP384SHA384", 384), ("ED25519", 256)];
    for (name, bits) in algorithms.into_iter().chain(curves) {
        let folder = tempfile::tempdir().unwrap();
        let words = format!("-q -a {name} -b {bits} -K . example.com");
        let stem = String::from_utf8(run(folder.path(), "dnssec-keygen", &words)).unwrap();
        let read = |end| std::fs::read(folder.path().join(format!("{}.{end}", stem.trim())));
        let public = check_signs(&read("private").unwrap(), None);
        let record = String::from_utf8(read("key").unwrap()).unwrap();
        let line = record.lines().find(|line| !line.starts_with(';')).unwrap();
        let (_, data) = line.split_once("DNSKEY").unwrap();
        let mut words = data.split_whitespace().skip(2);
        assert_eq!(words.next().unwrap(), public.algorithm.number().to_string());
        let key: String = words.collect();
        assert_eq!(*base64::decode(key.as_bytes()).unwrap(), public.bytes, "{name}");
        let error = read_private_key(&read("private").unwrap(), Some(Algorithm::Ed448));
        assert!(matches!(error, Err(ImportFault::OtherAlgorithm { .. })), "{error:?}");
    }
}

#[test]
fn keys_of_openssl_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |words: &str| run(folder.path(), "openssl", words);
    for (make, algorithm) in [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", Algorithm::RsaSha256),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", Algorithm::EcdsaP256Sha256),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", Algorithm::EcdsaP384Sha384),
        ("genpkey -algorithm ED25519", Algorithm::Ed25519),
    ] {
        let pem = openssl(make);
        std::fs::write(folder.path().join("key.pem"), &pem).unwrap();
        let wanted = algorithm.is_rsa().then_some(algorithm);
        let public = check_signs(&pem, wanted);
        assert_eq!(
            check_signs(&openssl("pkcs8 -topk8 -nocrypt -in key.pem -outform DER"), wanted),
            public
        );
        if algorithm.is_rsa() {
            let fault = read_private_key(&pem, None).unwrap_err();
            assert_eq!(fault, ImportFault::AlgorithmNeeded);
        }
        let fault = read_private_key(&pem, Some(Algorithm::Ed448)).unwrap_err();
        assert!(matches!(fault, ImportFault::AlgorithmMismatch { .. }), "{fault}");
        if algorithm != Algorithm::Ed25519 {
            // The older form of each: PKCS#1 or SEC 1.
            assert_eq!(check_signs(&openssl("pkey -in key.pem -traditional"), wanted), public);
            let der = openssl("pkey -in key.pem -traditional -outform DER");
            assert_eq!(check_signs(&der, wanted), public);
        }
        for encrypt in [
            "pkcs8 -topk8 -in key.pem -passout pass:secret",
            "pkcs8 -topk8 -in key.pem -passout pass:secret -outform DER",
        ] {
            let fault = read_private_key(&openssl(encrypt), wanted).unwrap_err();
            assert_eq!(fault, ImportFault::Encrypted, "{encrypt}");
        }
        let public = openssl("pkey -in key.pem -pubout");
        assert_eq!(read_private_key(&public, wanted).unwrap_err(), ImportFault::UnknownForm);
    }
}

#[test]
fn parameters_before_the_key_and_the_old_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |words: &str| run(folder.path(), "openssl", words);
    check_signs(&openssl("ecparam -name prime256v1 -genkey"), None);
    let fault = read_private_key(&openssl("ecparam -name secp521r1 -genkey"), None).unwrap_err();
    assert_eq!(fault, ImportFault::UnusableKind);
    std::fs::write(folder.path().join("key.pem"), openssl("ecparam -name prime256v1 -genkey"))
        .unwrap();
    let old = openssl("ec -in key.pem -aes128 -passout pass:secret");
    assert_eq!(read_private_key(&old, None).unwrap_err(), ImportFault::Encrypted);
}

#[track_caller]
fn check_fault(text: &str, expected: ImportFault) {
    assert_eq!(read_private_key(text.as_bytes(), None).unwrap_err(), expected, "{text}");
}

#[test]
fn each_fault_of_a_file() {
    check_fault("", ImportFault::UnknownForm);
    check_fault("something else", ImportFault::UnknownForm);
    check_fault("0", ImportFault::DerDamaged);
    check_fault("-----BEGIN PRIVATE KEY-----\nMA==\n", ImportFault::PemDamaged { line: 1 });
    let damaged = "\n-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n";
    check_fault(damaged, ImportFault::PemDamaged { line: 2 });
    check_fault("-----BEGIN CERTIFICATE-----\n", ImportFault::UnknownForm);
    let bind = |rest: &str| format!("Private-key-format: v1.3\n{rest}");
    check_fault("Private-key-format: v2.0\n", ImportFault::UnknownVersion { found: "v2.0".into() });
    check_fault(&bind(""), ImportFault::FieldMissing { field: "Algorithm" });
    for found in ["3 (DSA)", "12", "16 (ED448)", "x", "300"] {
        let fault = ImportFault::UnusableAlgorithm { found: found.to_owned() };
        check_fault(&bind(&format!("Algorithm: {found}\n")), fault);
    }
    let ed25519 = |key: &str| bind(&format!("Algorithm: 15\n{key}"));
    check_fault(&ed25519("Label: pkcs11:x\n"), ImportFault::FieldMissing { field: "PrivateKey" });
    for key in
        ["PrivateKey: !", "PrivateKey: Zm9v", "PrivateKey:", "PrivateKey: AA==\nPrivateKey: AA=="]
    {
        check_fault(&ed25519(key), ImportFault::FieldDamaged { field: "PrivateKey" });
    }
    check_fault(
        &bind("Algorithm: 8\nModulus: AQAB\n"),
        ImportFault::FieldMissing { field: "PublicExponent" },
    );
    let long = vec![b' '; FILE_BYTES_MAX + 1];
    assert_eq!(read_private_key(&long, None).unwrap_err(), ImportFault::TooLong);
}

#[test]
fn secrets_are_not_printed() {
    let seed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let text = format!("Private-key-format: v1.3\nAlgorithm: 15\nPrivateKey: {seed}\n");
    let found = read_private_key(text.as_bytes(), None).unwrap();
    assert_eq!(format!("{found:?}"), "FoundKey(ED25519, ..)");
}

/// A key whose every part is then damaged.
fn sample() -> impl Strategy<Value = Vec<u8>> {
    let seed = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let fields = [
        "Modulus",
        "PublicExponent",
        "PrivateExponent",
        "Prime1",
        "Prime2",
        "Exponent1",
        "Exponent2",
        "Coefficient",
    ]
    .map(|name| format!("{name}: {seed}\n"))
    .concat();
    let rsa = format!("Private-key-format: v1.2\nAlgorithm: 8\n{fields}");
    let ec = format!("Private-key-format: v1.3\nAlgorithm: 14\nPrivateKey: {seed}\n");
    let key = read_private_key(ec.as_bytes(), None).unwrap();
    let wrapped = read_private_key(rsa.as_bytes(), None).unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{seed}\n-----END PRIVATE KEY-----\n");
    prop::sample::select(vec![
        rsa.into_bytes(),
        ec.into_bytes(),
        key.pkcs8.to_vec(),
        wrapped.pkcs8.to_vec(),
        pem.into_bytes(),
    ])
}

/// A key with the numbers of today's length, made once.
static RSA_KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let pem = run(folder.path(), "openssl", "genpkey -algorithm RSA -outform DER");
    read_private_key(&pem, Some(Algorithm::RsaSha256)).unwrap().pkcs8.to_vec()
});

/// The two ways in which a key is taken apart agree: with a public half there are numbers.
fn check_parts(found: &FoundKey) {
    let numbers = numbers(found.algorithm, &found.pkcs8);
    assert!(numbers.is_some() || found.public().is_err(), "{found:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_a_key_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_private_key(&bytes, Some(Algorithm::RsaSha256));
    }

    /// Keys of today's and of older RSA algorithms are read by different libraries.
    #[test]
    fn damaged_rsa_keys_have_a_public_half_or_a_fault(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_old: bool,
    ) {
        let mut bytes = RSA_KEY.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let algorithm = if is_old { Algorithm::RsaSha1 } else { Algorithm::RsaSha256 };
        if let Ok(found) = read_private_key(&bytes, Some(algorithm)) {
            check_parts(&found);
        }
    }

    #[test]
    fn damaged_keys_are_a_key_or_a_fault(
        mut bytes in sample(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
    ) {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(found) = read_private_key(&bytes, None) {
            // What is taken for PKCS#8 reads as the same again.
            let again = read_private_key(&found.pkcs8, Some(found.algorithm)).unwrap();
            prop_assert_eq!(again.algorithm, found.algorithm);
            check_parts(&found);
        }
    }
}
