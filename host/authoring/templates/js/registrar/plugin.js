// @SUMMARY@: one key of a ConfigMap, for a gateway that watches it.

/** What is wrong with spec.settings of the MCPPlugin: namespace and name of the ConfigMap. */
function settingsErrors(settings) {
  return ["namespace", "name"]
    .filter((field) => typeof settings[field] !== "string")
    .map((field) => ({
      code: "settings",
      field,
      errorType: "Required",
      badValue: undefined,
      message: `the ${field} of the ConfigMap`,
      severity: "error",
    }));
}

function keyOf(text) {
  const settings = JSON.parse(text);
  if (settingsErrors(settings).length > 0) {
    throw { tag: "invalid-settings", val: "namespace and name are wanted" };
  }
  return { namespace: settings.namespace, name: settings.name, key: "servers.json" };
}

export const metadata = {
  describe() {
    return {
      name: "@NAME@",
      version: "0.1.0",
      summary: "@SUMMARY@",
      url: "",
      rules: [],
      context: [],
      settingsSchema: undefined,
      extra: [],
    };
  },

  validateSettings(settings) {
    return settingsErrors(JSON.parse(settings));
  },
};

export const registrar = {
  /** What must be known before the plan. The operator reads it, by the grants of the MCPPlugin. */
  observe(settings) {
    return [{ id: "list", source: { tag: "config-key", val: keyOf(settings) }, written: true }];
  },

  /** What is to be done, from what was found. Without steps, everything is as it should be. */
  plan(settings, registry) {
    const key = keyOf(settings);
    const nameOf = (server) => `${server.namespace}/${server.name}`;
    const list = registry.servers.map((server) => ({ name: nameOf(server), url: server.url }));
    // Without servers the key is removed, so that nothing is left behind.
    const content = list.length > 0 ? JSON.stringify(list) : undefined;
    const found = registry.observations.find((one) => one.id === "list")?.state;
    const isWritten = found?.tag === "config-key" && (found.val ?? undefined) === content;
    const write = { action: { tag: "write-config-key", val: { key, content } }, servers: [] };
    return {
      steps: isWritten ? [] : [write],
      registrations: registry.servers.map((server) => ({
        server: nameOf(server),
        registeredName: nameOf(server),
        state: isWritten ? "registered" : "pending",
        reason: isWritten ? "Listed" : "Listing",
        message: `${isWritten ? "Is" : "Is being put"} in the list`,
      })),
      extra: [],
    };
  },
};
