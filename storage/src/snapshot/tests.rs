//! Snapshots: what was written comes back; every torn length and every flipped byte is an error
//! that names file and offset; file names are safe and unique; cleaning removes no more than it
//! should.

use super::*;
use dnssec::{Name, Serial};
use proptest::prelude::*;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn header(zone: &str, generation: u64) -> SnapshotHeader {
    SnapshotHeader {
        zone: name(zone),
        generation,
        serial: Serial(2_026_112_201),
        record_count: 12,
        signature_count: 5,
    }
}

fn write(folder: &Path, header: &SnapshotHeader, sections: &[(u32, Vec<Vec<u8>>)]) -> PathBuf {
    let chunks: Vec<Vec<&[u8]>> =
        sections.iter().map(|(_, chunks)| chunks.iter().map(Vec::as_slice).collect()).collect();
    let sections: Vec<SnapshotSection<'_>> = sections
        .iter()
        .zip(&chunks)
        .map(|((number, _), chunks)| SnapshotSection { number: SectionNumber(*number), chunks })
        .collect();
    write_snapshot(folder, header, &sections).unwrap()
}

fn small(folder: &Path) -> PathBuf {
    let owners = vec![b"first chunk".to_vec(), vec![], b"another".to_vec()];
    write(folder, &header("Example.com.", 3), &[(0, owners), (1, vec![vec![0; 40]]), (7, vec![])])
}

/// Overwrites a snapshot, which nobody may do in the product.
fn tamper(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn chunks_come_back_and_outlive_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("signer/snapshots");
    let path = small(folder);
    assert_eq!(path, folder.join("example.com.3.snapshot"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
    let snapshot = open_snapshot(folder, &name("EXAMPLE.com."), 3).unwrap();
    assert_eq!(snapshot.header(), &header("example.com.", 3));
    assert_eq!(snapshot.header().zone.to_string(), "Example.com.");
    let numbers: Vec<u32> = snapshot.section_numbers().map(|number| number.0).collect();
    assert_eq!(numbers, [0, 1, 7]);
    let owners: Vec<MappedBytes> = snapshot.chunks(SectionNumber::OWNERS).collect();
    let nsec3 = snapshot.chunks(SectionNumber::NSEC3).next().unwrap();
    assert_eq!(snapshot.chunks(SectionNumber(9)).len(), 0);
    drop(snapshot);
    fs::remove_file(path).unwrap();
    let threaded = std::thread::spawn(move || nsec3.as_ref().to_vec()).join().unwrap();
    assert_eq!(threaded, [0; 40]);
    let expected: [&[u8]; 3] = [b"first chunk", b"", b"another"];
    assert!(owners.iter().map(|chunk| &**chunk).eq(expected));
    // Parts start at multiples of 8, so that a chunk may hold aligned numbers.
    assert!(owners.iter().all(|chunk| chunk.as_ptr().addr() % 8 == 0));
}

/// The bytes drawn in `FORMAT.md`.
#[test]
fn the_bytes_of_format_md() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &header("a.", 3), &[(0, vec![b"chunk".to_vec()])]);
    let bytes = fs::read(path).unwrap();
    let hex: Vec<String> = bytes
        .chunks(16)
        .map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
        .collect();
    let format_md = include_str!("../../FORMAT.md");
    for (index, line) in hex.iter().enumerate() {
        let drawn = format!("{:3}  {line}", index * 16);
        assert!(format_md.contains(&drawn), "FORMAT.md lacks:\n{}", hex.join("\n"));
    }
}

#[test]
fn a_torn_file_is_an_error_at_every_64th() {
    let folder = tempfile::tempdir().unwrap();
    let chunks: Vec<Vec<u8>> = (0..40).map(|number| vec![number; 997]).collect();
    let path = write(folder.path(), &header("example.", 1), &[(0, chunks)]);
    let whole = fs::read(&path).unwrap();
    let lengths = (0..64).map(|part| whole.len() * part / 64);
    for length in lengths.chain(whole.len() - 70..whole.len()).chain(0..300) {
        tamper(&path, &whole[..length]);
        let error = open_snapshot_file(&path).unwrap_err();
        let SnapshotError::WrongLength { found, .. } = error else { panic!("{length}: {error:?}") };
        assert_eq!(found, length as u64);
        assert!(error.to_string().contains(&format!("offset {length}")), "{error}");
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
        // A power cut may also leave the length, and zeros where the bytes were not written.
        let mut zeroed = whole.clone();
        zeroed[length..].fill(0);
        tamper(&path, &zeroed);
        assert!(open_snapshot_file(&path).is_err(), "{length} bytes, then zeros");
    }
    let surplus = [whole.as_slice(), b"x"].concat();
    tamper(&path, &surplus);
    let error = open_snapshot_file(&path).unwrap_err();
    assert!(matches!(error, SnapshotError::WrongLength { .. }), "{error:?}");
}

