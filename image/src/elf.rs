//! Programs with the libraries that they need, found as the dynamic linker would find them: by
//! DT_NEEDED, in Debian's library folders. In: a program. Out: it and its libraries in the tree.
//! Why glibc and not a static musl: a static program cannot load a PKCS#11 library.

use crate::archive::Tree;
use crate::{ImageError, read};
use object::read::elf::ElfFile64;
use object::{Endianness, Object};
use std::path::{Path, PathBuf};

const LIBRARY_FOLDERS: &[&str] = &["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64"];

/// Adds a program or library at `path` of the tree, read from `source`, and what it needs.
pub fn add(tree: &mut Tree, path: &str, source: &Path) -> Result<(), ImageError> {
    let contents = read(source)?;
    let mut wanted = needed(source, &contents)?;
    tree.file(path, 0o755, contents);
    while let Some((library, needed_by)) = wanted.pop() {
        let place = place_of(&library);
        if tree.contains(&place) {
            continue;
        }
        let found = find(&library).ok_or(ImageError::LibraryMissing { library, needed_by })?;
        let contents = read(&found)?;
        wanted.extend(needed(&found, &contents)?);
        tree.file(&place, 0o755, contents);
    }
    Ok(())
}

/// Where the loader looks for a library: the loader itself has its place in the ABI.
fn place_of(library: &str) -> String {
    let folder = if library.starts_with("ld-linux") { "lib64" } else { "lib/x86_64-linux-gnu" };
    format!("{folder}/{library}")
}

fn find(library: &str) -> Option<PathBuf> {
    LIBRARY_FOLDERS.iter().map(|folder| Path::new(folder).join(library)).find(|p| p.is_file())
}

/// The libraries that a file names, each with that file.
fn needed(path: &Path, contents: &[u8]) -> Result<Vec<(String, PathBuf)>, ImageError> {
    let fail = |cause| ImageError::Elf { path: path.to_owned(), cause };
    let file = ElfFile64::<Endianness>::parse(contents).map_err(fail)?;
    let mut names = Vec::new();
    for library in file.import_libraries().map_err(fail)? {
        let library = library.map_err(fail)?;
        names.push((String::from_utf8_lossy(library.name()).into_owned(), path.to_owned()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_gets_the_c_library_and_its_loader() {
        let mut tree = Tree::new();
        add(&mut tree, "/bin/test", &std::env::current_exe().unwrap()).unwrap();
        assert!(tree.contains("lib/x86_64-linux-gnu/libc.so.6"));
        assert!(tree.contains("lib64/ld-linux-x86-64.so.2"));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let own_manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let refused = add(&mut Tree::new(), "/bin/test", &own_manifest);
        assert!(matches!(refused, Err(ImageError::Elf { .. })), "{refused:?}");
    }
}
