// The plugin that checks hosts and tools, as wit/1.0.0/conformance describes it.

/** A record of the contract as JSON has it: with all of its members, by the contract's names. */
function record(names, value) {
  const member = (name) => value[name.replace(/-(.)/g, (_, letter) => letter.toUpperCase())] ?? null;
  return Object.fromEntries(names.map((name) => [name, member(name)]));
}

/** The same of a list. */
function records(names, values) {
  return values.map((value) => record(names, value));
}

const named = (values) => records(["name", "value"], values);

function requestJson(request) {
  const names = ["operation", "stage", "name", "namespace", "dry-run", "object", "old-object"];
  return JSON.stringify({
    ...record(names, request),
    kind: record(["group", "version", "kind"], request.kind),
    user: request.user ? record(["username", "uid", "groups", "extra"], request.user) : null,
    context: named(request.context),
  });
}

function defaultingRequestJson(request) {
  return JSON.stringify({ ...record(["stage", "server", "objects"], request), context: named(request.context) });
}

function registryJson(registry) {
  const names = ["namespace", "name", "uid", "created", "labels", "url", "transport", "description"];
  const more = ["access-groups", "allowed-tools"];
  const server = (one) => ({ ...record([...names, ...more], one), extra: named(one.extra) });
  return JSON.stringify({
    instance: registry.instance,
    servers: registry.servers.map(server),
    observations: registry.observations.map(({ id, state }) => ({ id, state: { [state.tag]: found(state) } })),
    context: named(registry.context),
  });
}

function found({ tag, val }) {
  switch (val === undefined || val === null ? "nothing" : tag) {
    case "nothing":
      return null;
    case "workload":
      return record(["rolled-to", "complete", "message"], val);
    case "http":
      return record(["status", "headers", "body"], val);
    default:
      return val;
  }
}

/** The case of a variant, and what belongs to it. */
function one(said) {
  const cases = Object.entries(said);
  if (cases.length !== 1) {
    throw unreadable;
  }
  return cases[0];
}

const unreadable = { tag: "invalid-settings", val: "unreadable" };

/** What the settings say that is to be answered. */
function answered(settings, echo, read) {
  const { answer } = JSON.parse(settings);
  if (answer === undefined) {
    throw unreadable;
  }
  if (answer === "echo") {
    return echo();
  }
  if (answer === "trap") {
    throw new Error("as the settings say");
  }
  const [outcome, said] = one(answer);
  if (outcome === "ok") {
    return read(said);
  }
  const [tag, val] = one(said);
  throw { tag, val };
}

const absent = (value) => value ?? undefined;

function finding(said) {
  const { code, field, message, severity } = said;
  return { code, field, errorType: said["error-type"], badValue: absent(said["bad-value"]), message, severity };
}

function patch({ object, code, operations }) {
  const operation = (said) => {
    const [tag, val] = one(said);
    return { tag, val };
  };
  return { object, code, operations: operations.map(operation) };
}

const httpRequest = (said) => ({ ...said, body: absent(said.body) });

function read({ id, source, written }) {
  const [tag, val] = one(source);
  return { id, source: { tag, val: tag === "http" ? httpRequest(val) : val }, written };
}

function action(said) {
  const [tag, val] = one(said);
  switch (tag) {
    case "write-config-key":
      return { tag, val: { key: val.key, content: absent(val.content) } };
    case "send":
      return { tag, val: httpRequest(val) };
    default:
      return { tag, val };
  }
}

function registration(said) {
  const { server, state, reason, message } = said;
  return { server, registeredName: said["registered-name"], state, reason, message };
}

function plan({ steps, registrations, extra }) {
  return {
    steps: steps.map((step) => ({ action: action(step.action), servers: step.servers })),
    registrations: registrations.map(registration),
    extra,
  };
}

export const metadata = {
  describe() {
    return {
      name: "conformance",
      version: "1.0.0",
      summary: "Answers what its settings say ✓",
      url: "https://example.com/?a=1&b=ü",
      rules: [{ code: "echo", summary: "says what it was asked" }],
      context: ["namespace", "rendered"],
      settingsSchema: '{"type":"object"}',
      extra: [{ name: "conformance", value: "[1,null]" }],
    };
  },

  validateSettings(settings) {
    return (JSON.parse(settings).findings ?? []).map(finding);
  },
};

/** How often rules were asked in this instance. */
let calls = 0;

export const validator = {
  validate(settings, request) {
    calls += 1;
    const said = (code, badValue, message) => [
      { code, field: "", errorType: "Invalid", badValue, message, severity: "warning" },
    ];
    if (JSON.parse(settings).answer === "count") {
      return said("count", undefined, String(calls));
    }
    return answered(
      settings,
      () => said("echo", requestJson(request), "echo"),
      (findings) => findings.map(finding),
    );
  },
};

export const defaulter = {
  defaults(settings, request) {
    const echo = () => {
      const change = { tag: "add", val: { path: "/echo", value: defaultingRequestJson(request) } };
      return [{ object: 0, code: "echo", operations: [change] }];
    };
    return answered(settings, echo, (patches) => patches.map(patch));
  },
};

export const registrar = {
  observe(settings) {
    return answered(
      settings,
      () => [],
      (reads) => reads.map(read),
    );
  },

  plan(settings, registry) {
    const echo = () => {
      const message = registryJson(registry);
      const said = { server: "", registeredName: "", state: "pending", reason: "Echo", message };
      return { steps: [], registrations: [said], extra: [] };
    };
    return answered(settings, echo, plan);
  },
};
