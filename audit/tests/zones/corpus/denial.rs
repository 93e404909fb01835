//! Defects of NSEC and NSEC3.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = nsec_cases();
    cases.extend(nsec3_record_cases());
    cases.extend(nsec3_chain_cases());
    cases
}

fn nsec_cases() -> Vec<Case> {
    vec![
        Case { expect: |e| e.denial = nsec3(false), ..nsec("NSEC where NSEC3 is wanted", &[501]) },
        with_signed("a name without NSEC", &[502], |z| {
            z.retain(|record| !is_signature_of(record, "www.example", NSEC));
            z.retain(|record| record.rtype != NSEC || record.owner != name("www.example"));
        })
        .only_nsec(),
        with_signed("NSEC at glue", &[503], |z| {
            let nsec = find(z, "sub.example", NSEC).clone();
            z.push(Rr { owner: name("ns.sub.example"), ..nsec });
        })
        .only_nsec(),
        with_chain("two NSEC at one name", &[504], |z| {
            let mut nsec = find(z, "www.example", NSEC).clone();
            nsec.rdata = [name("zzz.example"), bitmap(&[A])].concat();
            z.push(nsec);
        }),
        with_chain("NSEC points to a name that is not there", &[505], |z| {
            let nsec = find(z, "www.example", NSEC);
            nsec.rdata = [name("zzz.example"), bitmap(&[A, TXT, RRSIG, NSEC])].concat();
        }),
        with_chain("NSEC leaves a name out", &[505, 502], |z| {
            let next = find(z, "ns1.example", NSEC).rdata.clone();
            let nsec = find(z, "Mail.example", NSEC);
            let next_name = name("lone.only.example");
            nsec.rdata = [&next_name, &bitmap(&[A, RRSIG, NSEC])[..]].concat();
            assert_eq!(next[..next_name.len()], next_name[..]);
            z.retain(|r| r.rtype != NSEC || r.owner != name("ns1.example"));
        }),
        with_chain("bitmap with a wrong type", &[506], |z| {
            *find(z, "www.example", NSEC).rdata.last_mut().unwrap() ^= 0x80;
        }),
        with_chain("TTL of NSEC is not the negative TTL", &[507], |z| {
            z.iter_mut().filter(|r| r.rtype == NSEC).for_each(|r| r.ttl = 3600);
        }),
    ]
}

impl Case {
    fn only_nsec(self) -> Case {
        Case { is_for_all: false, ..self }
    }
}

fn nsec3_record_cases() -> Vec<Case> {
    vec![
        Case {
            expect: |e| e.denial = Denial::Nsec,
            ..case("NSEC3 where NSEC is wanted", &[501], nsec3(false))
        },
        with_nsec3("bitmap of an NSEC3 with a wrong type", &[506], |z| {
            *first(z, NSEC3).rdata.last_mut().unwrap() ^= 0x80;
        }),
        with_nsec3("TTL of one NSEC3 is not the negative TTL", &[507], |z| {
            first(z, NSEC3).ttl = 3600;
        }),
        with_nsec3("two NSEC3PARAM", &[511], |z| {
            z.push(rr("example", NSEC3PARAM, &[1, 0, 0, 0, 0]));
        }),
        Case {
            source: |z| z.push(rr("www.example", NSEC3PARAM, &[1, 0, 0, 0, 0])),
            ..case("NSEC3PARAM below the apex", &[512], nsec3(false))
        },
        with_nsec3("NSEC3PARAM with a flag", &[513], |z| first(z, NSEC3PARAM).rdata[1] = 1),
        with_opt_out("NSEC3PARAM with the opt-out flag", &[513], |z| {
            first(z, NSEC3PARAM).rdata[1] = 1;
        }),
        with_nsec3("NSEC3PARAM with another salt", &[513], |z| {
            first(z, NSEC3PARAM).rdata[5] ^= 1;
        }),
        with_nsec3("one NSEC3 with other iterations", &[514], |z| first(z, NSEC3).rdata[3] = 2),
        with_nsec3("one NSEC3 with opt-out, none wanted", &[515], |z| {
            first(z, NSEC3).rdata[1] = 1;
        }),
        with_nsec3("NSEC3 at a name that is no hash", &[516], |z| {
            let nsec3 = first(z, NSEC3).clone();
            z.push(Rr { owner: name("short.example"), ..nsec3 });
        }),
        Case {
            expect: |e| e.limits.nsec3_iterations = 0,
            ..case("more iterations than the limit", &[521], nsec3(false))
        },
    ]
}

fn nsec3_chain_cases() -> Vec<Case> {
    let out =
        |what, codes, left_out, opt_out| Case { left_out, ..case(what, codes, nsec3(opt_out)) };
    vec![
        with_nsec3("NSEC3 points to a hash that is not there", &[517], |z| {
            first(z, NSEC3).rdata[27] ^= 1;
        }),
        out("a name without NSEC3", &[518], &["www.example"], false),
        out("an empty non-terminal without NSEC3", &[518], &["ent.example"], true),
        out("a secure delegation in an opt-out span", &[518], &["safe.example"], true),
        out("a wildcard without NSEC3", &[518], &["*.wild.example"], false),
        Case {
            put_in: &[("ghost.example", &[A])],
            ..case("NSEC3 of a name that is not there", &[519], nsec3(false))
        },
        Case { put_in: &[("ns.sub.example", &[A])], ..case("NSEC3 of glue", &[519], nsec3(true)) },
        out("a delegation left out without opt-out", &[520], &["sub.example"], false),
        out("an empty non-terminal left out without opt-out", &[520], &["only.example"], false),
    ]
}
