import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { hubOptions } from "../../scripts/build-options.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("the hub starts without what sends mail, pushes, speaks MQTT or SSH, or makes certificates: these are loaded when they are first needed", async () => {
  const { metafile } = await build({ ...hubOptions, outdir: "unused", write: false, sourcemap: false, metafile: true });
  const { outputs } = metafile;
  const atStart = new Set<string>();
  const visit = (path: string) => {
    if (atStart.has(path)) return;
    atStart.add(path);
    for (const one of outputs[path]?.imports ?? []) if (one.kind === "import-statement" && !one.external) visit(one.path);
  };
  visit("unused/hub.mjs");
  const packages = (paths: Iterable<string>) =>
    new Set([...paths].flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
  const loaded = packages([...atStart].flatMap((path) => Object.keys(outputs[path]?.inputs ?? {})));
  const all = packages(Object.values(outputs).flatMap(({ inputs }) => Object.keys(inputs)));
  for (const name of ["nodemailer", "web-push", "mqtt", "ssh2", "selfsigned", "@peculiar/x509"]) {
    assert.ok(all.has(name), `${name} is in the build`);
    assert.ok(!loaded.has(name), `${name} is not loaded at the start`);
  }
  assert.ok(loaded.has("ws") && loaded.has("zod"));
});

test("what is loaded late from the bundle is there: a certificate is made, and mail, push and MQTT have their functions", async (t) => {
  const dir = temporaryDir(t);
  const late = { nodemailer: "createTransport", mqtt: "connect", ssh2: "Client", "web-push": "generateRequestDetails" };
  const names = Object.entries(late).map(([name, called]) => `typeof (await import("${name}")).default.${called}`);
  const contents = `export { loadCertificate } from "./hub/tls.ts";\nexport const kinds = async () => [${names.join(", ")}];`;
  const { entryPoints: _, ...options } = hubOptions;
  await build({ ...options, stdin: { contents, resolveDir: process.cwd(), loader: "ts" }, outdir: dir, sourcemap: false });
  const built = await import(pathToFileURL(join(dir, "stdin.mjs")).href);
  assert.deepEqual(await built.kinds(), ["function", "function", "function", "function"]);
  const { cert, fingerprint } = await built.loadCertificate(dir, Date.now());
  assert.equal(new X509Certificate(cert).fingerprint256, fingerprint);
});
