//! Deterministic zones for tests and benches: the same arguments give the same bytes on every
//! machine. Three shapes: a registry (delegations, glue, some DS), an enterprise (mixed records,
//! deep names, empty non-terminals, wildcards) and a hoster (many zones of about 30 records). In:
//! shape, count, origin, seed. Out: zone file text (RFC 1035 §5) and its number of records. Never:
//! clock, system randomness. Limit: DS digests and DKIM keys are random digits, nothing hashes to
//! them.

use std::fmt::Write as _;
use std::io::{self, Write};

/// Seed of every zone that the documentation quotes numbers for.
pub const SEED: u64 = 20_240_501;

/// SplitMix64: small, and good enough for made-up names.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True in `per_mille` of 1000 cases.
    fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.below(16) as usize])).collect()
    }

    fn ipv4(&mut self, network: u8) -> String {
        let x = self.below(1 << 24);
        format!("{network}.{}.{}.{}", x >> 16, (x >> 8) & 255, x & 255)
    }

    fn ipv6(&mut self) -> String {
        let mut part = || self.below(65_535) + 1;
        format!("2001:db8:{:x}:{:x}::{:x}", part(), part(), part())
    }

    /// A pronounceable label that ends in `counter` in base 36, so it is unique and yet not in
    /// order.
    fn label(&mut self, counter: u64) -> String {
        const ONSETS: &[&str] = &[
            "b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z",
            "ch", "st", "br", "tr",
        ];
        const RIMES: &[&str] = &["a", "e", "i", "o", "u", "ai", "ou", "er", "in", "on"];
        let mut text = String::new();
        for _ in 0..2 + self.below(4) {
            text.push_str(ONSETS[self.below(ONSETS.len() as u64) as usize]);
            text.push_str(RIMES[self.below(RIMES.len() as u64) as usize]);
        }
        match self.below(1000) {
            0..80 => text.insert(text.len() / 2, '-'),
            80..95 => text = format!("xn--{text}-kva"),
            _ => {}
        }
        text + &base36(counter)
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits.iter().rev().map(|digit| char::from(*digit)).collect()
}

/// Writes lines and counts them; every line is one record.
struct Records<'w, W: Write> {
    out: &'w mut W,
    count: u64,
}

impl<W: Write> Records<'_, W> {
    fn put(&mut self, owner: &str, ttl: u32, rest: &str) -> io::Result<()> {
        self.count += 1;
        writeln!(self.out, "{owner} {ttl} IN {rest}")
    }

    fn apex(&mut self, origin: &str, servers: u32) -> io::Result<()> {
        let soa = format!("ns1.nic.{origin} hostmaster.nic.{origin} 1000 1800 900 604800 3600");
        self.put(origin, 3600, &format!("SOA {soa}"))?;
        for k in 1..=servers {
            self.put(origin, 3600, &format!("NS ns{k}.nic.{origin}"))?;
            self.put(&format!("ns{k}.nic.{origin}"), 3600, &format!("A 192.0.2.{k}"))?;
            self.put(&format!("ns{k}.nic.{origin}"), 3600, &format!("AAAA 2001:db8::{k}"))?;
        }
        Ok(())
    }
}

