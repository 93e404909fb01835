//! The text files of the repository, and the rules that hold for all of them.
//! Walks the folders instead of asking git, so that a release tarball can be checked too.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::workspace::Outcome;

/// One text file.
pub(super) struct TextFile {
    /// From the repository root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
}

/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: &[&str] = &[".git", "target", "corpus", "artifacts"];

const EXTENSIONS: &[&str] = &["rs", "md", "toml", "sh", "xml", "txt", "yml", "json"];

/// Paths that exist on one developer's machine only. Split, so that this file passes its own check.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/ro", "ot/")];

/// Reads every text file below `root`, sorted by path.
pub(super) fn read_all(root: &Path) -> Outcome<Vec<TextFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let fail = |e: std::io::Error| format!("cannot read {}: {e}", folder.display());
        for entry in fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(fail)?;
            if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() && is_text(&path) {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                let text = fs::read_to_string(&path)
                    .map_err(|e| format!("cannot read {}: {e}", path.display()))?;
                files.push(TextFile { path: relative.to_string_lossy().into_owned(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn is_text(path: &Path) -> bool {
    match path.extension() {
        Some(extension) => EXTENSIONS.iter().any(|known| extension == *known),
        // Scripts without an ending, such as .ci/run.
        None => path.parent().is_some_and(|folder| folder.file_name() == Some(".ci".as_ref())),
    }
}

/// Rules for every text file.
pub(super) fn check_text(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for path in MACHINE_PATHS {
            if line.contains(path) {
                let message = format!("names {path}, a folder of one machine");
                findings.push(Finding::error(&file.path, index + 1, message));
            }
        }
    }
    findings
}
