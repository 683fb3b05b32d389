// Loopback stand-in for Prisma's native `query-engine` binary (5.17.0), for machines where binaries.prisma.sh is blocked.
// It runs the REAL Prisma Rust query engine compiled to wasm (npm @prisma/query-engine-wasm, same commit 393aa359…)
// over @prisma/adapter-pg, and translates prisma-client-py's GraphQL protocol to the engine's JSON protocol.
const VERSION = "393aa359c9ad4a4bb28630fb5613f9c281cde053";
if (process.argv.includes("--version")) {
  console.log("query-engine " + VERSION);
  process.exit(0);
}
const fs = require("fs"),
  http = require("http"),
  path = require("path");
const port = +process.argv[process.argv.indexOf("-p") + 1];
const DBG = process.env.ENGINE_SHIM_DEBUG;
process.on("SIGINT", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
setInterval(() => {
  try {
    process.kill(ppid, 0);
  } catch {
    process.exit(0);
  }
}, 2000).unref?.();
const ppid = process.ppid;

function parseGql(src) {
  // {operation, fields:[{alias,name,args,sel}]}
  let i = 0;
  const ws = () => {
    while (i < src.length && /[\s,]/.test(src[i])) i++;
  };
  const name = () => {
    ws();
    const m = /^[A-Za-z_][A-Za-z0-9_]*/.exec(src.slice(i, i + 200));
    if (!m) throw new Error("name expected at " + src.slice(i, i + 40));
    i += m[0].length;
    return m[0];
  };
  const peek = () => {
    ws();
    return src[i];
  };
  const expect = (c) => {
    ws();
    if (src[i] !== c) throw new Error(`expected ${c} at ${src.slice(i, i + 60)}`);
    i++;
  };
  function value() {
    const c = peek();
    if (c === "{") {
      i++;
      const o = {};
      while (peek() !== "}") {
        const k = name();
        expect(":");
        o[k] = value();
      }
      i++;
      return o;
    }
    if (c === "[") {
      i++;
      const a = [];
      while (peek() !== "]") a.push(value());
      i++;
      return a;
    }
    if (c === '"') {
      let j = i + 1;
      while (src[j] !== '"') {
        if (src[j] === "\\") j++;
        j++;
      }
      const s = JSON.parse(src.slice(i, j + 1));
      i = j + 1;
      return s;
    }
    const m = /^-?[A-Za-z0-9_.+\-]+/.exec(src.slice(i, i + 80));
    i += m[0].length;
    const t = m[0];
    if (t === "true") return true;
    if (t === "false") return false;
    if (t === "null") return null;
    if (/^-?\d+$/.test(t)) return Number.isSafeInteger(+t) ? +t : { $type: "BigInt", value: t };
    if (/^-?[\d.]/.test(t)) return +t;
    return t;
  }
  function args() {
    const o = {};
    if (peek() === "(") {
      i++;
      while (peek() !== ")") {
        const k = name();
        expect(":");
        o[k] = value();
      }
      i++;
    }
    return o;
  }
  function sel() {
    const out = [];
    expect("{");
    while (peek() !== "}") {
      let n = name(),
        alias = null;
      if (peek() === ":") {
        i++;
        alias = n;
        n = name();
      }
      const a = args();
      const s = peek() === "{" ? sel() : null;
      out.push({ alias, name: n, args: a, sel: s });
    }
    i++;
    return out;
  }
  const operation = name();
  return { operation, fields: sel() };
}
// model -> field -> type, so that strings given for Json fields become Json values (the GraphQL protocol parses them itself)
const MODELS = {};
function readModels(dm) {
  let m = null;
  for (const l of dm.split("\n")) {
    let r;
    if ((r = /^\s*model\s+(\w+)\s*\{/.exec(l))) {
      m = MODELS[r[1]] = {};
      continue;
    }
    if (/^\s*\}/.test(l)) {
      m = null;
      continue;
    }
    if (
      m &&
      (r = /^\s*(\w+)\s+(\w+)(\[\]|\?)?/.exec(l)) &&
      !l.trim().startsWith("//") &&
      !l.trim().startsWith("@@")
    )
      m[r[1]] = r[2];
  }
}
function tagJson(v, depth = 0) {
  if (typeof v === "string") return { $type: "Json", value: v };
  if (Array.isArray(v)) return v.map((x) => tagJson(x));
  if (v && typeof v === "object" && !("$type" in v)) {
    const o = {};
    for (const k in v) o[k] = k === "path" || k.startsWith("string_") ? v[k] : tagJson(v[k]);
    return o;
  }
  return v;
}
function conv(v, model) {
  if (Array.isArray(v)) return v.map((x) => conv(x, model));
  if (!v || typeof v !== "object" || "$type" in v) return v;
  const o = {},
    f = MODELS[model] || {};
  for (const k in v) {
    const t = f[k];
    o[k] = t === "Json" ? tagJson(v[k]) : t && MODELS[t] ? conv(v[k], t) : conv(v[k], model);
  }
  return o;
}
const ACTIONS = [
  "findUnique",
  "findFirst",
  "findMany",
  "createOne",
  "createMany",
  "updateOne",
  "updateMany",
  "deleteOne",
  "deleteMany",
  "upsertOne",
  "aggregate",
  "groupBy",
];
function toSel(list) {
  const o = {};
  for (const f of list || [])
    o[f.name] = f.sel || Object.keys(f.args).length ? { arguments: f.args, selection: toSel(f.sel) } : true;
  return o;
}
function toJson(q) {
  const f = parseGql(q).fields[0];
  if (f.name === "queryRaw" || f.name === "executeRaw")
    return { action: f.name, query: { arguments: f.args, selection: {} } };
  const a = ACTIONS.filter((x) => f.name.startsWith(x)).sort((x, y) => y.length - x.length)[0];
  let model = f.name.slice(a.length),
    action = a;
  if ((a === "findUnique" || a === "findFirst") && model.endsWith("OrThrow")) {
    model = model.slice(0, -7);
    action = a + "OrThrow";
  }
  return { modelName: model, action, query: { arguments: conv(f.args, model), selection: toSel(f.sel) } };
}
function untag(v) {
  if (Array.isArray(v)) return v.map(untag);
  if (v && typeof v === "object") {
    if ("$type" in v)
      switch (v.$type) {
        case "BigInt":
          return Number(v.value);
        case "Json":
          return typeof v.value === "string" ? v.value : JSON.stringify(v.value);
        default:
          return v.value;
      }
    const o = {};
    for (const k in v) o[k] = untag(v[k]);
    return o;
  }
  return v;
}
function wrap(res, raw) {
  if (res.errors) return { errors: res.errors };
  const d = res.data ? Object.values(res.data)[0] : null;
  return { data: { result: raw ? d : untag(d) } };
}
(async () => {
  const dir = path.join(__dirname, "node_modules/@prisma/query-engine-wasm/postgresql");
  const bg = await import(path.join(dir, "query_engine_bg.js"));
  const wasm = await WebAssembly.instantiate(fs.readFileSync(path.join(dir, "query_engine_bg.wasm")), {
    "./query_engine_bg.js": bg,
  });
  bg.__wbg_set_wasm(wasm.instance.exports);
  const { Pool } = require("pg");
  const { PrismaPg } = require("@prisma/adapter-pg");
  const { bindAdapter } = require("@prisma/driver-adapter-utils");
  let url = process.env.DATABASE_URL;
  try {
    const o = JSON.parse(process.env.OVERWRITE_DATASOURCES || "[]");
    if (o[0] && o[0].url) url = o[0].url;
  } catch {}
  const u = new URL(url);
  const pool = new Pool({
    connectionString: `${u.protocol}//${u.username}${u.password ? ":" + u.password : ""}@${u.host}${u.pathname}`,
    max: 10,
  });
  pool.on("error", (e) => console.error("engine-shim pool", e.message));
  let datamodel = fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8");
  readModels(datamodel);
  const engine = new bg.QueryEngine(
    { datamodel, logLevel: "error", logQueries: false },
    (l) => {
      if (DBG) console.error("engine-log", l);
    },
    bindAdapter(new PrismaPg(pool)),
  );
  const trace = JSON.stringify({});
  await engine.connect(trace);
  const run = async (body, tx) => {
    const b = JSON.parse(body);
    if (b.batch) {
      const r = JSON.parse(
        await engine.query(
          JSON.stringify({
            batch: b.batch.map((x) => toJson(x.query)),
            transaction: b.transaction ? {} : undefined,
          }),
          trace,
          tx,
        ),
      );
      if (r.errors) return r;
      return { batchResult: r.batchResult.map((x) => wrap(x, false)) };
    }
    const q = toJson(b.query);
    const r = JSON.parse(await engine.query(JSON.stringify(q), trace, tx));
    if (DBG)
      console.error("engine-shim", JSON.stringify(q).slice(0, 400), "=>", JSON.stringify(r).slice(0, 300));
    return wrap(r, q.action === "queryRaw");
  };
  http
    .createServer((req, res) => {
      let body = "";
      req.on("data", (c) => (body += c));
      req.on("end", async () => {
        const send = (o, s = 200) => {
          res.writeHead(s, { "content-type": "application/json" });
          res.end(typeof o === "string" ? o : JSON.stringify(o));
        };
        try {
          const p = req.url.split("?")[0];
          let m;
          if (p === "/status") return send({ status: "ok" });
          if (p === "/metrics") return send({ counters: [], gauges: [], histograms: [] });
          if (p === "/transaction/start") {
            const r = JSON.parse(await engine.startTransaction(body, trace));
            return send(r, r.error_code ? 500 : 200);
          }
          if ((m = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(p)))
            return send((await engine[m[2] + "Transaction"](m[1], trace)) || "{}");
          return send(await run(body, req.headers["x-transaction-id"]));
        } catch (e) {
          console.error("engine-shim ERROR", e && e.message, body.slice(0, 600));
          send({
            errors: [
              {
                error: String(e),
                user_facing_error: { is_panic: false, message: String(e), backtrace: null },
              },
            ],
          });
        }
      });
    })
    .listen(port, "127.0.0.1", () => {
      if (DBG) console.error("engine-shim on", port);
    });
})().catch((e) => {
  console.error("engine-shim fatal", e);
  process.exit(1);
});