/// A registry's zone with `delegations` delegations: 8 % with DS, 3 % (and the hosters) with glue.
/// `origin` ends with a dot. Returns the number of records.
pub fn tld(delegations: u64, origin: &str, seed: u64, out: &mut impl Write) -> io::Result<u64> {
    let mut random = Random(seed);
    let mut records = Records { out, count: 0 };
    records.apex(origin, 4)?;
    records.put(origin, 3600, "TXT \"benchmark zone\"")?;
    let hosters = (delegations / 2000).max(20);
    let inside = hosters / 3;
    let mut hoster_names: Vec<String> = Vec::new();
    for i in 0..delegations {
        let domain = format!("{}.{origin}", random.label(i));
        let servers = match random.below(100) {
            0..62 => 2,
            62..81 => 3,
            _ => 4,
        };
        if i < inside {
            hoster_names.push(domain.clone());
        }
        if i < inside || random.chance(30) {
            delegation_with_glue(&mut records, &mut random, &domain, servers)?;
        } else {
            // Squared, so that a few hosters serve most domains.
            let x = random.below(1 << 16);
            let hoster = ((x * x * hosters) >> 32) as usize;
            let parent = match hoster_names.get(hoster) {
                Some(name) => name.clone(),
                None => format!("dns{hoster}.{}.", ["net", "com", "org"][hoster % 3]),
            };
            for k in 1..=servers {
                records.put(&domain, 3600, &format!("NS ns{k}.{parent}"))?;
            }
        }
        if random.chance(80) {
            for _ in 0..if random.chance(930) { 1 } else { 2 } {
                let ds = ds_rdata(&mut random);
                records.put(&domain, 3600, &format!("DS {ds}"))?;
            }
        }
    }
    Ok(records.count)
}

fn delegation_with_glue<W: Write>(
    records: &mut Records<'_, W>,
    random: &mut Random,
    domain: &str,
    servers: u32,
) -> io::Result<()> {
    for k in 1..=servers {
        records.put(domain, 3600, &format!("NS ns{k}.{domain}"))?;
    }
    for k in 1..=servers {
        let host = format!("ns{k}.{domain}");
        records.put(&host, 3600, &format!("A {}", random.ipv4(198)))?;
        if random.chance(400) {
            records.put(&host, 3600, &format!("AAAA {}", random.ipv6()))?;
        }
    }
    Ok(())
}

fn ds_rdata(random: &mut Random) -> String {
    let algorithm = if random.chance(600) { 13 } else { 8 };
    let tag = random.below(65_536);
    let (digest_type, digits) = if random.chance(30) { (4, 96) } else { (2, 64) };
    format!("{tag} {algorithm} {digest_type} {}", random.hex(digits))
}

/// An enterprise's zone with at least `least` records, all kinds mixed. Returns the number of
/// records.
pub fn enterprise(least: u64, origin: &str, seed: u64, out: &mut impl Write) -> io::Result<u64> {
    let mut random = Random(seed);
    let mut records = Records { out, count: 0 };
    records.apex(origin, 2)?;
    records.put(origin, 3600, &format!("MX 10 mail.{origin}"))?;
    records.put(&format!("mail.{origin}"), 3600, "A 192.0.2.25")?;
    records.put(origin, 3600, "TXT \"v=spf1 mx -all\"")?;
    let mut i = 0;
    while records.count < least {
        i += 1;
        enterprise_name(&mut records, &mut random, origin, i)?;
    }
    Ok(records.count)
}

