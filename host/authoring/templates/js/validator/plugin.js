// @SUMMARY@.

/** One thing that is wrong. `field` is written as Kubernetes does: spec.secrets[0].name, metadata.labels[team]. */
function finding(code, field, errorType, message, value) {
  const badValue = value === undefined ? undefined : JSON.stringify(value);
  return { code, field, errorType, badValue, message, severity: "error" };
}

/** What is wrong with spec.settings of the MCPPlugin. */
function settingsErrors(settings) {
  const errors = Object.keys(settings)
    .filter((name) => name !== "label")
    .map((name) => finding("settings", name, "Invalid", "there is only label", settings[name]));
  if (typeof settings.label !== "string") {
    errors.push(finding("settings", "label", "Required", "the label that says who owns a server"));
  }
  return errors;
}

export const metadata = {
  describe() {
    return {
      name: "@NAME@",
      version: "0.1.0",
      summary: "@SUMMARY@",
      url: "",
      rules: [{ code: "owner", summary: "the label of the settings is there" }],
      context: [],
      settingsSchema: JSON.stringify({
        type: "object",
        required: ["label"],
        properties: { label: { type: "string" } },
      }),
      extra: [],
    };
  },

  validateSettings(settings) {
    return settingsErrors(JSON.parse(settings));
  },
};

export const validator = {
  /** Everything that is wrong, at once. */
  validate(text, request) {
    const settings = JSON.parse(text);
    if (settingsErrors(settings).length > 0) {
      throw { tag: "invalid-settings", val: "label is missing" };
    }
    const server = JSON.parse(request.object);
    if (settings.label in (server.metadata.labels ?? {})) {
      return [];
    }
    const field = `metadata.labels[${settings.label}]`;
    return [finding("owner", field, "Required", "say who owns this server")];
  },
};
