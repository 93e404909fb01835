//! Zone files of the tests' records for foreign judges. Text of a type where the RDATA has its
//! form, and the form of unknown types (RFC 3597 §5) where it has not.

use crate::common::*;

/// The whole file, the SOA first.
pub(crate) fn zone_file(records: &[Rr]) -> String {
    let (soas, others): (Vec<&Rr>, Vec<&Rr>) = records.iter().partition(|r| r.rtype == SOA);
    soas.into_iter().chain(others).map(line).collect()
}

fn line(record: &Rr) -> String {
    let class = if record.class == 1 { "IN" } else { "CH" };
    let text = rdata(record.rtype, &record.rdata);
    let text = text.unwrap_or_else(|| format!("\\# {} {}", record.rdata.len(), hex(&record.rdata)));
    format!("{} {} {class} {} {text}\n", owner(&record.owner), record.ttl, mnemonic(record.rtype))
}

fn mnemonic(rtype: u16) -> String {
    let known = match rtype {
        A => "A",
        NS => "NS",
        CNAME => "CNAME",
        SOA => "SOA",
        MX => "MX",
        TXT => "TXT",
        28 => "AAAA",
        DNAME => "DNAME",
        DS => "DS",
        RRSIG => "RRSIG",
        NSEC => "NSEC",
        DNSKEY => "DNSKEY",
        NSEC3 => "NSEC3",
        NSEC3PARAM => "NSEC3PARAM",
        CDS => "CDS",
        CDNSKEY => "CDNSKEY",
        ZONEMD => "ZONEMD",
        other => return format!("TYPE{other}"),
    };
    known.to_owned()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The names of these tests have no octet that needs a backslash.
fn owner(name: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = name;
    while rest[0] != 0 {
        let (label, after) = rest[1..].split_at(usize::from(rest[0]));
        text.push_str(std::str::from_utf8(label).unwrap());
        text.push('.');
        rest = after;
    }
    if text.is_empty() { ".".to_owned() } else { text }
}

fn take<'o>(rest: &mut &'o [u8], length: usize) -> Option<&'o [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn take_number(rest: &mut &[u8], length: usize) -> Option<u64> {
    let octets = take(rest, length)?;
    Some(octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet)))
}

fn take_name(rest: &mut &[u8]) -> Option<String> {
    let mut end = 0;
    while *rest.get(end)? != 0 {
        end += 1 + usize::from(rest[end]);
    }
    take(rest, end + 1).map(owner)
}

fn rdata(rtype: u16, octets: &[u8]) -> Option<String> {
    let rest = &mut &*octets;
    let mut words: Vec<String> = Vec::new();
    match rtype {
        A if octets.len() == 4 => {
            let numbers: Vec<String> = octets.iter().map(ToString::to_string).collect();
            return Some(numbers.join("."));
        }
        NS | CNAME | DNAME => words.push(take_name(rest)?),
        MX => words.extend([take_number(rest, 2)?.to_string(), take_name(rest)?]),
        TXT => {
            let length = take_number(rest, 1)? as usize;
            words.push(format!("\"{}\"", std::str::from_utf8(take(rest, length)?).ok()?));
        }
        SOA => {
            words.extend([take_name(rest)?, take_name(rest)?]);
            for _ in 0..5 {
                words.push(take_number(rest, 4)?.to_string());
            }
        }
        DS | CDS => {
            for length in [2, 1, 1] {
                words.push(take_number(rest, length)?.to_string());
            }
            words.push(hex(std::mem::take(rest)));
        }
        DNSKEY | CDNSKEY => {
            for length in [2, 1, 1] {
                words.push(take_number(rest, length)?.to_string());
            }
            words.push(base64(std::mem::take(rest)));
        }
        RRSIG => {
            words.push(mnemonic(take_number(rest, 2)? as u16));
            for length in [1, 1, 4] {
                words.push(take_number(rest, length)?.to_string());
            }
            words.extend([time(take_number(rest, 4)?), time(take_number(rest, 4)?)]);
            words.extend([take_number(rest, 2)?.to_string(), take_name(rest)?]);
            words.push(base64(std::mem::take(rest)));
        }
        NSEC => {
            words.push(take_name(rest)?);
            words.extend(types(std::mem::take(rest))?);
        }
        NSEC3 | NSEC3PARAM => {
            for length in [1, 1, 2] {
                words.push(take_number(rest, length)?.to_string());
            }
            let length = take_number(rest, 1)? as usize;
            words.push(match take(rest, length)? {
                [] => "-".to_owned(),
                salt => hex(salt),
            });
            if rtype == NSEC3 {
                let length = take_number(rest, 1)? as usize;
                let hash = nsec3_owner(take(rest, length)?);
                words.push(String::from_utf8(hash[1..33].to_vec()).ok()?);
                words.extend(types(std::mem::take(rest))?);
            }
        }
        ZONEMD => {
            for length in [4, 1, 1] {
                words.push(take_number(rest, length)?.to_string());
            }
            words.push(hex(std::mem::take(rest)));
        }
        _ => return None,
    }
    rest.is_empty().then(|| words.join(" "))
}

/// The types of a bitmap, which these tests keep in one window.
fn types(bitmap: &[u8]) -> Option<Vec<String>> {
    let Some((&[0, length], bits)) = bitmap.split_first_chunk() else {
        return bitmap.is_empty().then(Vec::new);
    };
    let is_set = |t: &u16| bits[usize::from(t / 8)] & (0x80 >> (t % 8)) != 0;
    let all = 0..u16::from(length) * 8;
    (bits.len() == usize::from(length)).then(|| all.filter(is_set).map(mnemonic).collect())
}

fn base64(octets: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| -> String {
        let bits = (0..3)
            .fold(0_u32, |bits, at| bits << 8 | three.get(at).map_or(0, |&octet| u32::from(octet)));
        let digit = |at: usize| match at <= three.len() {
            true => char::from(digits[(bits >> (18 - 6 * at) & 63) as usize]),
            false => '=',
        };
        (0..4).map(digit).collect()
    };
    octets.chunks(3).map(group).collect()
}

/// `YYYYMMDDHHmmSS` of Unix seconds (RFC 4034 §3.2).
fn time(seconds: u64) -> String {
    let (mut year, mut day) = (1970, seconds / 86_400);
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year}{month:02}{:02}{hour:02}{minute:02}{second:02}", day + 1)
}

#[test]
fn texts_of_known_values() {
    assert_eq!(time(1_800_000_000), "20270115080000");
    assert_eq!(time(1_709_210_096), "20240229123456");
    assert_eq!(base64(b"foobar"), "Zm9vYmFy");
    assert_eq!(base64(b"fooba"), "Zm9vYmE=");
    assert_eq!(base64(b"f"), "Zg==");
}
