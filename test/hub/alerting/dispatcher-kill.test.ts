import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDir } from "../../support/temporary-dir.ts";

const program = fileURLToPath(new URL("../../support/dispatch-child.ts", import.meta.url));

/** Runs the process again and again; `killAt`: its request of that number kills it, before or after the answer. Counts arrivals by id. */
async function runThroughKills(t: TestContext, count: number, kills: readonly { at: number; answered: boolean }[]) {
  const dir = join(temporaryDir(t), "hub");
  const arrivals = new Map<string, number>();
  let child: ChildProcess | undefined;
  let plan: { at: number; answered: boolean } | undefined;
  let requests = 0;
  const server = createServer(async (request, response) => {
    await request.toArray();
    const id = String(request.headers["webhook-id"]);
    arrivals.set(id, (arrivals.get(id) ?? 0) + 1);
    const kill = ++requests === plan?.at;
    if (kill && !plan?.answered) child?.kill("SIGKILL");
    else response.end("ok", () => kill && child?.kill("SIGKILL"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const ends: (string | number | null)[] = [];
  for (plan of [...kills, undefined]) {
    requests = 0;
    child = spawn(process.execPath, ["--import", "tsx", program, dir, url, String(count)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    ends.push(signal ?? code);
  }
  return { arrivals, ends };
}

for (const answered of [false, true]) {
  const when = answered ? "right after an answer" : "while a message is being taken";
  test(`kill -9 ${when}: nothing is lost, and what was under way comes once more`, async (t) => {
    const { arrivals, ends } = await runThroughKills(t, 200, [{ at: 60, answered }]);
    assert.deepEqual(ends, ["SIGKILL", 0]);
    assert.equal(arrivals.size, 200);
    const repeated = [...arrivals.values()].filter((times) => times > 1);
    assert.ok(repeated.every((times) => times === 2));
    // A webhook has at most eight under way at a time, and eight more whose results are being written.
    assert.ok(repeated.length <= 16, `${repeated.length} of 200 came twice`);
  });
}
