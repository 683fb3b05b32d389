//! What a plugin says about itself.

/// What a plugin says about itself; shown in `MCPPlugin.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) summary: String,
    pub(crate) url: String,
    pub(crate) rules: Vec<(String, String)>,
    pub(crate) context: Vec<String>,
    pub(crate) settings_schema: Option<String>,
}

impl Description {
    /// Name in kebab-case, semantic version, one sentence.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// A page to read more.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        self.url = url.into();
        self
    }

    /// One rule: the code of its findings and what it demands.
    #[must_use]
    pub fn rule(mut self, code: &str, summary: &str) -> Self {
        self.rules.push((code.into(), summary.into()));
        self
    }

    /// Asks for a context value, `rendered` or `namespace`.
    #[must_use]
    pub fn context(mut self, name: &str) -> Self {
        self.context.push(name.into());
        self
    }

    /// A JSON Schema of the settings, for editors.
    #[must_use]
    pub fn settings_schema(mut self, schema: &str) -> Self {
        self.settings_schema = Some(schema.into());
        self
    }
}
