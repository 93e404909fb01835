//! Scripted servers on loopback: what they send, and what is made of it.

use super::*;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::NULL;
use tokio::net::TcpListener;

const DS_RDATA: [u8; 36] = [7; 36];

fn zone() -> Name {
    Name::parse(b"example.com.", None).unwrap()
}

async fn ask_for_ds(server: SocketAddr) -> Result<Response, QueryError> {
    ask(server, Asked::Authority, &zone(), RrType::DS).await
}

/// The answer to a question, before the script spoils it.
fn good(question: &Message) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.add_queries(question.queries.clone());
    let rdata = NULL::with(DS_RDATA.to_vec());
    let rdata = RData::Unknown { code: RecordType::DS, rdata };
    let name = question.queries[0].name().clone();
    answer.add_answer(Record::from_rdata(name, 300, rdata));
    answer
}

/// A server that answers each question by UDP with these datagrams, and each by TCP with that.
async fn server(
    udp: impl Fn(&Message) -> Vec<Vec<u8>> + Send + 'static,
    tcp: impl Fn(&Message) -> Vec<u8> + Send + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut octets = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut octets).await {
            let question = Message::from_vec(&octets[..length]).unwrap();
            assert!(question.edns.as_ref().unwrap().flags().dnssec_ok);
            for answer in udp(&question) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut octets = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut octets).await.unwrap();
            let answer = tcp(&Message::from_vec(&octets).unwrap());
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    address
}

fn bytes(message: Message) -> Vec<u8> {
    message.to_vec().unwrap()
}

#[track_caller]
fn check_good(response: &Response) {
    assert!(response.is_authoritative && response.rcode == 0);
    let [one] = response.answers.as_slice() else { panic!("{response:?}") };
    assert_eq!((&one.owner, one.rtype, one.ttl), (&zone(), RrType::DS, Ttl(300)));
    assert_eq!(one.rdata, DS_RDATA);
}

#[tokio::test]
async fn a_ds_comes_back_as_it_was_sent() {
    let address = server(|question| vec![bytes(good(question))], |_| Vec::new()).await;
    check_good(&ask_for_ds(address).await.unwrap());
}

#[tokio::test]
async fn what_does_not_answer_the_question_is_not_heard() {
    let spoiled = |question: &Message| {
        let mut wrong_id = good(question);
        wrong_id.metadata.id ^= 1;
        let mut no_response = good(question);
        no_response.metadata.message_type = MessageType::Query;
        let mut other_type = good(question);
        other_type.queries[0].set_query_type(RecordType::A);
        let mut other_name = good(question);
        other_name.queries[0].set_name(WireName::from_ascii("example.org.").unwrap());
        let mut no_question = good(question);
        no_question.queries.clear();
        let mut all: Vec<Vec<u8>> =
            [wrong_id, no_response, other_type, other_name, no_question].map(bytes).into();
        let cut = bytes(good(question));
        all.extend([Vec::new(), vec![0xff; 600], cut[..cut.len() - 1].to_vec()]);
        all.push(bytes(good(question)));
        all
    };
    let address = server(spoiled, |_| Vec::new()).await;
    check_good(&ask_for_ds(address).await.unwrap());
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_asked_for_by_tcp() {
    let cut = |question: &Message| {
        let mut answer = good(question);
        answer.metadata.truncation = true;
        answer.answers.clear();
        vec![bytes(answer)]
    };
    let address = server(cut, |question| bytes(good(question))).await;
    check_good(&ask_for_ds(address).await.unwrap());
    let address = server(cut, |_| vec![0xff; 40]).await;
    let error = ask_for_ds(address).await.unwrap_err();
    assert!(matches!(error, QueryError::NotTheAnswer), "{error}");
}

#[tokio::test]
async fn an_error_is_a_response_too() {
    let refused = |question: &Message| {
        let mut answer = good(question);
        answer.answers.clear();
        answer.metadata.response_code = ResponseCode::Refused;
        vec![bytes(answer)]
    };
    let address = server(refused, |_| Vec::new()).await;
    assert_eq!(ask_for_ds(address).await.unwrap().rcode, 5);
}

/// NOTIFY(CDS) as RFC 1996 §4.7 has it, and only its own acknowledgement is one.
#[tokio::test]
async fn a_notify_is_acknowledged_by_its_own_response() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let receiver = tokio::spawn(async move {
        let mut octets = [0; 2048];
        let (length, from) = socket.recv_from(&mut octets).await.unwrap();
        let told = Message::from_vec(&octets[..length]).unwrap();
        let mut answer = told.clone();
        answer.metadata.message_type = MessageType::Response;
        let mut query = answer.clone();
        query.metadata.op_code = OpCode::Query;
        for message in [query, told.clone(), answer] {
            socket.send_to(&bytes(message), from).await.unwrap();
        }
        told
    });
    let response = notify(address, &zone(), RrType::CDS).await.unwrap();
    assert_eq!(response.rcode, 0);
    let told = receiver.await.unwrap();
    assert_eq!(told.metadata.op_code, OpCode::Notify);
    assert!(told.metadata.authoritative && told.answers.is_empty());
    assert_eq!(told.queries[0].query_type(), RecordType::CDS);
}