#[test]
fn every_flipped_byte_is_found_and_placed() {
    let folder = tempfile::tempdir().unwrap();
    let path = small(folder.path());
    let whole = fs::read(&path).unwrap();
    let mut parts = HashMap::new();
    for position in 0..whole.len() {
        for mask in [0x01, 0x80, 0xFF] {
            let mut flipped = whole.clone();
            flipped[position] ^= mask;
            tamper(&path, &flipped);
            let error = open_snapshot_file(&path).unwrap_err();
            let kind = match error {
                SnapshotError::WrongMagic { .. } => "magic",
                SnapshotError::WrongVersion { .. } => "version",
                SnapshotError::WrongLength { .. } => "length",
                SnapshotError::Corrupt { offset, part, .. } => {
                    let place = position as u64;
                    let near = matches!(part, SnapshotPart::Padding) || offset <= place;
                    assert!(near, "byte {position}: {part:?} at {offset}");
                    match part {
                        SnapshotPart::Head => "head",
                        SnapshotPart::Directory { .. } => "directory",
                        SnapshotPart::Chunk { .. } => "chunk",
                        SnapshotPart::Padding => "padding",
                        SnapshotPart::Trailer => "trailer",
                    }
                }
                other => panic!("byte {position}: {other:?}"),
            };
            *parts.entry(kind).or_insert(0) += 1;
        }
    }
    let seen = ["magic", "version", "head", "directory", "chunk", "padding", "trailer"];
    assert!(seen.iter().all(|kind| parts.contains_key(kind)), "{parts:?}");
}

#[test]
fn another_zone_or_generation_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = small(folder.path());
    let other_zone = snapshot_path(folder.path(), &name("example.org."), 3);
    fs::copy(&path, &other_zone).unwrap();
    let error = open_snapshot(folder.path(), &name("example.org."), 3).unwrap_err();
    assert!(matches!(error, SnapshotError::WrongZone { .. }), "{error:?}");
    fs::copy(&path, snapshot_path(folder.path(), &name("example.com."), 4)).unwrap();
    let error = open_snapshot(folder.path(), &name("example.com."), 4).unwrap_err();
    assert!(matches!(error, SnapshotError::WrongGeneration { expected: 4, found: 3, .. }));
    let error = open_snapshot(folder.path(), &name("example.net."), 1).unwrap_err();
    let missing = SnapshotOperation::Open;
    assert!(matches!(error, SnapshotError::Io { operation, .. } if operation == missing));
    tamper(&other_zone, b"$ORIGIN example.org.\n");
    let error = open_snapshot(folder.path(), &name("example.org."), 3).unwrap_err();
    assert!(matches!(error, SnapshotError::WrongMagic { .. }), "{error:?}");
}

#[test]
fn more_than_the_format_holds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let section = |number| SnapshotSection { number: SectionNumber(number), chunks: &[] };
    let twice = [section(4), section(4)];
    let many: Vec<SnapshotSection<'_>> = (0..=SECTION_COUNT_MAX as u32).map(section).collect();
    for sections in [&twice[..], &many] {
        let error = write_snapshot(folder.path(), &header("a.", 1), sections).unwrap_err();
        let limit = SnapshotLimit::Sections;
        assert!(matches!(error, SnapshotError::TooLarge { limit: found, .. } if found == limit));
    }
    let most = &many[..SECTION_COUNT_MAX];
    write_snapshot(folder.path(), &header("a.", 1), most).unwrap();
    open_snapshot(folder.path(), &name("a."), 1).unwrap();
}

#[test]
fn file_names_of_all_kinds_of_zones() {
    let check = |zone: &str, stem: &str| assert_eq!(zone_file_stem(&name(zone)), stem);
    check(".", "@");
    check("Example.COM.", "example.com");
    check("0/25.2.0.192.in-addr.arpa.", "0%2F25.2.0.192.in-addr.arpa");
    check("\\.\\.._x.", "%2E%2E._x");
    check("\\000\\255%41.", "%00%FF%2541");
    let long = format!("{}.", ["\\001".repeat(60).as_str(); 4].join("."));
    let stem = zone_file_stem(&name(&long));
    assert_eq!(stem.len(), 165);
    assert!(stem.starts_with("%01%01") && stem.as_bytes()[100] == b'~', "{stem}");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &header(&long, u64::MAX), &[]);
    open_snapshot(folder.path(), &name(&long), u64::MAX).unwrap();
}

