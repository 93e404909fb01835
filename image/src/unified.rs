//! Unified kernel images (the UAPI group's specification): systemd's EFI stub, a PE program, with
//! kernel, initramfs and command line as sections behind its own. One file is the whole operating
//! system, and one signature covers it.
//! In: the stub and the sections. Out: the image. The stub of systemd 252 wants `.linux` last.
//! Own code: `ukify` is not in Debian 12, and `objcopy` would need addresses computed all the same.

/// Why a stub cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StubError {
    /// It ends within its headers.
    #[error("it ends at {octets} bytes, within its headers")]
    Short {
        /// Its size.
        octets: usize,
    },
    /// Not a PE file for 64 bits.
    #[error("it is not a PE32+ program")]
    NotPe,
    /// A wrong alignment.
    #[error("its alignment is 0")]
    Alignment,
    /// The headers fill the room before the first section.
    #[error("no room for {count} more section headers")]
    NoRoom {
        /// How many sections are to be added.
        count: usize,
    },
    /// A section is larger than a PE file can say.
    #[error("a section or the image is larger than 4 GiB")]
    TooLarge,
}

/// One section to add.
#[derive(Clone, Copy, Debug)]
pub struct Section<'d> {
    /// Its name, at most eight characters.
    pub name: &'static str,
    /// Its contents.
    pub data: &'d [u8],
}

const SECTION_HEADER_OCTETS: usize = 40;
/// Readable, initialised data.
const CHARACTERISTICS: u32 = 0x4000_0040;

