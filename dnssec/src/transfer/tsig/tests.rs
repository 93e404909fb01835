//! Each rule of RFC 8945 that a message can break, and random damage.

use std::sync::Arc;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::Timestamp;
use crate::transfer::Rcode;
use crate::transfer::wire::HEADER_OCTETS;

const NOW: Timestamp = Timestamp(1_790_000_000);

fn key(algorithm: TsigAlgorithm) -> Arc<TsigKey> {
    named_key("transfer.example.", algorithm, b"a secret that both know")
}

fn named_key(name: &str, algorithm: TsigAlgorithm, secret: &[u8]) -> Arc<TsigKey> {
    let name = Name::parse(name.as_bytes(), None).unwrap();
    Arc::new(TsigKey::new(name, algorithm, Zeroizing::new(secret.to_vec())))
}

/// A message of one question, `example. AXFR`, and `filling` octets of an additional record.
fn message(id: u16, filling: Option<&[u8]>) -> Vec<u8> {
    let mut octets = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    octets[..2].copy_from_slice(&id.to_be_bytes());
    octets.extend(b"\x07example\x00\x00\xFC\x00\x01");
    if let Some(filling) = filling {
        octets[11] = 1;
        octets.extend(b"\xC0\x0C\x00\x10\x00\x01\x00\x00\x00\x05");
        octets.extend((filling.len() as u16).to_be_bytes());
        octets.extend(filling);
    }
    octets
}

/// A signed request, the signer that the server has of it, and the client's verifier.
fn exchange(key: &Arc<TsigKey>) -> (Vec<u8>, Signer, Verifier) {
    let mut request = message(7, None);
    let verifier = sign_request(key, &mut request, NOW);
    let record = TsigRecord::find(&request).unwrap().unwrap();
    let signer = record.verify(&request, Some(key), NOW).unwrap();
    (request, signer, verifier)
}

fn rejection(request: &[u8], key: Option<&Arc<TsigKey>>, now: Timestamp) -> Rejected {
    let record = TsigRecord::find(request).unwrap().unwrap();
    record.verify(request, key, now).unwrap_err()
}

#[test]
fn names_of_algorithms() {
    for algorithm in TsigAlgorithm::ALL {
        assert_eq!(TsigAlgorithm::from_mnemonic(algorithm.mnemonic()), Some(algorithm));
        let wire = algorithm.wire_name().to_string();
        assert_eq!(TsigAlgorithm::from_mnemonic(&wire.to_uppercase()), Some(algorithm));
        assert_eq!(key(algorithm).context().finish().len(), algorithm.mac_octets());
    }
    assert_eq!(TsigAlgorithm::HmacMd5.wire_name().to_string(), "hmac-md5.sig-alg.reg.int.");
    for unknown in ["", "hmac", "hmac-sha256-128", "gss-tsig", "hmac-sha256.."] {
        assert_eq!(TsigAlgorithm::from_mnemonic(unknown), None);
    }
}

