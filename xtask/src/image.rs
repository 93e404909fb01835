//! `cargo xtask image`: the bootable image, in `target/image`. Builds the programs, fetches
//! Debian's kernel and EFI loader (`apt-get download`: nothing of them is installed), and has
//! `image-builder` put everything together. In: this tree, Debian's package lists. Out: the files
//! that `image/src/recipe.rs` names. Limits: x86-64; Debian's `apt-get`, `dpkg`, `strip` and the
//! programs that `cargo xtask setup` installs.
//!
//! The same sources and packages give the same bytes: all files have the time of the last commit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{Outcome, cargo, root, run as run_command, show};

/// How the programs are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As tests build them: quick to make.
    Dev,
    /// As they are shipped.
    Release,
}

/// The package that always names Debian's present kernel for virtual machines.
const KERNEL_META: &str = "linux-image-cloud-amd64";
const BOOT: &str = "systemd-boot-efi";
/// Packages of this machine of which the image has files.
const LOCAL: &[&str] = &[
    "e2fsprogs",
    "libblkid1",
    "libc6",
    "libcom-err2",
    "libext2fs2",
    "libgcc-s1",
    "libsofthsm2",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "softhsm2",
];

/// Where the image comes to be.
pub(crate) fn folder(profile: Profile) -> PathBuf {
    let name = if profile == Profile::Dev { "image-dev" } else { "image" };
    root().join("target").join(name)
}

/// What every build has to make alike.
const OUTPUTS: &[&str] =
    &["vmlinuz", "initramfs.zst", "anchorite.efi", "anchorite.disk", "manifest.json"];

/// Builds the image.
pub(crate) fn run(profile: Profile) -> Outcome {
    let out = folder(profile);
    programs(profile, &out)?;
    let listing = if profile == Profile::Release { Some("--packed") } else { None };
    assemble(&out, &out, &time_of_sources()?, listing)
}

/// Builds the programs, and of them the image twice, in two folders: every byte has to be the same.
/// Prints the check sums, as `sha256sum` does.
pub(crate) fn run_twice(profile: Profile) -> Outcome {
    let first = folder(profile);
    let mut name = first.file_name().unwrap_or_default().to_owned();
    name.push("-again");
    let second = first.with_file_name(name);
    programs(profile, &first)?;
    let time = time_of_sources()?;
    assemble(&first, &first, &time, Some("--packed"))?;
    assemble(&first, &second, &time, None)?;
    let mut others = Vec::new();
    for name in OUTPUTS {
        let sums = [&first, &second].map(|folder| {
            let sum = output(Command::new("sha256sum").arg(folder.join(name)))?;
            let digits = sum.split(' ').next().map(str::to_owned);
            digits.ok_or_else(|| format!("sha256sum says {sum:?}"))
        });
        let [one, two] = sums;
        let (one, two) = (one?, two?);
        println!("{one}  {name}");
        if one != two {
            println!("{two}  {name}, built again");
            others.push(*name);
        }
    }
    if !others.is_empty() {
        return Err(format!("a second build made another {}", others.join(", ")));
    }
    fs::remove_dir_all(&second).map_err(|e| format!("{}: {e}", second.display()))?;
    println!("image: two builds, every byte the same");
    Ok(())
}

/// Builds the programs, and puts them into a folder.
fn programs(profile: Profile, out: &Path) -> Outcome {
    fs::create_dir_all(out).map_err(|e| format!("{}: {e}", out.display()))?;
    let mut build = cargo();
    build.args(["build", "-p", "anchorite", "-p", "init", "--bins"]);
    let built = root().join("target").join(match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    });
    if profile == Profile::Release {
        build.arg("--release");
    }
    run_command(&mut build)?;
    for program in ["anchorite", "init"] {
        let mut strip = Command::new("strip");
        strip.arg("-o").arg(out.join(program)).arg(built.join(program));
        run_command(&mut strip)?;
    }
    Ok(())
}

/// Makes the image in `out`, of the programs and the packages in `parts`; what is missing there is
/// fetched. `listing`: what the builder is to tell of the parts.
fn assemble(parts: &Path, out: &Path, time: &str, listing: Option<&str>) -> Outcome {
    let packages = parts.join("packages");
    fs::create_dir_all(&packages).map_err(|e| format!("{}: {e}", packages.display()))?;
    let kernel_name = kernel_package()?;
    let (kernel, kernel_version) = unpacked(&packages, &kernel_name)?;
    let (boot, boot_version) = unpacked(&packages, BOOT)?;
    let mut builder = cargo();
    builder.args(["run", "--quiet", "-p", "image", "--bin", "image-builder", "--"]);
    builder
        .args(listing)
        .arg(out)
        .arg(parts.join("anchorite"))
        .arg(parts.join("init"))
        .arg(kernel)
        .arg(boot);
    builder.args([env!("CARGO_PKG_VERSION"), time]);
    builder.arg(format!("{kernel_name}={kernel_version}")).arg(format!("{BOOT}={boot_version}"));
    for name in LOCAL {
        let version = output(Command::new("dpkg-query").args(["-W", "-f", "${Version}", name]))?;
        builder.arg(format!("{name}={version}"));
    }
    run_command(&mut builder)?;
    println!("image: {}", out.display());
    Ok(())
}

/// The name of the kernel's package, which has its version in it.
fn kernel_package() -> Outcome<String> {
    let depends = output(Command::new("apt-cache").args(["depends", KERNEL_META]))?;
    let name = depends
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "))
        .find(|name| name.starts_with("linux-image-"));
    name.map(str::to_owned).ok_or_else(|| {
        format!("apt-cache knows no kernel behind {KERNEL_META}; run apt-get update as root")
    })
}

/// A package's files in a folder, fetched unless that version is there, and its version.
fn unpacked(packages: &Path, name: &str) -> Outcome<(PathBuf, String)> {
    let shown = output(Command::new("apt-cache").args(["show", "--no-all-versions", name]))?;
    let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
    let version = version.ok_or_else(|| format!("apt-cache show {name}: no version"))?.to_owned();
    let target = packages.join(format!("{name}_{}", version.replace(':', "%3a")));
    if target.exists() {
        return Ok((target, version));
    }
    let mut download = Command::new("apt-get");
    download.args(["download", "-q"]).arg(format!("{name}={version}")).current_dir(packages);
    run_command(&mut download)?;
    let file = fs::read_dir(packages)
        .map_err(|e| format!("{}: {e}", packages.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            file.starts_with(&format!("{name}_")) && file.ends_with(".deb")
        })
        .ok_or_else(|| format!("{} left no package", show(&download)))?;
    // Under another name until it is whole.
    let part = packages.join(format!("{name}.part"));
    fs::remove_dir_all(&part).ok();
    run_command(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&part))?;
    fs::remove_file(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    fs::rename(&part, &target).map_err(|e| format!("{}: {e}", target.display()))?;
    Ok((target, version))
}

/// Seconds since 1970 of the last commit.
fn time_of_sources() -> Outcome<String> {
    output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()))
}

fn output(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|e| format!("cannot start {}: {e}", show(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{} failed: {}: {said}", show(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