/// Puts the sections behind those of the stub.
pub fn build(stub: &[u8], sections: &[Section<'_>]) -> Result<Vec<u8>, StubError> {
    let mut image = stub.to_vec();
    let pe = get_u32(&image, 0x3c)? as usize;
    if image.get(pe..pe + 4) != Some(b"PE\0\0") || get_u16(&image, pe + 24)? != 0x20b {
        return Err(StubError::NotPe);
    }
    let own_count = usize::from(get_u16(&image, pe + 6)?);
    let optional = pe + 24;
    let table = optional + usize::from(get_u16(&image, pe + 20)?);
    let section_alignment = get_u32(&image, optional + 32)?;
    let file_alignment = get_u32(&image, optional + 36)? as usize;
    let headers = get_u32(&image, optional + 60)? as usize;
    if section_alignment == 0 || file_alignment == 0 {
        return Err(StubError::Alignment);
    }
    let count = own_count + sections.len();
    if table + SECTION_HEADER_OCTETS * count > headers {
        return Err(StubError::NoRoom { count: sections.len() });
    }
    let mut address = 0;
    for header in (0..own_count).map(|index| table + SECTION_HEADER_OCTETS * index) {
        let end = get_u32(&image, header + 12)?.checked_add(get_u32(&image, header + 8)?);
        address = address.max(end.ok_or(StubError::TooLarge)?);
    }
    let mut data_octets = get_u32(&image, optional + 8)?;
    for (index, section) in sections.iter().enumerate() {
        let size = u32::try_from(section.data.len()).map_err(|_| StubError::TooLarge)?;
        address = aligned(address, section_alignment)?;
        let raw_size = aligned(size, file_alignment as u32)?;
        image.resize(image.len().next_multiple_of(file_alignment), 0);
        let offset = u32::try_from(image.len()).map_err(|_| StubError::TooLarge)?;
        let header = table + SECTION_HEADER_OCTETS * (own_count + index);
        let mut name = [0; 8];
        name[..section.name.len()].copy_from_slice(section.name.as_bytes());
        put(&mut image, header, &name)?;
        let fields = [size, address, raw_size, offset, 0, 0, 0, CHARACTERISTICS];
        for (field, at) in fields.into_iter().zip((header + 8..).step_by(4)) {
            put(&mut image, at, &field.to_le_bytes())?;
        }
        image.extend_from_slice(section.data);
        image.resize(image.len().next_multiple_of(file_alignment), 0);
        address = address.checked_add(size).ok_or(StubError::TooLarge)?;
        data_octets = data_octets.checked_add(raw_size).ok_or(StubError::TooLarge)?;
    }
    // The stub's time stamp, which says when somebody else built it, its check sum, which nobody
    // reads, and the sums that changed.
    put(&mut image, pe + 8, &0_u32.to_le_bytes())?;
    put(&mut image, pe + 6, &(count as u16).to_le_bytes())?;
    put(&mut image, optional + 8, &data_octets.to_le_bytes())?;
    put(&mut image, optional + 56, &aligned(address, section_alignment)?.to_le_bytes())?;
    put(&mut image, optional + 64, &0_u32.to_le_bytes())?;
    Ok(image)
}

fn aligned(value: u32, to: u32) -> Result<u32, StubError> {
    value.checked_next_multiple_of(to).ok_or(StubError::TooLarge)
}

fn get<const N: usize>(image: &[u8], at: usize) -> Result<[u8; N], StubError> {
    let short = StubError::Short { octets: image.len() };
    image.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().ok_or(short)
}

fn get_u32(image: &[u8], at: usize) -> Result<u32, StubError> {
    get(image, at).map(u32::from_le_bytes)
}

fn get_u16(image: &[u8], at: usize) -> Result<u16, StubError> {
    get(image, at).map(u16::from_le_bytes)
}

fn put(image: &mut [u8], at: usize, octets: &[u8]) -> Result<(), StubError> {
    let short = StubError::Short { octets: image.len() };
    image.get_mut(at..at + octets.len()).ok_or(short)?.copy_from_slice(octets);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PE32+ file of headers and one section, no more than the builder looks at.
    fn stub() -> Vec<u8> {
        let mut stub = vec![0; 0x400];
        let pe = 0x80;
        let optional = pe + 24;
        stub[0x3c] = 0x80;
        stub[pe..pe + 4].copy_from_slice(b"PE\0\0");
        stub[pe + 6] = 1;
        stub[pe + 8..pe + 12].copy_from_slice(&77_u32.to_le_bytes());
        stub[pe + 20] = 112;
        stub[optional..optional + 2].copy_from_slice(&0x20b_u16.to_le_bytes());
        stub[optional + 32..optional + 36].copy_from_slice(&0x1000_u32.to_le_bytes());
        stub[optional + 36..optional + 40].copy_from_slice(&0x200_u32.to_le_bytes());
        stub[optional + 60..optional + 64].copy_from_slice(&0x200_u32.to_le_bytes());
        let first = optional + 112;
        stub[first + 8..first + 12].copy_from_slice(&0x10_u32.to_le_bytes());
        stub[first + 12..first + 16].copy_from_slice(&0x1000_u32.to_le_bytes());
        stub
    }

    #[test]
    fn sections_stand_behind_the_stub_s_own() {
        let linux = [7; 0x201];
        let sections = [
            Section { name: ".cmdline", data: b"quiet" },
            Section { name: ".linux", data: &linux },
        ];
        let image = build(&stub(), &sections).unwrap();
        let (optional, table) = (0x80 + 24, 0x80 + 24 + 112);
        assert_eq!(get_u16(&image, 0x80 + 6), Ok(3));
        assert_eq!(get_u32(&image, 0x80 + 8), Ok(0), "no time of building");
        let field = |section: usize, at: usize| get_u32(&image, table + 40 * section + at).unwrap();
        assert_eq!(
            (field(1, 8), field(1, 12), field(1, 16), field(1, 20)),
            (5, 0x2000, 0x200, 0x400)
        );
        assert_eq!(
            (field(2, 8), field(2, 12), field(2, 16), field(2, 20)),
            (0x201, 0x3000, 0x400, 0x600)
        );
        assert_eq!(&image[0x400..0x405], b"quiet");
        assert_eq!(image.len(), 0xa00);
        assert_eq!(get_u32(&image, optional + 56), Ok(0x4000), "size of the image in memory");
    }

    #[test]
    fn a_stub_that_is_none_is_refused() {
        assert_eq!(build(b"MZ", &[]), Err(StubError::Short { octets: 2 }));
        assert_eq!(build(&[0; 512], &[]), Err(StubError::NotPe));
        let section = Section { name: ".x", data: b"" };
        assert_eq!(build(&stub(), &[section; 9]), Err(StubError::NoRoom { count: 9 }));
    }
}
