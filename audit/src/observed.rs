//! What a zone says about itself, for audits without a policy: its apex, its kind of denial.
//! In: blocks of wire records. Out: [`Observed`]; nothing of it is a judgement.

use crate::expectations::Denial;
use crate::rdata;
use crate::wire::{self, rtype};

/// What a zone says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Owner name of the first SOA, in wire form.
    pub apex: Option<Vec<u8>>,
    /// Kind and parameters of denial, as NSEC3PARAM, or else the first NSEC or NSEC3 has them.
    pub denial: Denial,
}

/// NSEC3's opt-out flag (RFC 5155 §3.1.2.1).
const OPT_OUT: u8 = 1;

/// Looks at records until it is clear what the zone is. `apex`: its name, if that is known.
#[must_use]
pub fn observe(blocks: &[&[u8]], apex: Option<&[u8]>) -> Observed {
    let mut known = Observed { apex: apex.map(<[u8]>::to_vec), denial: Denial::None };
    let (mut opts_out, mut parameters, mut has_signatures) = (None, None, false);
    for block in blocks {
        let mut rest = *block;
        while let Some((record, length)) = wire::read_record(rest) {
            rest = &rest[length..];
            match record.rtype {
                rtype::SOA if known.apex.is_none() => known.apex = Some(record.owner.to_vec()),
                rtype::NSEC => {
                    known.denial = Denial::Nsec;
                    return known;
                }
                rtype::NSEC3PARAM if parameters.is_none() => {
                    parameters = rdata::nsec3param(record.rdata);
                }
                rtype::NSEC3 if opts_out.is_none() => {
                    let nsec3 = rdata::nsec3(record.rdata).map(|nsec3| nsec3.parameters);
                    opts_out = nsec3.map(|nsec3| nsec3.flags & OPT_OUT != 0);
                    parameters = parameters.or(nsec3);
                }
                rtype::RRSIG | rtype::DNSKEY => has_signatures = true,
                _ => {}
            }
            if let (Some(_), Some(opt_out), Some(parameters)) = (&known.apex, opts_out, parameters)
            {
                known.denial = nsec3(parameters, opt_out);
                return known;
            }
        }
    }
    known.denial = match parameters {
        Some(parameters) => nsec3(parameters, opts_out.unwrap_or(false)),
        // Signed, and without a proof of what does not exist: the audit will say so.
        None if has_signatures => Denial::Nsec,
        None => Denial::None,
    };
    known
}

/// A wire name in presentation form (RFC 1035 §5.1), with the final dot.
#[must_use]
pub fn name_text(name: &[u8]) -> String {
    wire::NameText(name).to_string()
}

fn nsec3(parameters: rdata::Nsec3Parameters<'_>, opt_out: bool) -> Denial {
    Denial::Nsec3 {
        hash_algorithm: parameters.hash_algorithm,
        iterations: parameters.iterations,
        salt: parameters.salt.to_vec(),
        opt_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::read_text;

    fn observed(text: &str) -> Observed {
        let section = read_text(text.as_bytes(), None).unwrap();
        observe(&[&section.records], None)
    }

    #[test]
    fn the_zone_tells_its_denial() {
        let soa = "example. 1 SOA a. b. 1 2 3 4 5\n";
        assert_eq!(observed(soa).denial, Denial::None);
        assert_eq!(observed(soa).apex, Some(b"\x07example\0".to_vec()));
        let signed = format!("{soa}example. 1 DNSKEY 257 3 13 AQID\n");
        assert_eq!(observed(&signed).denial, Denial::Nsec);
        let nsec3 = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 1 NSEC3 1 1 0 - \
                     0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS\n";
        let whole = format!("{soa}{nsec3}example. 1 NSEC3PARAM 1 0 2 ab\n");
        let expected = |iterations, salt: &[u8]| Denial::Nsec3 {
            hash_algorithm: 1,
            iterations,
            salt: salt.to_vec(),
            opt_out: true,
        };
        assert_eq!(observed(&format!("{soa}{nsec3}")).denial, expected(0, b""));
        let turned = format!("example. 1 NSEC3PARAM 1 0 2 ab\n{soa}{nsec3}");
        assert_eq!(observed(&turned).denial, expected(2, b"\xab"));
        assert_eq!(observed(&whole).denial, expected(0, b""), "the first NSEC3 decides");
    }
}
