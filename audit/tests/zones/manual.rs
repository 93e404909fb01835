//! The tables in docs/src/audit.md are those of the code. `UPDATE_EXPECT=1 cargo test -p audit
//! manual` writes them anew.

use std::path::PathBuf;

use audit::{FindingId, Severity};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/src/audit.md")
}

/// Compares what stands between two marks of the page, or writes it.
#[track_caller]
pub(crate) fn check_section(section: &str, expected: &str) {
    let page = page();
    let text = std::fs::read_to_string(&page).unwrap();
    let (begin, end) = (format!("<!-- {section} -->\n"), format!("<!-- end of {section} -->\n"));
    let (before, rest) = text.split_once(&begin).expect("the page has the mark");
    let (found, after) = rest.split_once(&end).expect("the page has the mark of the end");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(page, [before, &begin, expected, &end, after].concat()).unwrap();
    } else {
        assert_eq!(found, expected, "UPDATE_EXPECT=1 writes the section anew");
    }
}

/// Rows of a table: number, severity, title, reference, remedy.
fn rows<'t>(
    findings: impl Iterator<Item = (String, Severity, &'t str, &'t str, &'t str)>,
) -> String {
    let mut table = String::from(
        "\n| number | verdict | what was found | reference | remedy |\n|---|---|---|---|---|\n",
    );
    for (number, severity, title, reference, remedy) in findings {
        let severity = match severity {
            Severity::Warn => "warn",
            Severity::Hold => "hold",
            Severity::Refuse => "refuse",
        };
        table += &format!("| {number} | {severity} | {title} | {reference} | {remedy} |\n");
    }
    table + "\n"
}

#[test]
fn findings_of_the_audit() {
    let all = FindingId::ALL.iter();
    let all =
        all.map(|id| (id.to_string(), id.severity(), id.title(), id.reference(), id.remedy()));
    check_section("findings", &rows(all));
}

#[test]
fn numbers_are_used_once() {
    let codes: Vec<u16> = FindingId::ALL.iter().map(|id| id.code()).collect();
    assert!(codes.is_sorted_by(|left, right| left < right));
    for id in FindingId::ALL {
        assert_eq!(FindingId::try_from(id.code()), Ok(*id));
    }
    assert_eq!(
        FindingId::try_from(999).unwrap_err().to_string(),
        "there is no finding of number 999"
    );
}
