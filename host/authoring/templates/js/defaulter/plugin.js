// @SUMMARY@.

/** What is wrong with spec.settings of the MCPPlugin. */
function settingsErrors(settings) {
  const names = Object.keys(settings).join();
  if (names === "priorityClass" && typeof settings.priorityClass === "string") {
    return [];
  }
  const message = "the PriorityClass of pods that have none, and nothing else";
  return [
    { code: "settings", field: "priorityClass", errorType: "Required", badValue: undefined, message, severity: "error" },
  ];
}

export const metadata = {
  describe() {
    return {
      name: "@NAME@",
      version: "0.1.0",
      summary: "@SUMMARY@",
      url: "",
      rules: [{ code: "priority", summary: "pods without a PriorityClass get that of the settings" }],
      context: [],
      settingsSchema: undefined,
      extra: [],
    };
  },

  validateSettings(settings) {
    return settingsErrors(JSON.parse(settings));
  },
};

export const defaulter = {
  /** Says what to change: never what is set, and nothing on a second call. wit/defaulter.wit lists what may be changed. */
  defaults(text, request) {
    const settings = JSON.parse(text);
    if (settingsErrors(settings).length > 0) {
      throw { tag: "invalid-settings", val: "priorityClass is missing" };
    }
    const patches = [];
    request.objects.forEach((text, object) => {
      const value = JSON.parse(text);
      if (value.kind !== "Deployment" || value.spec.template.spec.priorityClassName) {
        return;
      }
      const path = "/spec/template/spec/priorityClassName";
      const change = { tag: "add", val: { path, value: JSON.stringify(settings.priorityClass) } };
      patches.push({ object, code: "priority", operations: [change] });
    });
    return patches;
  },
};
