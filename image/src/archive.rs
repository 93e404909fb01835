//! The initramfs as an archive: "newc" cpio, as the kernel unpacks it
//! (Documentation/driver-api/early-userspace/buffer-format.rst). In: a tree of files, folders,
//! links and character devices. Out: the archive's bytes, always the same for the same tree: sorted
//! paths, owner root, one time for all, inode numbers counted.
//!
//! Own code in place of the `cpio` crate: it is thirty lines, and all that matters here is what the
//! crate leaves to its caller (order, parents, padding at the end).

use std::collections::BTreeMap;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file with its contents.
    File(Vec<u8>),
    /// A symbolic link to a path.
    Link(String),
    /// A character device: major and minor number.
    Device(u32, u32),
}

/// A file system tree; paths have no leading slash.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, (u32, Node)>,
}

const TRAILER: &str = "TRAILER!!!";
/// The archive is padded to this, as cpio's own blocks are.
const BLOCK_OCTETS: usize = 512;

impl Tree {
    /// An empty tree.
    pub fn new() -> Tree {
        Tree::default()
    }

    /// Adds something, and the folders above it where they are missing. `mode`: the permission
    /// bits. What was at that path is replaced.
    pub fn add(&mut self, path: &str, mode: u32, node: Node) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            let folder = path[..at].to_owned();
            self.nodes.entry(folder).or_insert((0o755, Node::Folder));
        }
        self.nodes.insert(path.to_owned(), (mode, node));
    }

    /// Adds a folder.
    pub fn folder(&mut self, path: &str, mode: u32) {
        self.add(path, mode, Node::Folder);
    }

    /// Adds a file.
    pub fn file(&mut self, path: &str, mode: u32, contents: impl Into<Vec<u8>>) {
        self.add(path, mode, Node::File(contents.into()));
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.add(path, 0o777, Node::Link(target.to_owned()));
    }

    /// Whether there is something at that path.
    pub fn contains(&self, path: &str) -> bool {
        self.nodes.contains_key(path.trim_start_matches('/'))
    }

    /// Paths and contents of all files, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.nodes.iter().filter_map(|(path, (_, node))| match node {
            Node::File(contents) => Some((path.as_str(), contents.as_slice())),
            Node::Folder | Node::Link(_) | Node::Device(..) => None,
        })
    }

    /// The archive. `time`: seconds since 1970, of every entry.
    pub fn to_cpio(&self, time: u32) -> Vec<u8> {
        let mut archive = Vec::new();
        for (number, (path, (mode, node))) in (1..).zip(&self.nodes) {
            let entry = Entry { number, mode: *mode, time, path };
            match node {
                Node::Folder => entry.append(&mut archive, 0o040_000, &[], (0, 0)),
                Node::File(contents) => entry.append(&mut archive, 0o100_000, contents, (0, 0)),
                Node::Link(to) => entry.append(&mut archive, 0o120_000, to.as_bytes(), (0, 0)),
                Node::Device(major, minor) => {
                    entry.append(&mut archive, 0o020_000, &[], (*major, *minor));
                }
            }
        }
        let trailer = Entry { number: 0, mode: 0, time: 0, path: TRAILER };
        trailer.append(&mut archive, 0, &[], (0, 0));
        archive.resize(archive.len().next_multiple_of(BLOCK_OCTETS), 0);
        archive
    }
}

struct Entry<'t> {
    number: u32,
    mode: u32,
    time: u32,
    path: &'t str,
}

impl Entry<'_> {
    fn append(&self, archive: &mut Vec<u8>, kind: u32, contents: &[u8], device: (u32, u32)) {
        let links = if kind == 0o040_000 { 2 } else { 1 };
        let size = contents.len() as u32;
        let name_size = self.path.len() as u32 + 1;
        // Inode, mode, owner, group, links, time, size, two numbers of the device that it is on,
        // two of the device that it is, size of the name, check sum (unused in newc).
        let fields = [
            self.number,
            kind | self.mode,
            0,
            0,
            links,
            self.time,
            size,
            0,
            0,
            device.0,
            device.1,
            name_size,
            0,
        ];
        archive.extend_from_slice(b"070701");
        for field in fields {
            archive.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        archive.extend_from_slice(self.path.as_bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(contents);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    fn sample() -> Tree {
        let mut tree = Tree::new();
        tree.file("/usr/bin/program", 0o755, *b"odd");
        tree.link("/bin", "usr/bin");
        tree.add("/dev/console", 0o600, Node::Device(5, 1));
        tree.folder("/tmp", 0o1777);
        tree
    }

    #[test]
    fn the_cpio_of_debian_lists_what_was_put_in() {
        let mut cpio = Command::new("cpio");
        cpio.args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"]);
        cpio.stdin(Stdio::piped()).stdout(Stdio::piped()).env("TZ", "UTC").env("LC_ALL", "C");
        let mut child = cpio.spawn().expect("cargo xtask setup installs cpio");
        child.stdin.take().unwrap().write_all(&sample().to_cpio(86_400)).unwrap();
        let output = child.wait_with_output().unwrap();
        let lines: Vec<String> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "lrwxrwxrwx 1 0 0 7 Jan 2 1970 bin -> usr/bin",
                "drwxr-xr-x 2 0 0 0 Jan 2 1970 dev",
                "crw------- 1 0 0 5, 1 Jan 2 1970 dev/console",
                "drwxrwxrwt 2 0 0 0 Jan 2 1970 tmp",
                "drwxr-xr-x 2 0 0 0 Jan 2 1970 usr",
                "drwxr-xr-x 2 0 0 0 Jan 2 1970 usr/bin",
                "-rwxr-xr-x 1 0 0 3 Jan 2 1970 usr/bin/program",
            ]
        );
    }

    #[test]
    fn the_order_of_adding_does_not_show() {
        let mut other = Tree::new();
        other.folder("/tmp", 0o1777);
        other.add("/dev/console", 0o600, Node::Device(5, 1));
        other.link("/bin", "usr/bin");
        other.file("/usr/bin/program", 0o755, *b"odd");
        assert_eq!(other.to_cpio(7), sample().to_cpio(7));
    }
}
