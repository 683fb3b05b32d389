//! What one annotation, or one setting, allows.

use crate::pattern::matches;
use crate::tenant::remedy;

pub(crate) struct Allowed<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) annotation: &'static str,
    pub(crate) is_given: bool,
    pub(crate) patterns: Vec<String>,
}

impl Allowed<'_> {
    pub(crate) fn admits(&self, value: &str) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, value))
    }

    /// What is allowed today, and how to allow one more: an annotation takes the place of the settings, so that the command
    /// repeats what is allowed already.
    pub(crate) fn remedy(&self, value: &str) -> String {
        let now = self.patterns.iter().map(String::as_str);
        let with_value: Vec<&str> = now.chain([value]).collect();
        format!(
            "the namespace {} may use {}; {}",
            self.namespace,
            if self.patterns.is_empty() {
                "none".to_owned()
            } else {
                self.patterns.join(", ")
            },
            remedy(
                self.namespace,
                self.annotation,
                &with_value.join(","),
                self.is_given
            )
        )
    }
}
