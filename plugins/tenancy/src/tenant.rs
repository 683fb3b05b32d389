//! The namespace of a server: what its annotations say, and the settings where they say nothing.

use mcp_plugin_sdk::Namespace;

use crate::allowed::Allowed;
use crate::settings::Settings;

/// Prefix of all annotations.
const PREFIX: &str = "mcp.litellm.ai/";
/// Stands for the name of the namespace in patterns.
const NAMESPACE: &str = "<namespace>";

pub(crate) struct Tenant<'a> {
    namespace: &'a Namespace,
    pub(crate) settings: &'a Settings,
}

impl<'a> Tenant<'a> {
    pub(crate) fn new(namespace: &'a Namespace, settings: &'a Settings) -> Self {
        Self {
            namespace,
            settings,
        }
    }

    pub(crate) fn name(&self) -> &'a str {
        &self.namespace.name
    }

    pub(crate) fn is_trusted(&self) -> bool {
        let labels = &self.settings.trusted_namespace_labels;
        let has = |(name, value): (&String, &String)| {
            self.namespace
                .labels
                .get(name)
                .is_some_and(|found| found == value)
        };
        self.settings
            .trusted_namespaces
            .contains(&self.namespace.name)
            || !labels.is_empty() && labels.iter().all(has)
    }

    /// The value of an annotation, named without its prefix.
    pub(crate) fn annotation(&self, name: &str) -> Option<&'a str> {
        let annotations = &self.namespace.annotations;
        annotations
            .get(&format!("{PREFIX}{name}"))
            .map(String::as_str)
    }

    /// What an annotation lists, or the settings where there is none. An empty annotation allows nothing.
    ///
    /// # Errors
    /// One sentence, when nobody can say what it means.
    pub(crate) fn allowed(
        &self,
        annotation: &'static str,
        default: &[String],
    ) -> Result<Allowed<'a>, String> {
        let resolved = |pattern: &str| pattern.replace(NAMESPACE, self.name());
        let given = self.annotation(annotation);
        let patterns = match given.map(str::trim) {
            None => default.iter().map(|pattern| resolved(pattern)).collect(),
            Some("") => Vec::new(),
            Some(list) => list
                .split(',')
                .map(|item| resolved(item.trim()))
                .collect::<Vec<_>>(),
        };
        if patterns.iter().any(String::is_empty) {
            return Err(self.malformed(annotation, "it has an empty item"));
        }
        Ok(Allowed {
            namespace: self.name(),
            annotation,
            is_given: given.is_some(),
            patterns,
        })
    }

    /// An annotation that nobody can read allows nothing.
    pub(crate) fn malformed(&self, annotation: &str, why: &str) -> String {
        format!(
            "what is allowed cannot be told: a platform administrator must mend the annotation {PREFIX}{annotation} of the namespace {}: {why}",
            self.name()
        )
    }

    /// How a platform administrator allows something.
    pub(crate) fn remedy(&self, annotation: &str, value: &str) -> String {
        remedy(
            self.name(),
            annotation,
            value,
            self.annotation(annotation).is_some(),
        )
    }
}

/// The command that gives a namespace an annotation. It is there to be copied: what a shell might take for more than a text
/// is not put into it.
pub(crate) fn remedy(namespace: &str, annotation: &str, value: &str, is_given: bool) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,*=+@".contains(c);
    if value.len() > 300 || !value.chars().all(is_plain) {
        return format!(
            "a platform administrator allows it by the annotation {PREFIX}{annotation} of the namespace {namespace}"
        );
    }
    let quote = if value.contains('*') { "'" } else { "" };
    let overwrite = if is_given { " --overwrite" } else { "" };
    format!(
        "a platform administrator allows it with `kubectl annotate namespace {namespace}{overwrite} {PREFIX}{annotation}={quote}{value}{quote}`"
    )
}
