//! `cargo xtask`: the commands of people who work on the project. `cargo xtask test` is what CI
//! runs (STYLE H18). In: the command line. Out: text for a person, exit status 0, 1 (a check
//! failed) or 2 (wrong use). Kept light on dependencies, because everything else waits until this
//! program is built.
#![forbid(unsafe_code)]

mod bench_peers;
mod ci;
mod deny;
mod image;
mod image_tests;
mod measure;
mod setup;
mod tidy;
mod workspace;
mod zonegen_command;
// The generator lives with the test helpers, where benches use it as a library too. It is compiled
// in here by path so that `cargo xtask setup` does not have to build the helpers' dependencies
// first.
#[path = "../../tests/src/zonegen.rs"]
#[allow(unreachable_pub)] // The same items are the public library of the test helpers.
mod zonegen;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup                    install the Debian packages that the tests need
  test [--quick]           all of CI: setup, format, clippy, tidy, licences, every test
                           (--quick leaves out setup and clippy)
  tidy                     the house rules that a program can check
  deny                     licences and sources of all dependencies
  image [--dev | --twice]  the bootable image, in target/image (--dev: with the programs as tests
                           build them, in target/image-dev; --twice: made twice, and compared)
  boot-tests [--quick]     boots the image in QEMU, which it installs; --quick is CI's part
  zonegen SHAPE N OUT      make a test zone; SHAPE is tld, enterprise or hosting
  bench-peers [--quick | --full]
                           sign and verify the same zones with anchorite, BIND, ldns, Knot and
                           OpenDNSSEC, and compare with benches/promises.toml (--quick: once;
                           --full: with a million delegations)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["setup"] => setup::run(),
        ["test"] => ci::run(ci::Extent::Full),
        ["test", "--quick"] => ci::run(ci::Extent::Quick),
        ["tidy"] => tidy::run(),
        ["deny"] => deny::run(),
        ["image"] => image::run(image::Profile::Release),
        ["image", "--twice"] => image::run_twice(image::Profile::Release),
        ["image", "--dev"] => image::run(image::Profile::Dev),
        ["boot-tests"] => image_tests::run(image_tests::Extent::Full),
        ["boot-tests", "--quick"] => image_tests::run(image_tests::Extent::Quick),
        ["zonegen", shape, count, out] => zonegen_command::run(shape, count, out),
        ["bench-peers"] => bench_peers::run(bench_peers::Extent::Usual),
        ["bench-peers", "--full"] => bench_peers::run(bench_peers::Extent::Full),
        ["bench-peers", "--quick"] => bench_peers::run(bench_peers::Extent::Quick),
        // Used by bench-peers on itself; see measure.rs.
        ["measure", command, rest @ ..] => measure::run_inner(command, rest),
        ["measure-until", file, seconds, command, rest @ ..] => {
            measure::run_inner_until(file, seconds, command, rest)
        }
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