#[test]
fn cleaning_keeps_the_true_generation_and_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (zone, generation) in [("a.", 1), ("a.", 2), ("a.", 3), ("1.a.", 1), ("2.", 9)] {
        write(folder, &header(zone, generation), &[]);
    }
    // Of a living process (1), of a dead one, and none of ours.
    let temporary = ".a.4.snapshot.1-0.anchorite-tmp";
    let longer = ".a.b.4.snapshot.1-0.anchorite-tmp";
    let dead = ".b.4.snapshot.4194305-0.anchorite-tmp";
    for name in [temporary, longer, dead, "a.007.snapshot", "a.journal"] {
        fs::write(folder.join(name), "").unwrap();
    }
    remove_generation(folder, &name("a."), 1).unwrap();
    remove_generation(folder, &name("a."), 1).unwrap();
    assert_eq!(cleanup(folder, &name("a."), 2).unwrap(), 2);
    let left = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names.join(" ")
    };
    let kept = "1.a.1.snapshot 2.9.snapshot a.007.snapshot a.2.snapshot a.journal";
    assert_eq!(left(folder), format!("{longer} {dead} {kept}"));
    let (a, two) = (name("a."), name("2."));
    assert_eq!(cleanup_all(folder, [(&a, 2), (&two, 8)]).unwrap(), 3);
    assert_eq!(left(folder), format!("{longer} a.007.snapshot a.2.snapshot a.journal"));
    assert_eq!(cleanup_all(&folder.join("none"), []).unwrap(), 0);
    let error = cleanup(&folder.join("none"), &a, 1).unwrap_err();
    let list = SnapshotOperation::List;
    assert!(matches!(error, SnapshotError::Io { operation, .. } if operation == list));
}

fn any_name() -> impl Strategy<Value = Name> {
    let octet = prop_oneof![any::<u8>(), Just(b'.'), Just(b'%'), Just(b'/'), Just(b'a')];
    let label = proptest::collection::vec(octet, 1..12);
    proptest::collection::vec(label, 0..8).prop_map(|labels| {
        let mut wire: Vec<u8> = Vec::new();
        for label in labels {
            wire.push(label.len() as u8);
            wire.extend(label);
        }
        wire.push(0);
        Name::from_wire(&wire).unwrap().0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_chunk_lists_come_back(
        zone in any_name(),
        generation: u64,
        sections in proptest::collection::btree_map(
            any::<u32>(),
            proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20),
            0..5,
        ),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let header = SnapshotHeader {
            zone,
            generation,
            serial: Serial(generation as u32),
            record_count: generation,
            signature_count: !generation,
        };
        let sections: Vec<(u32, Vec<Vec<u8>>)> = sections.into_iter().collect();
        write(folder.path(), &header, &sections);
        let snapshot = open_snapshot(folder.path(), &header.zone, generation).unwrap();
        prop_assert_eq!(snapshot.header(), &header);
        for (number, chunks) in &sections {
            let found = snapshot.chunks(SectionNumber(*number));
            prop_assert!(found.map(|chunk| chunk.to_vec()).eq(chunks.iter().cloned()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Against a decoder: a name can be read back from its stem, so no two share one.
    #[test]
    fn stems_are_injective_and_safe(zone in any_name(), other in any_name()) {
        let stem = zone_file_stem(&zone);
        prop_assert!(stem.len() <= names::STEM_LENGTH_MAX);
        prop_assert!(stem.bytes().all(|byte| byte.is_ascii_alphanumeric()
            || b"-_.%@~".contains(&byte)));
        prop_assert!(!stem.starts_with('.'));
        prop_assert_eq!(zone == other, stem == zone_file_stem(&other));
        if !stem.contains('~') {
            prop_assert_eq!(read_stem(&stem), zone);
        }
    }
}

fn read_stem(stem: &str) -> Name {
    let mut wire = Vec::new();
    for label in stem.split('.').filter(|label| *label != "@") {
        let mut octets = Vec::new();
        let mut rest = label;
        while let Some(first) = rest.chars().next() {
            let taken = if first == '%' { 3 } else { 1 };
            octets.push(match first {
                '%' => u8::from_str_radix(&rest[1..3], 16).unwrap(),
                _ => rest.as_bytes()[0],
            });
            rest = &rest[taken..];
        }
        wire.push(octets.len() as u8);
        wire.extend(octets);
    }
    wire.push(0);
    Name::from_wire(&wire).unwrap().0
}
