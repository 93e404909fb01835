//! Requests and answers of transfers, their TSIGs among them: no panic, nothing verifies that was
//! not signed, and a refusal is never answered to by another.
#![no_main]

use std::sync::Arc;

use dnssec::transfer::Rcode;
use dnssec::transfer::message::{AXFR, Answer, Request, query};
use dnssec::transfer::tsig::{TsigAlgorithm, TsigKey, TsigRecord, sign_request};
use dnssec::transfer::wire::{Head, read_name, record_at, skip_name};
use dnssec::{Name, Timestamp};
use libfuzzer_sys::fuzz_target;

const NOW: Timestamp = Timestamp(1_790_000_000);

fuzz_target!(|data: &[u8]| {
    let name = Name::parse(b"key.example.", None).expect("a name");
    // The fuzzer does not know the secret: what it makes cannot verify.
    let secret = b"a secret that no input has".to_vec().into();
    let key = Arc::new(TsigKey::new(name, TsigAlgorithm::HmacSha256, secret));
    match Request::decode(data) {
        Ok(request) => {
            let mut answer = Answer::new(&request, Rcode::REFUSED).finish(512);
            if let Some(record) = &request.tsig {
                let rejected = record.verify(data, Some(&key), NOW).expect_err("a forgery");
                rejected.append_to(&mut answer, NOW);
            }
            assert!(Head::read(&answer).is_some_and(|head| head.is_response));
        }
        Err(refused) => {
            let again = refused.answer().map(|answer| Request::decode(&answer));
            assert!(again.is_none_or(|again| again.is_err_and(|e| e.answer().is_none())));
        }
    }
    let _ = TsigRecord::find(data);
    let zone = Name::parse(b"zone.example.", None).expect("a name");
    let mut asked = query(7, &zone, AXFR, None);
    let _ = asked.response(data);
    let mut verifier = sign_request(&key, &mut asked.octets, NOW);
    assert!(verifier.verify(data, NOW).is_err());
    for at in 0..data.len().min(64) {
        if let Some((_, end)) = read_name(data, at) {
            assert_eq!(skip_name(data, at), Some(end));
        }
        let _ = record_at(data, at);
    }
});
