//! What libtest says at the end of a test program.

use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
}

impl Counts {
    /// Of one line of output, if it is the one that sums up: `test result: ok. 3 passed; 0 failed; ...`.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let (_, counts) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let count = |name: &str| {
            counts
                .split("; ")
                .find_map(|part| part.strip_suffix(name)?.trim().parse().ok())
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
        })
    }

    pub(super) fn run(self) -> usize {
        self.passed + self.failed
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_line_that_sums_up_counts() {
        let passed = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 4 filtered out; finished in 0.03s\n";
        let expected = Counts {
            passed: 12,
            failed: 0,
        };
        assert_eq!(Counts::of_line(passed), Some(expected));
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 71.20s";
        let expected = Counts {
            passed: 1,
            failed: 2,
        };
        assert_eq!(Counts::of_line(failed), Some(expected));
        for other in [
            "running 3 tests",
            "test result is what it is",
            "test result: none. of these",
            "test a_test ... ok",
            "",
        ] {
            assert_eq!(Counts::of_line(other), None, "{other}");
        }
    }
}