/// A resolver's answer with types that are taken apart on the way.
#[tokio::test]
async fn addresses_and_records_of_newer_types_keep_their_octets() {
    let rdata = [&[0, 59, 1, 0, 53][..], b"\x01a\x00"].concat();
    let sent = rdata.clone();
    let udp = move |question: &Message| {
        assert!(question.metadata.recursion_desired);
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.add_queries(question.queries.clone());
        let name = question.queries[0].name().clone();
        let code = RecordType::from(66);
        let dsync = RData::Unknown { code, rdata: NULL::with(sent.clone()) };
        let addresses =
            [RData::A(Ipv4Addr::new(192, 0, 2, 1).into()), RData::AAAA(Ipv6Addr::LOCALHOST.into())];
        for data in addresses.into_iter().chain([dsync]) {
            answer.add_answer(Record::from_rdata(name.clone(), 60, data));
        }
        vec![bytes(answer)]
    };
    let address = server(udp, |_| Vec::new()).await;
    let response = ask(address, Asked::Resolver, &zone(), RrType(66)).await.unwrap();
    let found: Vec<&[u8]> = response.answers.iter().map(|one| one.rdata.as_slice()).collect();
    let six = Ipv6Addr::LOCALHOST.octets();
    assert_eq!(found, [&[192, 0, 2, 1][..], &six, &rdata]);
}

#[tokio::test]
async fn a_closed_port_is_an_error_at_once() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let error = ask_for_ds(address).await.unwrap_err();
    assert!(matches!(error, QueryError::Io(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn silence_has_an_end() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let error = ask_for_ds(socket.local_addr().unwrap()).await.unwrap_err();
    assert!(matches!(error, QueryError::NoAnswer), "{error}");
    let mut octets = [0; 2048];
    for _ in 0..UDP_TRIES {
        assert!(socket.try_recv(&mut octets).is_ok());
    }
    assert!(socket.try_recv(&mut octets).is_err());
}

/// Octets of any kind, and answers with octets changed: nothing panics.
#[test]
fn any_octets_are_survived() {
    let message = Message::new(9859, MessageType::Query, OpCode::Query);
    let question = Question::new(message, &zone(), RrType::DS).unwrap();
    let answer = bytes(good(&Message::from_vec(&question.octets).unwrap()));
    let seed = crate::runtime::testing::seed_or(9859);
    println!("SEED={seed}");
    let mut random = crate::runtime::testing::SeededRandom::new(seed);
    let mut read = 0;
    for _ in 0..50_000 {
        let mut octets = answer.clone();
        for _ in 0..=random.below(4) {
            let place = random.below(octets.len() as u64) as usize;
            octets[place] = random.below(256) as u8;
        }
        octets.truncate(octets.len() - random.below(3) as usize);
        let response = question.answer(&octets).as_ref().and_then(response);
        read += usize::from(response.is_some());
        if let Some(response) = response {
            // What is read may be anything; it has to be taken without a panic.
            let _ = dnssec::parent::read_response(&zone(), &response);
        }
    }
    assert!(read > 1000, "only {read} were read at all");
}
