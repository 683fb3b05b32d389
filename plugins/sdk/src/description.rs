//! The description of a plugin.

/// The description of a plugin, which `MCPPlugin.status` shows.
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
    /// `name` is kebab-case, `version` a semantic version, `summary` one sentence.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            summary: summary.into(),
            ..Self::default()
        }
    }

    /// The URL of a page with more about the plugin.
    #[must_use]
    pub fn url(mut self, url: &str) -> Self {
        self.url = url.into();
        self
    }

    /// Adds a rule: the kebab-case code of its findings, and a sentence that says what it demands.
    #[must_use]
    pub fn rule(mut self, code: &str, summary: &str) -> Self {
        self.rules.push((code.into(), summary.into()));
        self
    }

    /// Asks for a context value: `rendered`, the objects that the server becomes, or `namespace`, its namespace.
    #[must_use]
    pub fn context(mut self, name: &str) -> Self {
        self.context.push(name.into());
        self
    }

    /// A JSON Schema of the settings, as JSON text.
    #[must_use]
    pub fn settings_schema(mut self, schema: &str) -> Self {
        self.settings_schema = Some(schema.into());
        self
    }
}
