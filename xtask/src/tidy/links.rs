//! Relative links in Markdown must lead to a file or folder that exists.
//! Limits: links to other sites are not fetched; the part after `#` is not looked up.

use std::path::Path;

use super::Finding;
use super::files::TextFile;

/// Checks every `](target)` outside of code.
pub(super) fn check(file: &TextFile, root: &Path) -> Vec<Finding> {
    let folder = root.join(&file.path).parent().map(Path::to_path_buf).unwrap_or_default();
    let mut findings = Vec::new();
    let mut in_code_block = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code_block = !in_code_block;
        }
        if in_code_block {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or_default();
            if !path.is_empty() && !folder.join(path).exists() {
                let message = format!("link to {target}: there is no such file");
                findings.push(Finding::error(&file.path, index + 1, message));
            }
        }
    }
    findings
}

/// Relative targets of the links in one line; text between back-ticks is left out.
fn targets(line: &str) -> Vec<String> {
    let without_code: String = line.split('`').step_by(2).collect();
    without_code
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .map(str::to_owned)
        .collect()
}
