//! Kernel modules in the order in which they can be loaded. Debian makes `modules.dep` when a
//! kernel is installed; here none is, so the order comes from each module's own `depends=`. In: the
//! folder of an unpacked kernel package. Out: the modules and their list in the tree; the image
//! needs neither kmod nor modprobe. Limits: soft dependencies and aliases are not followed: what a
//! module needs beyond `depends=` has to be in [`MODULES`].

use crate::archive::Tree;
use crate::{ImageError, read};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the image loads, in this order, after what each needs. The cloud kernel has ext4 and NVMe
/// built in.
pub const MODULES: &[&str] = &[
    // Disks first: waiting for them is the longest wait of a boot.
    "virtio_pci",
    "virtio_mmio",
    "virtio_blk",
    "virtio_scsi",
    "sd_mod",
    "xen_blkfront",
    "hv_storvsc",
    "vmw_pvscsi",
    // Random numbers, network, and the console line of some clouds.
    "virtio_rng",
    "virtio_net",
    "xen_netfront",
    "hv_netvsc",
    "hv_utils",
    "vmxnet3",
    "ena",
    "virtio_console",
    // The power button, and the keys that the kernel makes of it.
    "button",
    "evdev",
    // File systems of the set-up disk and of the EFI system partition, and what vfat loads by name.
    "vfat",
    "nls_cp437",
    "nls_ascii",
    "efivarfs",
    "efi_pstore",
];

/// Loaded only where the machine has no watchdog of its own, which it would hide.
pub const WATCHDOG_OF_LAST_RESORT: &str = "softdog";

/// Where the image keeps its modules.
pub const FOLDER: &str = "lib/modules";

/// Adds [`MODULES`] and [`WATCHDOG_OF_LAST_RESORT`], and two lists of their paths in the order of
/// loading, `load.list` and `watchdog.list`. Gives the number of modules.
pub fn add(tree: &mut Tree, kernel_folder: &Path) -> Result<usize, ImageError> {
    let kernel = Kernel::read(kernel_folder)?;
    let mut order = Order { kernel: &kernel, seen: BTreeSet::new(), modules: Vec::new() };
    for name in MODULES {
        order.visit(name, "the image")?;
    }
    let usual_count = order.modules.len();
    order.visit(WATCHDOG_OF_LAST_RESORT, "the image")?;
    let (usual, watchdog) = order.modules.split_at(usual_count);
    for (name, modules) in [("load.list", usual), ("watchdog.list", watchdog)] {
        let list: String =
            modules.iter().map(|(name, _)| format!("/{FOLDER}/{name}.ko\n")).collect();
        tree.file(&format!("{FOLDER}/{name}"), 0o644, list);
    }
    let count = order.modules.len();
    for (name, contents) in order.modules {
        tree.file(&format!("{FOLDER}/{name}.ko"), 0o644, contents);
    }
    Ok(count)
}

struct Kernel {
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Kernel {
    fn read(folder: &Path) -> Result<Kernel, ImageError> {
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        let list = read(&folder.join("modules.builtin"))?;
        let list = String::from_utf8_lossy(&list);
        let built_in = list.lines().filter_map(|line| name_of(Path::new(line))).collect();
        Ok(Kernel { files, built_in })
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<(), ImageError> {
    for entry in std::fs::read_dir(folder).map_err(ImageError::file(folder))? {
        let path = entry.map_err(ImageError::file(folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// The name of a module's file, in the form that `depends=` uses.
fn name_of(path: &Path) -> Option<String> {
    let stem = path.extension().is_some_and(|end| end == "ko").then(|| path.file_stem())??;
    Some(stem.to_string_lossy().replace('-', "_"))
}

struct Order<'k> {
    kernel: &'k Kernel,
    seen: BTreeSet<String>,
    modules: Vec<(String, Vec<u8>)>,
}

impl Order<'_> {
    /// Takes a module after what it depends on. No module depends on itself, however indirectly.
    fn visit(&mut self, name: &str, needed_by: &str) -> Result<(), ImageError> {
        let name = name.replace('-', "_");
        if self.kernel.built_in.contains(&name) || !self.seen.insert(name.clone()) {
            return Ok(());
        }
        let Some(path) = self.kernel.files.get(&name) else {
            return Err(ImageError::ModuleMissing { name, needed_by: needed_by.to_owned() });
        };
        let contents = read(path)?;
        for dependency in dependencies(path, &contents)? {
            self.visit(&dependency, &name)?;
        }
        self.modules.push((name, contents));
        Ok(())
    }
}

/// The `depends=` of a module's section `.modinfo`: entries "name=value", each ended by a zero.
fn dependencies(path: &Path, contents: &[u8]) -> Result<Vec<String>, ImageError> {
    let fail = |cause| ImageError::Elf { path: path.to_owned(), cause };
    let file = ElfFile64::<Endianness>::parse(contents).map_err(fail)?;
    let Some(section) = file.section_by_name(".modinfo") else { return Ok(Vec::new()) };
    let entries = section.data().map_err(fail)?.split(|octet| *octet == 0);
    let entries = entries.filter_map(|entry| std::str::from_utf8(entry).ok());
    let names = entries.filter_map(|entry| entry.strip_prefix("depends="));
    let names = names.flat_map(|list| list.split(',')).filter(|name| !name.is_empty());
    Ok(names.map(str::to_owned).collect())
}
