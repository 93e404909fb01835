//! LOC: latitude, longitude, altitude and precisions. RFC 1876 §2 (wire), §3 (text).
//! In: fields or 16 octets. Out: the other form. Never: floating point.
//! Text is exact for all sound data except sizes with mantissa 0 and an exponent; those are
//! printed as RFC 3597.

use super::encoding::{Cursor, number, parse_number, print_decimal};
use super::error::RdataError;

const LENGTH: usize = 16;
const EQUATOR: u32 = 1 << 31;
const LATITUDE_MAX: u32 = 90 * 3_600_000;
const LONGITUDE_MAX: u32 = 180 * 3_600_000;
/// The altitude 0 on the wire means 100,000 m below the reference spheroid; in centimetres.
const ALTITUDE_BASE: i64 = 10_000_000;
/// Defaults of size, horizontal and vertical precision: 1 m, 10 km, 10 m (RFC 1876 §3).
const PRECISIONS: [u8; 3] = [0x12, 0x16, 0x13];
const EXPECTED: &str = "a location like `52 22 23.000 N 4 53 32.000 E -2.00m 0m 10000m 10m`";

/// Length of sound LOC data.
pub(super) fn length(rest: &[u8]) -> Option<usize> {
    let data = rest.get(..LENGTH)?;
    let sizes = data[1..4].iter().all(|size| size >> 4 <= 9 && size & 15 <= 9);
    let angle = |octets: &[u8], max: u32| (number(octets) as u32).abs_diff(EQUATOR) <= max;
    let angles = angle(&data[4..8], LATITUDE_MAX) && angle(&data[8..12], LONGITUDE_MAX);
    (data[0] == 0 && sizes && angles).then_some(LENGTH)
}

/// Reads the text form.
pub(super) fn parse(cursor: &mut Cursor<'_, '_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let latitude = parse_angle(cursor, LATITUDE_MAX, [b'N', b'S'])?;
    let longitude = parse_angle(cursor, LONGITUDE_MAX, [b'E', b'W'])?;
    let altitude = cursor.read(EXPECTED, |text| {
        u32::try_from(parse_metres(text)?.checked_add(ALTITUDE_BASE)?).ok()
    })?;
    let mut precisions = PRECISIONS;
    for precision in &mut precisions {
        if cursor.peek().is_none() {
            break;
        }
        *precision = cursor.read(EXPECTED, |text| pack_size(parse_metres(text)?))?;
    }
    out.push(0);
    out.extend_from_slice(&precisions);
    for value in [latitude, longitude, altitude] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

/// Degrees, then minutes and seconds if given, then the hemisphere.
fn parse_angle(
    cursor: &mut Cursor<'_, '_>,
    max: u32,
    hemispheres: [u8; 2],
) -> Result<u32, RdataError> {
    let mut angle: u64 = cursor.read(EXPECTED, |text| parse_number(text, 180))? * 3_600_000;
    let hemisphere = |text: &[u8]| match text {
        [letter] => hemispheres.iter().position(|known| letter.eq_ignore_ascii_case(known)),
        _ => None,
    };
    for (unit, limit) in [(60_000, 59), (1, 59_999)] {
        let Some(field) = cursor.peek().filter(|field| hemisphere(field.text).is_none()) else {
            break;
        };
        let value = match unit {
            1 => parse_decimal(field.text, 3).and_then(|value| u64::try_from(value).ok()),
            _ => parse_number(field.text, limit),
        };
        angle += cursor.read(EXPECTED, |_| value.filter(|value| *value <= limit))? * unit;
    }
    let side = cursor.read(EXPECTED, hemisphere)?;
    if angle > u64::from(max) {
        return Err(cursor.refuse(EXPECTED));
    }
    // At most 180 degrees in milliseconds, checked above: fits 32 bits.
    let angle = angle as u32;
    Ok(if side == 0 { EQUATOR + angle } else { EQUATOR - angle })
}

/// A length in centimetres, from metres with at most two decimals and an optional `m`.
fn parse_metres(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"m").or(text.strip_suffix(b"M")).unwrap_or(text);
    match text.strip_prefix(b"-") {
        Some(text) => parse_decimal(text, 2).map(|centimetres| -centimetres),
        None => parse_decimal(text, 2),
    }
}

/// A decimal number with at most `places` decimals, times ten to the power of `places`.
fn parse_decimal(text: &[u8], places: usize) -> Option<i64> {
    let mut halves = text.splitn(2, |octet| *octet == b'.');
    let whole = parse_number(halves.next()?, 1 << 40)?;
    let mut value = i64::try_from(whole).ok()?;
    let decimals = halves.next().unwrap_or(b"");
    if decimals.len() > places {
        return None;
    }
    for place in 0..places {
        let digit = decimals.get(place).copied().unwrap_or(b'0');
        value = value * 10 + i64::try_from(parse_number(&[digit], 9)?).ok()?;
    }
    Some(value)
}

/// Centimetres as mantissa and exponent; digits behind the first are dropped, as in RFC 1876.
fn pack_size(centimetres: i64) -> Option<u8> {
    let mut mantissa = u64::try_from(centimetres).ok()?;
    let mut exponent = 0;
    while mantissa > 9 {
        mantissa /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((mantissa as u8) << 4 | exponent)
}

/// Appends the text form of sound data; `None` when text cannot hold it exactly.
pub(super) fn print(data: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if data[1..4].iter().any(|size| size >> 4 == 0 && size & 15 != 0) {
        return None;
    }
    print_angle(number(&data[4..8]) as u32, *b"NS", out);
    print_angle(number(&data[8..12]) as u32, *b"EW", out);
    let altitude = i64::try_from(number(&data[12..16])).ok()? - ALTITUDE_BASE;
    if altitude < 0 {
        out.push(b'-');
    }
    print_metres(altitude.unsigned_abs(), out);
    for size in &data[1..4] {
        out.push(b' ');
        print_metres(u64::from(size >> 4) * 10_u64.pow(u32::from(size & 15)), out);
    }
    Some(())
}

fn print_angle(wire: u32, hemispheres: [u8; 2], out: &mut Vec<u8>) {
    let angle = u64::from(wire.abs_diff(EQUATOR));
    print_decimal(angle / 3_600_000, out);
    out.push(b' ');
    print_decimal(angle / 60_000 % 60, out);
    out.push(b' ');
    print_decimal(angle / 1000 % 60, out);
    out.push(b'.');
    let thousandths = angle % 1000;
    for digit in [thousandths / 100, thousandths / 10 % 10, thousandths % 10] {
        out.push(b'0' + digit as u8);
    }
    let hemisphere = hemispheres[usize::from(wire < EQUATOR)];
    out.extend_from_slice(&[b' ', hemisphere, b' ']);
}

fn print_metres(centimetres: u64, out: &mut Vec<u8>) {
    print_decimal(centimetres / 100, out);
    let (tenths, hundredths) = (centimetres / 10 % 10, centimetres % 10);
    out.extend_from_slice(&[b'.', b'0' + tenths as u8, b'0' + hundredths as u8, b'm']);
}