#[test]
fn macs_of_rfc2202_and_rfc4231() {
    let expected = [
        (TsigAlgorithm::HmacMd5, "750c783e6ab0b503eaa86e310a5db738"),
        (TsigAlgorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (TsigAlgorithm::HmacSha224, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"),
        (
            TsigAlgorithm::HmacSha256,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            TsigAlgorithm::HmacSha384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
             8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            TsigAlgorithm::HmacSha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    for (algorithm, mac) in expected {
        let mut context = named_key("k.", algorithm, b"Jefe").context();
        context.update(b"what do ya want ");
        context.update(b"for nothing?");
        assert_eq!(data_encoding::HEXLOWER.encode(&context.finish()), mac, "{algorithm}");
    }
}

#[test]
fn nothing_of_a_key_is_printed() {
    let text = format!("{:?}", key(TsigAlgorithm::HmacSha256));
    assert_eq!(text, "TsigKey(transfer.example. hmac-sha256)");
    let (request, signer, verifier) = exchange(&key(TsigAlgorithm::HmacSha256));
    let record = TsigRecord::find(&request).unwrap().unwrap();
    let text = format!("{record:?} {verifier:?}");
    assert!(!text.contains('['), "octets in {text}");
    assert_eq!(signer.key().name().to_string(), "transfer.example.");
}

#[test]
fn room_for_a_record_is_enough() {
    for algorithm in TsigAlgorithm::ALL {
        let key = key(algorithm);
        let mut request = message(7, None);
        let bare = request.len();
        sign_request(&key, &mut request, NOW);
        assert!(request.len() - bare <= key.record_octets());
        let mut answer = message(7, None);
        rejection(&request, Some(&key), Timestamp(0)).append_to(&mut answer, Timestamp(0));
        assert_eq!(answer.len() - bare, key.record_octets(), "the longest: BADTIME");
    }
}

#[test]
fn a_request_of_another_key_is_not_accepted_rfc8945_5_2_1() {
    let own = key(TsigAlgorithm::HmacSha256);
    let (request, ..) = exchange(&own);
    let other_algorithm = key(TsigAlgorithm::HmacSha512);
    let other_name = named_key("other.example.", TsigAlgorithm::HmacSha256, b"x");
    for known in [None, Some(&other_algorithm), Some(&other_name)] {
        let rejected = rejection(&request, known, NOW);
        assert!(matches!(rejected.reason(), Rejection::BadKey { .. }));
        assert_eq!(
            (rejected.rcode(), rejected.tsig_error()),
            (Rcode::NOTAUTH, Some(Rcode::BADKEY))
        );
        let mut answer = message(7, None);
        rejected.append_to(&mut answer, NOW);
        let record = TsigRecord::find(&answer).unwrap().unwrap();
        assert!(record.mac.is_empty(), "to strangers nothing is signed");
    }
}

#[test]
fn a_request_of_a_wrong_secret_is_not_accepted_rfc8945_5_2_2() {
    let (request, ..) = exchange(&key(TsigAlgorithm::HmacSha256));
    let wrong = named_key("transfer.example.", TsigAlgorithm::HmacSha256, b"guess");
    let rejected = rejection(&request, Some(&wrong), NOW);
    assert!(matches!(rejected.reason(), Rejection::BadSignature { .. }));
    let mut answer = message(7, None);
    rejected.append_to(&mut answer, NOW);
    let mut client = sign_request(&wrong, &mut message(7, None), NOW);
    let refused = TsigFault::Refused { error: Rcode::BADSIG, peer_time: None };
    assert_eq!(client.verify(&answer, NOW), Err(refused.clone()));
    assert_eq!(refused.to_string(), "the peer does not accept our TSIG: BADSIG");
}

#[test]
fn a_request_of_another_time_is_told_ours_rfc8945_5_2_3() {
    let key = key(TsigAlgorithm::HmacSha256);
    let fudge = u64::from(FUDGE_SECONDS);
    let mut request = message(7, None);
    let mut client = sign_request(&key, &mut request, NOW);
    let record = TsigRecord::find(&request).unwrap().unwrap();
    for near in [NOW.0 - fudge, NOW.0 + fudge] {
        assert!(record.verify(&request, Some(&key), Timestamp(near)).is_ok());
    }
    for far in [0, NOW.0 - fudge - 1, NOW.0 + fudge + 1] {
        let rejected = rejection(&request, Some(&key), Timestamp(far));
        assert!(matches!(rejected.reason(), Rejection::BadTime { .. }));
        let mut answer = message(7, None);
        rejected.append_to(&mut answer, Timestamp(far));
        let fault = client.clone().verify(&answer, NOW).unwrap_err();
        let peer_time = Some(Timestamp(far));
        assert_eq!(fault, TsigFault::Refused { error: Rcode::BADTIME, peer_time });
    }
    let mut answer = message(7, None);
    record.verify(&request, Some(&key), NOW).unwrap().sign(&mut answer, Timestamp(5));
    let fault = client.verify(&answer, NOW).unwrap_err();
    assert_eq!(fault, TsigFault::BadTime { message: 1, signed: Timestamp(5), now: NOW });
}

/// A signed request with its MAC cut to `octets`, or lengthened.
fn with_mac_of(octets: usize, key: &Arc<TsigKey>) -> Vec<u8> {
    let (request, ..) = exchange(key);
    let mut record = TsigRecord::find(&request).unwrap().unwrap();
    record.mac.resize(octets, 0);
    let mut request = request[..record.start].to_vec();
    request[10..HEADER_OCTETS].copy_from_slice(&[0, 0]);
    record.append_to(&mut request);
    request
}

#[test]
fn macs_that_are_cut_are_not_accepted_rfc8945_5_2_2_1() {
    let key = key(TsigAlgorithm::HmacSha256);
    for octets in [0, 9, 15, 33, 64] {
        let rejected = rejection(&with_mac_of(octets, &key), Some(&key), NOW);
        assert!(matches!(rejected.reason(), Rejection::MacLength { .. }), "{octets}");
        assert_eq!((rejected.rcode(), rejected.tsig_error()), (Rcode::FORMERR, None));
    }
    for octets in [16, 31] {
        let rejected = rejection(&with_mac_of(octets, &key), Some(&key), NOW);
        assert!(matches!(rejected.reason(), Rejection::BadTruncation { .. }), "{octets}");
        assert_eq!(rejected.tsig_error(), Some(Rcode::BADTRUNC));
    }
    let mut forged = with_mac_of(16, &key);
    let at = forged.len() - 16 - 6;
    forged[at] ^= 1;
    let rejected = rejection(&forged, Some(&key), NOW);
    assert!(matches!(rejected.reason(), Rejection::BadSignature { .. }));
}

#[test]
fn a_stream_is_verified_with_up_to_99_unsigned_in_between_rfc8945_5_3_1() {
    let key = key(TsigAlgorithm::HmacSha384);
    let (_, signer, verifier) = exchange(&key);
    for (unsigned, accepted) in [(0, true), (1, true), (99, true), (100, false)] {
        let (mut signer, mut verifier) = (signer.clone(), verifier.clone());
        let mut first = message(7, Some(b"first"));
        signer.sign(&mut first, NOW);
        verifier.verify(&first, NOW).unwrap();
        let between = message(7, Some(b"between"));
        // A server that signs now and then digests what it sent in between.
        let skipped: Vec<u8> = between.repeat(unsigned);
        let last = sign_after(&mut signer, &skipped);
        let results: Vec<_> = (0..unsigned).map(|_| verifier.verify(&between, NOW)).collect();
        let result = results.into_iter().collect::<Result<Vec<()>, _>>();
        match accepted {
            false => assert_eq!(result, Err(TsigFault::Missing { message: 101 })),
            true => {
                result.unwrap();
                assert_eq!(verifier.finish().is_ok(), unsigned == 0);
                verifier.verify(&last, NOW).unwrap();
                verifier.finish().unwrap();
            }
        }
    }
}

/// The next signed message of a server that sent `skipped` unsigned before it.
fn sign_after(signer: &mut Signer, skipped: &[u8]) -> Vec<u8> {
    let mut message = message(7, Some(b"last"));
    let algorithm = signer.key().algorithm().wire_name();
    let mut record = TsigRecord::blank(signer.key().name.clone(), algorithm, &message, NOW);
    let mut context = signer.key().context();
    stream::digest_mac(&mut context, signer.prior_mac());
    context.update(skipped);
    context.update(&message);
    record.digest_timers(&mut context);
    record.mac = context.finish();
    record.append_to(&mut message);
    message
}

#[test]
fn a_stream_without_its_beginning_or_end_or_in_another_order_is_not_accepted() {
    let key = key(TsigAlgorithm::HmacSha256);
    let (_, mut signer, verifier) = exchange(&key);
    let unsigned = message(7, None);
    let signed: Vec<Vec<u8>> = (0..3)
        .map(|_| {
            let mut message = message(7, None);
            signer.sign(&mut message, NOW);
            message
        })
        .collect();
    let mut empty = verifier.clone();
    assert_eq!(empty.finish(), Err(TsigFault::Missing { message: 0 }));
    assert_eq!(empty.verify(&unsigned, NOW), Err(TsigFault::Missing { message: 1 }));
    let mut swapped = verifier.clone();
    swapped.verify(&signed[0], NOW).unwrap();
    let fault = swapped.verify(&signed[2], NOW).unwrap_err();
    assert_eq!(fault, TsigFault::BadSignature { message: 2 });
    let mut cut = verifier.clone();
    cut.verify(&signed[0], NOW).unwrap();
    cut.verify(&unsigned, NOW).unwrap();
    assert_eq!(cut.finish(), Err(TsigFault::Missing { message: 2 }));
    assert_eq!(cut.verify(&signed[1], NOW), Err(TsigFault::BadSignature { message: 3 }));
    let mut torn = verifier;
    assert_eq!(torn.verify(&signed[0][..20], NOW), Err(TsigFault::Malformed { message: 1 }));
}

#[test]
fn an_answer_of_another_key_is_not_accepted() {
    let own = key(TsigAlgorithm::HmacSha256);
    let other = named_key("other.example.", TsigAlgorithm::HmacSha256, b"x");
    let (_, mut signer, _) = exchange(&other);
    let (_, _, mut verifier) = exchange(&own);
    let mut answer = message(7, None);
    signer.sign(&mut answer, NOW);
    let fault = verifier.verify(&answer, NOW).unwrap_err();
    assert!(matches!(fault, TsigFault::OtherKey { message: 1, .. }));
}

#[test]
fn a_tsig_is_the_last_record_and_whole_rfc8945_5_1() {
    let key = key(TsigAlgorithm::HmacSha256);
    let (request, ..) = exchange(&key);
    assert!(TsigRecord::find(&request).unwrap().is_some());
    assert_eq!(TsigRecord::find(&message(7, None)), Ok(None));
    assert_eq!(TsigRecord::find(&message(7, Some(b"x"))), Ok(None));
    let trailing = [&request[..], &[0]].concat();
    assert_eq!(TsigRecord::find(&trailing), Err(MalformedTsig));
    let mut twice = request.clone();
    sign_request(&key, &mut twice, NOW);
    assert_eq!(TsigRecord::find(&twice), Err(MalformedTsig), "one TSIG only");
    let mut as_answer = request.clone();
    as_answer.swap(7, 11);
    as_answer[11] = 1;
    assert_eq!(TsigRecord::find(&as_answer), Err(MalformedTsig), "it is counted elsewhere");
    for length in 0..request.len() {
        let torn = &request[..length];
        assert_eq!(TsigRecord::find(torn), Err(MalformedTsig), "cut to {length}");
    }
}

fn algorithms() -> impl Strategy<Value = TsigAlgorithm> {
    (0..TsigAlgorithm::ALL.len()).prop_map(|index| TsigAlgorithm::ALL[index])
}

proptest! {
    #[test]
    fn what_is_signed_verifies_until_a_bit_changes(
        algorithm in algorithms(),
        secret: Vec<u8>,
        fillings in proptest::collection::vec(any::<Vec<u8>>(), 1..5),
        time in 0..1_u64 << 47,
        bit: proptest::sample::Index,
    ) {
        let key = named_key("Transfer.Example.", algorithm, &secret);
        let now = Timestamp(time);
        let mut request = message(7, Some(&fillings[0]));
        let mut verifier = sign_request(&key, &mut request, now);
        let record = TsigRecord::find(&request).unwrap().unwrap();
        let mut signer = record.verify(&request, Some(&key), now).unwrap();
        let mut tampered = request.clone();
        let bit = bit.index(tampered.len() * 8);
        tampered[bit / 8] ^= 1 << (bit % 8);
        // The id is not signed (the original one is), nor is the case of the two names.
        let octet = bit / 8;
        let owner = record.start..record.start + key.name().as_wire().len();
        let algorithm = owner.end + 10..owner.end + 10 + record.algorithm.as_wire().len();
        let is_name = owner.contains(&octet) || algorithm.contains(&octet);
        let is_case = is_name && tampered.eq_ignore_ascii_case(&request);
        if let Ok(Some(record)) = TsigRecord::find(&tampered) {
            let verdict = record.verify(&tampered, Some(&key), now);
            prop_assert_eq!(verdict.is_ok(), bit < 16 || is_case);
        }
        for filling in &fillings {
            let mut answer = message(7, Some(filling));
            signer.sign(&mut answer, now);
            verifier.verify(&answer, now).unwrap();
        }
        verifier.finish().unwrap();
    }

    #[test]
    fn any_octets_are_looked_at_without_panic(octets: Vec<u8>, cut: proptest::sample::Index) {
        let key = key(TsigAlgorithm::HmacSha256);
        let (request, _, verifier) = exchange(&key);
        let at = cut.index(request.len());
        for octets in [octets.clone(), [&request[..at], &octets].concat()] {
            if let Ok(Some(record)) = TsigRecord::find(&octets) {
                let verdict = record.verify(&octets, Some(&key), NOW);
                prop_assert!(verdict.is_err() || octets == request);
            }
            prop_assert!(verifier.clone().verify(&octets, NOW).is_err());
        }
    }
}
