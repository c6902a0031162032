import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";
import { hubOptions } from "../../scripts/build-options.ts";

test("the hub starts without what sends mail, pushes, speaks MQTT or makes certificates: these are loaded when they are first needed", async () => {
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
  for (const name of ["nodemailer", "web-push", "mqtt", "selfsigned", "@peculiar/x509"]) {
    assert.ok(all.has(name), `${name} is in the build`);
    assert.ok(!loaded.has(name), `${name} is not loaded at the start`);
  }
  assert.ok(loaded.has("ws") && loaded.has("zod"));
});
