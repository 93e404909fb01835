//! What is in the image: packages with versions, every file of the initramfs, every output, each
//! with size and SHA-256. In: the parts. Out: JSON, in a fixed order.

use crate::archive::Tree;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A Debian package of which the image has something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(octets: &[u8]) -> String {
    Sha256::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The manifest. `outputs`: names and contents of what was made.
pub fn render(
    version: &str,
    time: u32,
    packages: &[Package],
    tree: &Tree,
    outputs: &[(&str, &[u8])],
) -> String {
    let packages: Vec<Value> = packages
        .iter()
        .map(|package| json!({ "name": package.name, "version": package.version }))
        .collect();
    let files: Vec<Value> = tree.files().map(|(path, contents)| entry(path, contents)).collect();
    let outputs: Vec<Value> = outputs.iter().map(|(name, octets)| entry(name, octets)).collect();
    let manifest = json!({
        "version": version,
        "time": time,
        "outputs": outputs,
        "packages": packages,
        "initramfs": files,
    });
    format!("{manifest:#}\n")
}

fn entry(name: &str, contents: &[u8]) -> Value {
    json!({ "name": name, "octets": contents.len(), "sha256": sha256(contents) })
}
