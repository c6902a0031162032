import assert from "node:assert/strict";
import { execFileSync, type StdioOptions, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";
import ssh2 from "ssh2";
import { parseHardware } from "../../../agent/sources/hardware.ts";
import { agentOptions } from "../../../scripts/build-options.ts";

const folder = mkdtempSync(join(tmpdir(), "proven-bundle-"));
after(() => rmSync(folder, { recursive: true, force: true }));
await build({ ...agentOptions, outdir: folder, sourcemap: false });
const agent = join(folder, "agent.mjs");

test("the built agent runs an SSH check: ssh2 works inside the bundle", async (t) => {
  const pem = { type: "pkcs1", format: "pem" } as const;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048, privateKeyEncoding: pem, publicKeyEncoding: pem });
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (login) => (login.method === "password" ? login.accept() : login.reject(["password"])));
    client.on("session", (accept) =>
      accept().on("exec", (acceptExec) => {
        const stream = acceptExec();
        stream.write("hello\n");
        stream.exit(0);
        stream.end();
      }),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const child = spawn(process.execPath, [agent, "sandbox-check"], { stdio: ["pipe", "pipe", "inherit"] });
  const check = { name: "it", kind: "ssh", port, user: "check", secret: "lab", command: "id", timeoutSec: 10 };
  child.stdin.end(JSON.stringify({ check, address: "127.0.0.1", secret: { password: "x" } }));
  let output = "";
  for await (const chunk of child.stdout) output += chunk;
  assert.deepEqual(JSON.parse(output), { is: "passed", saw: 'the command ended well: "hello"' });
});

test("the built agent reads an archive to its end", () => {
  const path = join(folder, "a.tar");
  writeFileSync(path, execFileSync("tar", ["-cf", "-", "-C", folder, "agent.mjs"], { maxBuffer: 1 << 26 }));
  const input = JSON.stringify({ path, kind: { container: "tar", compression: "none" } });
  const output = execFileSync(process.execPath, [agent, "archive-check"], { input, encoding: "utf8" });
  const { facts } = JSON.parse(output.trim().split("\n").at(-1) as string);
  assert.deepEqual([facts.damages, facts.unreadable, facts.log], [[], undefined, []]);
});

test("the built agent looks at its machine, with a library that its own file does not hold", () => {
  const path = { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" };
  const stdio: StdioOptions = ["ignore", "pipe", "ignore"];
  const output = execFileSync(process.execPath, [agent, "hardware-check"], { env: path, encoding: "utf8", stdio });
  assert.ok(parseHardware(output), output);
  assert.doesNotMatch(readFileSync(agent, "utf8"), /dmidecode -t/);
});
