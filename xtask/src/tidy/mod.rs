//! `cargo xtask tidy`: the rules of STYLE.md that a program can check (H2, H3, H13, H14, links,
//! leftovers, and the list of allowed lints, which may only shrink). In: the files of the
//! repository and `cargo metadata`. Out: one line for each finding, with file and line. Never:
//! changes a file. Not yet: H6, the message graph, until there are actors to draw.

mod code_view;
mod dependencies;
mod files;
mod links;
mod source;
#[cfg(test)]
mod tests;

use crate::workspace::{self, Outcome};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Severity {
    /// Fails the run.
    Error,
    /// Is printed only.
    Warning,
}

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    severity: Severity,
    /// Path from the repository root.
    file: String,
    /// Counted from 1; 0 means the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn error(file: &str, line: usize, message: impl Into<String>) -> Finding {
        Finding { severity: Severity::Error, file: file.into(), line, message: message.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.severity == Severity::Error { "error" } else { "warning" };
        match self.line {
            0 => write!(out, "{word}: {}: {}", self.file, self.message),
            line => write!(out, "{word}: {}:{line}: {}", self.file, self.message),
        }
    }
}

/// Runs every rule over the repository.
pub(crate) fn run() -> Outcome {
    let root = workspace::root();
    let files = files::read_all(&root)?;
    let mut findings = dependencies::check(&workspace::packages()?);
    for file in &files {
        findings.extend(files::check_text(file));
        if file.path.ends_with(".rs") {
            findings.extend(source::check(file));
        }
        if file.path.ends_with(".md") {
            findings.extend(links::check(file, &root));
        }
    }
    findings.extend(source::check_allow_list(&files));
    for finding in &findings {
        println!("tidy: {finding}");
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    println!("tidy: {} files, {errors} errors, {} warnings", files.len(), findings.len() - errors);
    if errors == 0 { Ok(()) } else { Err(format!("{errors} house rules are broken")) }
}
