//! `image-builder`: what `cargo xtask image` runs after it has built the programs and fetched the
//! packages. In: paths. Out: the image's files in a folder, and their sizes on standard output.
#![forbid(unsafe_code)]

use image::manifest::Package;
use image::recipe::{self, Inputs, Listing, Part};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: image-builder [--packed] OUT ANCHORITE INIT KERNEL BOOT VERSION TIME [NAME=VERSION ...]
       image-builder setup-disk OUT PATH=FILE ...

KERNEL and BOOT are the unpacked packages of the kernel and of systemd-boot-efi, TIME is in seconds
since 1970, and NAME=VERSION are Debian packages for the manifest. With --packed, the list of parts
has what each takes when it is compressed by itself. The second form makes a set-up
disk with those files.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (listing, words) = match words.as_slice() {
        ["--packed", rest @ ..] => (Listing::Packed, rest),
        all => (Listing::Sizes, all),
    };
    let outcome = match words {
        ["setup-disk", out, files @ ..] if !files.is_empty() => setup_disk(out, files),
        [out, anchorite, init, kernel, boot, version, time, packages @ ..] => {
            let Ok(time) = time.parse() else { return usage() };
            let inputs = Inputs {
                anchorite: PathBuf::from(anchorite),
                init: PathBuf::from(init),
                kernel: PathBuf::from(kernel),
                boot: PathBuf::from(boot),
                version: (*version).to_owned(),
                time,
                packages: packages.iter().filter_map(|text| package(text)).collect(),
            };
            recipe::build(&inputs, Path::new(out), listing).map(|parts| {
                println!("{:>12} {:>12}", "bytes", "compressed");
                for Part { name, octets, packed } in parts {
                    let packed = packed.map(|packed| packed.to_string()).unwrap_or_default();
                    println!("{octets:>12} {packed:>12}  {name}");
                }
            })
        }
        _ => return usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image-builder: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}

fn package(text: &str) -> Option<Package> {
    let (name, version) = text.split_once('=')?;
    Some(Package { name: name.to_owned(), version: version.to_owned() })
}

fn setup_disk(out: &str, files: &[&str]) -> Result<(), image::ImageError> {
    let pairs = files.iter().filter_map(|text| text.split_once('='));
    let pairs: Vec<(String, &Path)> =
        pairs.map(|(to, from)| (to.to_owned(), Path::new(from))).collect();
    image::disk::write_setup_disk(Path::new(out), &pairs)
}
