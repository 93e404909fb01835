//! The report of `anchorite hsm test`: a line for each check while it goes on, and a count.
//! In: checks. Out: text. A failure is followed by what it means for the operator.

use super::super::repositories::Fault;
use super::Trouble;
use std::io::Write;
use std::time::Instant;

/// What came of a check.
pub(super) enum Outcome {
    /// It went well; some details.
    Ok(String),
    /// It did not; what was seen.
    Fail(String),
    /// It was not done; why.
    Skipped(String),
}

impl From<Result<String, Trouble>> for Outcome {
    fn from(result: Result<String, Trouble>) -> Outcome {
        match result {
            Ok(details) => Outcome::Ok(details),
            Err(trouble) if trouble.is_lack() => Outcome::Skipped(trouble.to_string()),
            Err(trouble) => Outcome::Fail(trouble.to_string()),
        }
    }
}

/// The report on one repository.
pub(super) struct Report<'a> {
    output: &'a mut dyn Write,
    ok: usize,
    failed: usize,
    skipped: usize,
}

impl Report<'_> {
    pub(super) fn new(output: &mut dyn Write) -> Report<'_> {
        Report { output, ok: 0, failed: 0, skipped: 0 }
    }

    /// Does a check and writes its line. `meaning` is what a failure means.
    pub(super) fn add(
        &mut self,
        name: &str,
        meaning: &str,
        check: impl FnOnce() -> Outcome,
    ) -> Result<(), Fault> {
        let start = Instant::now();
        let outcome = check();
        let seconds = start.elapsed().as_secs_f64();
        let (word, details, count) = match &outcome {
            Outcome::Ok(details) => ("OK", details, &mut self.ok),
            Outcome::Fail(details) => ("FAIL", details, &mut self.failed),
            Outcome::Skipped(details) => ("SKIPPED", details, &mut self.skipped),
        };
        *count += 1;
        // The errors of libhsm begin with a line of their own.
        let details = details.replace('\n', "; ");
        writeln!(self.output, "{word:<8} {name} ({seconds:.2} s): {details}")?;
        if matches!(outcome, Outcome::Fail(_)) {
            writeln!(self.output, "         that means: {meaning}")?;
        }
        self.output.flush()?;
        Ok(())
    }

    /// Writes the count; says how many checks failed.
    pub(super) fn end(self) -> Result<usize, Fault> {
        let Report { ok, failed, skipped, .. } = self;
        writeln!(self.output, "{ok} OK, {failed} FAIL, {skipped} SKIPPED")?;
        Ok(failed)
    }
}
