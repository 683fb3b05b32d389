//! The table of what was run, how many tests that was, and how long it took.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::libtest::Counts;

/// One row for each part of the run, in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    outcome: Outcome,
    counts: Counts,
    took: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    NotRun,
    Passed,
    Failed,
    LeftOut(&'static str),
}

impl Report {
    /// Plans a part: it is in the table also when another one before it fails.
    pub(super) fn plan(&mut self, name: &'static str) {
        self.rows.push(Row {
            name,
            outcome: Outcome::NotRun,
            counts: Counts::default(),
            took: Duration::ZERO,
        });
    }

    /// Says that a part is not run, and what it lacks.
    pub(super) fn leave_out(&mut self, name: &'static str, lacks: &'static str) {
        self.row(name).outcome = Outcome::LeftOut(lacks);
    }

    /// Runs a part.
    ///
    /// # Errors
    /// The error of the part itself.
    pub(super) fn run<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&mut Counts) -> Result<T>,
    ) -> Result<T> {
        let (mut counts, began) = (Counts::default(), Instant::now());
        let result = work(&mut counts);
        let row = self.row(name);
        row.counts = counts;
        row.took = began.elapsed();
        row.outcome = if result.is_ok() {
            Outcome::Passed
        } else {
            Outcome::Failed
        };
        result
    }

    fn row(&mut self, name: &'static str) -> &mut Row {
        let known = self.rows.iter().position(|row| row.name == name);
        let index = known.unwrap_or_else(|| {
            self.plan(name);
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |row: &Row| row.name.len();
        let width = self.rows.iter().map(width).max().unwrap_or_default().max(5);
        writeln!(formatter, "{:width$}  tests  seconds", "tier")?;
        let (mut counts, mut took) = (Counts::default(), Duration::ZERO);
        for row in &self.rows {
            writeln!(formatter, "{row:width$}")?;
            counts += row.counts;
            took += row.took;
        }
        let seconds = took.as_secs();
        write!(
            formatter,
            "{:width$}  {:>5}  {seconds:>7}",
            "total",
            counts.run()
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = formatter.width().unwrap_or_default();
        let tests = match self.counts.run() {
            0 => "-".to_owned(),
            tests => tests.to_string(),
        };
        let (name, seconds) = (self.name, self.took.as_secs());
        write!(formatter, "{name:width$}  ")?;
        match self.outcome {
            Outcome::Passed => write!(formatter, "{tests:>5}  {seconds:>7}"),
            Outcome::Failed => {
                write!(formatter, "{tests:>5}  {seconds:>7}  FAILED")?;
                match self.counts.failed {
                    0 => Ok(()),
                    failed => write!(formatter, ": {failed}"),
                }
            }
            Outcome::NotRun => write!(formatter, "    -        -  not run"),
            Outcome::LeftOut(lacks) => write!(formatter, "    -        -  left out: {lacks}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn counted(passed: usize, failed: usize) -> Counts {
        Counts { passed, failed }
    }

    #[test]
    fn the_table_marks_what_failed_and_what_did_not_run() {
        let mut report = Report::default();
        for name in ["unit", "control plane", "build", "real node", "litellm"] {
            report.plan(name);
        }
        let passed = report.run("unit", |counts| {
            *counts += counted(7, 0);
            *counts += counted(5, 0);
            Ok(())
        });
        assert!(passed.is_ok());
        let failed = report.run("control plane", |counts| -> Result<()> {
            *counts += counted(3, 2);
            bail!("two failed")
        });
        assert_eq!(failed.unwrap_err().to_string(), "two failed");
        let broken = report.run("build", |_| -> Result<()> { bail!("no compiler") });
        assert!(broken.is_err());
        report.leave_out("litellm", "root on Linux");
        let expected = "\
tier           tests  seconds
unit              12        0
control plane      5        0  FAILED: 2
build              -        0  FAILED
real node          -        -  not run
litellm            -        -  left out: root on Linux
total             17        0";
        assert_eq!(report.to_string(), expected);
    }
}