fn enterprise_name<W: Write>(
    records: &mut Records<'_, W>,
    random: &mut Random,
    origin: &str,
    i: u64,
) -> io::Result<()> {
    const REGIONS: &[&str] = &["emea", "apac", "amer", "lab.emea", "dc1.amer"];
    let site = format!("s{}.{}.{origin}", random.below(400), REGIONS[random.below(5) as usize]);
    let label = random.label(i);
    let name = format!("{label}.{site}");
    match random.below(100) {
        0..45 => {
            records.put(&name, 3600, &format!("A {}", random.ipv4(10)))?;
            if random.chance(450) {
                records.put(&name, 3600, &format!("AAAA {}", random.ipv6()))?;
            }
            if random.chance(50) {
                records.put(&name, 3600, &format!("TXT \"owner={label}\" \"asset={i}\""))?;
            }
        }
        45..60 => {
            let target = random.label(i / 2);
            records.put(&name, 300, &format!("CNAME {target}.{site}"))?;
        }
        60..70 => {
            for _ in 0..2 + random.below(4) {
                records.put(&name, 60, &format!("A {}", random.ipv4(10)))?;
            }
        }
        70..78 => {
            let service = ["ldap", "kerberos", "sip", "xmpp"][(i % 4) as usize];
            let rest = format!("SRV 0 5 {} srv{}.{origin}", 1024 + i % 60_000, i % 5000);
            records.put(&format!("_{service}._tcp.{name}"), 600, &rest)?;
        }
        78..83 => {
            records.put(&name, 3600, &format!("MX 10 mx1.{origin}"))?;
            records.put(&name, 3600, &format!("MX 20 mx2.{origin}"))?;
            let spf = format!("TXT \"v=spf1 ip4:{}/24 -all\"", random.ipv4(10));
            records.put(&name, 3600, &spf)?;
        }
        83..93 => {
            let x = random.below(1 << 24);
            let reverse = format!("{}.{}.{}.{}", i & 255, x & 255, (x >> 8) & 255, x >> 16);
            records.put(&format!("{reverse}.rev.{origin}"), 3600, &format!("PTR {name}"))?;
        }
        // Four empty non-terminals, or a part of them, between this name and its neighbour.
        93..96 => records.put(&format!("x{i}.a.b.c.d.{name}"), 3600, "TXT \"deep\"")?,
        96..98 => records.put(&format!("*.{name}"), 3600, &format!("A {}", random.ipv4(10)))?,
        98 => {
            let key =
                format!("TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"", random.hex(128), random.hex(128));
            records.put(&format!("k{}._domainkey.{name}", i % 4), 3600, &key)?;
        }
        _ => {
            records.put(&name, 3600, &format!("NS ns1.{name}"))?;
            records.put(&format!("ns1.{name}"), 3600, &format!("A {}", random.ipv4(10)))?;
        }
    }
    Ok(())
}

/// Zone `index` of a hoster, about 30 records: its name (with the final dot) and its text.
pub fn hosting(index: u64, seed: u64) -> (String, String) {
    let mut random = Random(seed ^ (index + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93));
    let zone = format!("{}.host{}.test.", random.label(index), index % 10);
    let mut text = String::from("$TTL 3600\n");
    let mut put = |owner: &str, rest: &str| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{owner} IN {rest}");
    };
    put(&zone, "SOA ns1.hoster.net. hostmaster.hoster.net. 1000 7200 3600 1209600 3600");
    for k in 1..=3 {
        put(&zone, &format!("NS ns{k}.hoster.net."));
    }
    put(&zone, "MX 10 mx1.hoster.net.");
    put(&zone, "MX 20 mx2.hoster.net.");
    put(&zone, &format!("TXT \"site-verification={}\"", random.below(1_000_000_000)));
    put(&zone, "TXT \"v=spf1 include:_spf.hoster.net ~all\"");
    put(&zone, "CAA 0 issue \"ca.example\"");
    put(&zone, "CAA 0 iodef \"mailto:sec@hoster.net\"");
    for host in ["", "*.", "mail.", "webmail."] {
        put(&format!("{host}{zone}"), &format!("A {}", random.ipv4(198)));
        put(&format!("{host}{zone}"), &format!("AAAA {}", random.ipv6()));
    }
    for host in ["imap", "smtp"] {
        put(&format!("{host}.{zone}"), &format!("A {}", random.ipv4(198)));
    }
    for host in ["www", "ftp", "autoconfig", "cpanel"] {
        put(&format!("{host}.{zone}"), &format!("CNAME {zone}"));
    }
    put(&format!("_dmarc.{zone}"), "TXT \"v=DMARC1; p=none\"");
    let key = format!("TXT \"v=DKIM1; k=rsa; p={}\"", random.hex(128));
    put(&format!("default._domainkey.{zone}"), &key);
    put(&format!("_imaps._tcp.{zone}"), &format!("SRV 0 1 993 imap.{zone}"));
    put(&format!("_submission._tcp.{zone}"), &format!("SRV 0 1 587 smtp.{zone}"));
    for k in 0..random.below(6) {
        put(&format!("app{k}.{zone}"), &format!("A {}", random.ipv4(198)));
    }
    (zone, text)
}
