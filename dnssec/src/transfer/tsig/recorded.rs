//! What other programs sent, recorded: they and we mean the same by RFC 8945.
//! Answers to one request of ours by BIND 9.18, Knot DNS 3.2, NSD 4.6 and PowerDNS 4.7; requests
//! of dig 9.18, kdig 3.2 and nsupdate 9.18.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use super::*;
use crate::transfer::Rcode;
use crate::transfer::message::{Opcode, Request, query};
use crate::{Name, RrType, Serial, Timestamp};

fn key() -> Arc<TsigKey> {
    let secret = b"some secret of thirty-two octets".to_vec();
    let name = Name::parse(b"transfer.example.", None).unwrap();
    Arc::new(TsigKey::new(name, TsigAlgorithm::HmacSha256, Zeroizing::new(secret)))
}

/// Times of the requests, and the answers.
const ANSWERS: [(&str, u64, &str); 4] = [
    (
        "Named",
        1795369104,
        "000784000001000100010003047a6f6e65076578616d706c650000060001c00c000600010000003c0027036e\
     7331c00c0a686f73746d6173746572c00c0000000700000e1000000258000151800000003cc00c0002000100\
     00003c0002c02ac02a000100010000003c0004c000020100002904d0000000000000087472616e7366657207\
     6578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006b032890012c002082e82d\
     9508361169905d514ae86a919521b7c2d6715bf6bd00067a17e913697f000700000000",
    ),
    (
        "Knot",
        1795369104,
        "000784000001000100000002047a6f6e65076578616d706c650000060001c00c000600010000003c0027036e\
     7331c00c0a686f73746d6173746572c00c0000000700000e1000000258000151800000003c00002904d00000\
     00000000087472616e73666572076578616d706c650000fa00ff00000000003d0b686d61632d736861323536\
     0000006b032890012c002008aa8a9467368a5b9a4fc2a5963785f7aa264512d4d993f6aa04bb0cba281d5200\
     0700000000",
    ),
    (
        "Nsd",
        1795369104,
        "000784000001000100010003047a6f6e65076578616d706c650000060001c00c000600010000003c0027036e\
     7331c00c0a686f73746d6173746572c00c0000000700000e1000000258000151800000003cc00c0002000100\
     00003c0002c02ac02a000100010000003c0004c000020100002904d0000000000000087472616e7366657207\
     6578616d706c650000fa00ff00000000003d0b686d61632d7368613235360000006b032890012c002082e82d\
     9508361169905d514ae86a919521b7c2d6715bf6bd00067a17e913697f000700000000",
    ),
    (
        "Pdns",
        1795369104,
        "000784000001000100000002047a6f6e65076578616d706c650000060001c00c000600010000003c0027036e\
     7331c00c0a686f73746d6173746572c00c0000000700000e1000000258000151800000003c00002904d00000\
     00000000087472616e73666572076578616d706c650000fa00ff00000000003d0b686d61632d736861323536\
     0000006b032890012c002008aa8a9467368a5b9a4fc2a5963785f7aa264512d4d993f6aa04bb0cba281d5200\
     0700000000",
    ),
];

#[test]
fn answers_of_other_servers_verify() {
    let zone = Name::parse(b"zone.example.", None).unwrap();
    for (server, time, answer) in ANSWERS {
        let answer = HEXLOWER.decode(answer.as_bytes()).unwrap();
        let asked = query(7, &zone, RrType::SOA, None);
        let mut verifier = sign_request(&key(), &mut asked.octets.clone(), Timestamp(time));
        verifier.verify(&answer, Timestamp(time)).unwrap_or_else(|e| panic!("{server}: {e}"));
        verifier.finish().unwrap();
        let response = asked.response(&answer).unwrap();
        assert_eq!(
            (response.rcode, response.serial),
            (Rcode::NOERROR, Some(Serial(7))),
            "{server}"
        );
    }
}

const TIME_OF_REQUESTS: Timestamp = Timestamp(1795369105);
const REQUESTS: [(&str, Opcode, &str); 3] = [
    (
        "dig",
        Opcode::Query,
        "33b101200001000000000002047a6f6e65076578616d706c65000006000100002904d000000000000c000a00\
     08e045af5423844fe6087472616e73666572076578616d706c650000fa00ff00000000003d0b686d61632d73\
     68613235360000006b032891012c002036e44c58969e3d1110c3459771b2e9bcdc45e07e73e38c80b37b81a3\
     c2bd184233b100000000",
    ),
    (
        "kdig",
        Opcode::Query,
        "2b4001200001000000000001047a6f6e65076578616d706c650000060001087472616e73666572076578616d\
     706c650000fa00ff00000000003d0b686d61632d7368613235360000006b032891012c002042bbabdad444ee\
     617e050305e6084ecae053d3c3a43db343e49fe4f62d365d102b4000000000",
    ),
    (
        "nsupdate",
        Opcode::Update,
        "6fa628000001000000010001047a6f6e65076578616d706c6500000600010161c00c00010001000000050004\
     c0000201087472616e73666572076578616d706c650000fa00ff00000000003d0b686d61632d736861323536\
     0000006b032891012c0020959e9395052f3ba948067cbd8ec8927eae55f26062eee0edcd923f55055f4f156f\
     a600000000",
    ),
];

#[test]
fn requests_of_other_clients_verify() {
    for (client, opcode, request) in REQUESTS {
        let octets = HEXLOWER.decode(request.as_bytes()).unwrap();
        let request = Request::decode(&octets).unwrap();
        assert_eq!(request.opcode, opcode, "{client}");
        let verdict = request.tsig.unwrap().verify(&octets, Some(&key()), TIME_OF_REQUESTS);
        assert!(verdict.is_ok(), "{client}: {verdict:?}");
    }
}
