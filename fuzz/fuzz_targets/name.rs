//! Names from text and from wire form: no panic, and what was read reads back as the same.
#![no_main]

use dnssec::Name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((name, length)) = Name::from_wire(data) {
        assert_eq!(name.as_wire(), &data[..length]);
        let mut text = Vec::new();
        dnssec::name::print_wire_name(name.as_wire(), &mut text);
        let again = Name::parse(&text, None).expect("printed names are valid");
        assert_eq!(again.as_wire(), name.as_wire());
    }
    let _ = Name::parse(data, None);
    let _ = Name::parse(data, Some(&Name::root()));
});
