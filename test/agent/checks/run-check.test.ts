import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RestoreCheck } from "#protocol/restore.ts";
import { createRunCheck } from "../../../agent/checks/run-check.ts";
import { systemClock } from "../../../agent/clock.ts";
import type { RunCommand } from "../../../agent/ports.ts";
import type { ApiResult } from "../../../agent/pve/answer.ts";
import type { ApiParams, PveApi } from "../../../agent/pve/api.ts";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import type { CheckTarget } from "../../../agent/restore/ports.ts";
import { startHttp } from "../../support/check-servers.ts";

const root = mkdtempSync(join(tmpdir(), "proven-checks-"));
after(() => rmSync(root, { recursive: true, force: true }));
const folder = join(root, "etc/proven/checks.d");
const secrets = join(root, "etc/proven/restore-secrets.toml");
beforeEach(() => {
  rmSync(dirname(folder), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

const real = createRunCommand({ path: "/usr/sbin:/usr/bin:/sbin:/bin" });
/** Runs without a namespace what would run in one. */
const here: RunCommand = (file, args, options) =>
  file === "ip" && args[1] === "exec" ? real(args[3] as string, args.slice(4), options) : real(file, args, options);
const self = [process.execPath, "--import", "tsx", fileURLToPath(new URL("../../../agent/main.ts", import.meta.url))];
const never = new AbortController().signal;
const sandbox = { name: "t", bridge: "pvt0", netns: "proven-t" };
const vm: CheckTarget = { vmid: 9100, type: "qemu", sandbox, address: "127.0.0.1", inside: true };
const common = { name: "it", timeoutSec: 0.4 } as const;

type Answer = (method: string, path: string, params: ApiParams) => ApiResult;
function apiOf(answer: Answer): PveApi {
  const call =
    (method: string) =>
    async (path: string, params: ApiParams = {}) =>
      answer(method, path, params);
  const none = async (): Promise<ApiResult> => ({ ok: true, data: null });
  return {
    get: call("GET"),
    post: call("POST"),
    put: call("PUT"),
    delete: call("DELETE"),
    awaitTask: none,
    close: () => undefined,
  };
}
const data = (value: unknown): ApiResult => ({ ok: true, data: value });
const refuse = (status: number, reason: string): ApiResult => ({ ok: false, error: { status, reason, errors: {} } });
const noApi = apiOf(() => refuse(0, "ECONNREFUSED"));

async function runIt(
  check: RestoreCheck,
  target: CheckTarget = vm,
  { api = noApi, run = here }: { api?: PveApi; run?: RunCommand } = {},
) {
  const runCheck = createRunCheck({ api, run, node: "pve1", clock: systemClock, root, self });
  const { durationMs, ...record } = await runCheck(check, target, never);
  assert.ok(durationMs !== undefined && durationMs >= 0);
  return record;
}

test("a network check is made by a process of its own, which is the agent itself", async (t) => {
  const port = await startHttp(t, (_, response) => response.end("hello"));
  const check: RestoreCheck = {
    ...common,
    name: "web",
    timeoutSec: 10,
    kind: "http",
    scheme: "http",
    port,
    path: "/",
    text: "hello",
  };
  assert.deepEqual(await runIt(check), {
    name: "web",
    kind: "http",
    state: "passed",
    reason: "status 200, with the wanted text",
  });
});

test("without an address, a sandbox or a way to run it a network check is skipped with the reason", async () => {
  const check: RestoreCheck = { ...common, kind: "tcp", port: 80 };
  const skipped = (reason: string) => ({ name: "it", kind: "tcp", state: "skipped", reason });
  assert.deepEqual(await runIt(check, { ...vm, address: undefined }), skipped("the guest has no address in the sandbox"));
  assert.deepEqual(await runIt(check, { ...vm, sandbox: undefined }), skipped("there is no sandbox to check from"));
  const gone: RunCommand = async () => ({
    ok: true,
    code: 1,
    stdout: "",
    stderr: 'Cannot open network namespace "proven-t": No such file or directory\n',
  });
  assert.deepEqual(
    await runIt(check, vm, { run: gone }),
    skipped('the check could not be run: Cannot open network namespace "proven-t": No such file or directory'),
  );
});

test("a command in a VM is asked for until it has exited, and its exit code and text are judged", async () => {
  const asked: string[] = [];
  let looks = 0;
  const api = apiOf((method, path, params) => {
    asked.push(`${method} ${path} ${JSON.stringify(params)}`);
    if (path.endsWith("/exec")) return data({ pid: 4711 });
    return data(++looks < 2 ? { exited: 0 } : { exited: 1, exitcode: 0, "out-data": "ok: 3 tables\n" });
  });
  assert.deepEqual(
    await runIt({ ...common, timeoutSec: 5, kind: "exec", command: ["psql", "-c", "\\dt"], text: "3 tables" }, vm, { api }),
    {
      name: "it",
      kind: "exec",
      state: "passed",
      reason: 'exit code 0: "ok: 3 tables"',
    },
  );
  assert.deepEqual(asked, [
    'POST /nodes/pve1/qemu/9100/agent/exec {"command":["psql","-c","\\\\dt"]}',
    'GET /nodes/pve1/qemu/9100/agent/exec-status {"pid":4711}',
    'GET /nodes/pve1/qemu/9100/agent/exec-status {"pid":4711}',
  ]);
});

test("a guest that forbids commands skips the check; one whose agent is silent fails it", async () => {
  const forbids = apiOf(() => refuse(500, "The command guest-exec has been disabled for this instance"));
  const check: RestoreCheck = { ...common, kind: "service", unit: "nginx.service" };
  assert.deepEqual(await runIt(check, vm, { api: forbids }), {
    name: "it",
    kind: "service",
    state: "skipped",
    reason: "the guest does not allow it: The command guest-exec has been disabled for this instance",
  });
  const silent = apiOf(() => refuse(500, "QEMU guest agent is not running"));
  assert.deepEqual(await runIt({ ...common, kind: "agent-ping" }, vm, { api: silent }), {
    name: "it",
    kind: "agent-ping",
    state: "failed",
    reason: "QEMU guest agent is not running",
  });
});

test("services, processes and file systems of a VM, as its agent tells them", async () => {
  const commands: unknown[] = [];
  const exits = (exitcode: number, out: string) =>
    apiOf((_, path, params) => {
      if (path.endsWith("/exec")) commands.push(params.command);
      return path.endsWith("/exec") ? data({ pid: 1 }) : data({ exited: 1, exitcode, "out-data": out });
    });
  const reason = async (check: RestoreCheck, api: PveApi) => {
    const record = await runIt(check, vm, { api });
    return `${record.state}: ${record.reason}`;
  };
  assert.equal(await reason({ ...common, kind: "service", unit: "nginx" }, exits(0, "active\n")), "passed: nginx is active");
  assert.equal(await reason({ ...common, kind: "service", unit: "nginx" }, exits(3, "failed\n")), "failed: nginx is failed");
  assert.equal(
    await reason({ ...common, kind: "process", process: "c++filt" }, exits(0, "812\n")),
    "passed: runs as process 812",
  );
  assert.deepEqual(commands.at(-1), ["pgrep", "-x", "--", "c\\+\\+filt"]);
  assert.equal(await reason({ ...common, kind: "process", process: "mysqld" }, exits(1, "")), "failed: no process mysqld runs");
  const disks = (bytes: number | undefined) =>
    apiOf(() =>
      data({
        result: [
          { mountpoint: "/", "total-bytes": 8e9 },
          { mountpoint: "/srv", ...(bytes && { "total-bytes": bytes }) },
        ],
      }),
    );
  assert.equal(await reason({ ...common, kind: "filesystems" }, disks(1e9)), "passed: 2 mounted: /, /srv");
  assert.equal(await reason({ ...common, kind: "filesystems" }, disks(undefined)), "failed: without a size: /srv");
});

test("commands in a container run through pct exec, and what needs a guest agent is skipped there", async () => {
  const commands: string[] = [];
  const run: RunCommand = async (file, args) => {
    commands.push([file, ...args].join(" "));
    const df =
      "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/loop0 8191416 512 7700000 7% /\nnone 492 4 488 1% /dev\nudev 0 0 0 - /dev/tty\n";
    return { ok: true, code: 0, stdout: args.includes("df") ? df : "active\n", stderr: "" };
  };
  const container: CheckTarget = { ...vm, type: "lxc" };
  assert.equal((await runIt({ ...common, kind: "filesystems" }, container, { run })).reason, "2 mounted: /, /dev");
  assert.equal((await runIt({ ...common, kind: "service", unit: "cron" }, container, { run })).reason, "cron is active");
  assert.deepEqual(commands, ["pct exec 9100 -- df -P -k", "pct exec 9100 -- systemctl is-active -- cron"]);
  assert.equal((await runIt({ ...common, kind: "agent-ping" }, container)).state, "skipped");
  assert.deepEqual(await runIt({ ...common, kind: "filesystems" }, { ...container, inside: false }), {
    name: "it",
    kind: "filesystems",
    state: "skipped",
    reason: "the container does not run",
  });
});

test("a script of the node runs only when nobody but its owner could have changed it", async () => {
  const check: RestoreCheck = { ...common, kind: "script", script: "orders" };
  const file = join(folder, "orders");
  const reason = async () => {
    const { state, reason: why } = await runIt(check);
    return `${state}: ${why}`;
  };
  assert.equal(await reason(), "skipped: /etc/proven/checks.d/orders: not there");
  writeFileSync(file, '#!/bin/sh\necho "$PROVEN_TYPE $PROVEN_VMID at $PROVEN_ADDRESS, $*"\n');
  chmodSync(file, 0o600);
  assert.equal(await reason(), "skipped: /etc/proven/checks.d/orders: not executable (chmod +x)");
  chmodSync(file, 0o777);
  assert.equal(await reason(), "skipped: /etc/proven/checks.d/orders: others may change it (chmod go-w)");
  chmodSync(file, 0o755);
  assert.equal(await reason(), 'passed: exit code 0: "qemu 9100 at 127.0.0.1, 9100 127.0.0.1"');
  writeFileSync(file, "#!/bin/sh\necho 3 orders are missing >&2\nexit 4\n");
  assert.equal(await reason(), 'failed: exit code 4: "3 orders are missing"');
  writeFileSync(file, "#!/bin/sh\nexit 77\n");
  assert.equal(await reason(), "skipped: the script skipped itself");
  renameSync(file, `${folder}.elsewhere`);
  symlinkSync(`${folder}.elsewhere`, file);
  assert.equal(await reason(), "skipped: /etc/proven/checks.d/orders: not a file");
  chmodSync(folder, 0o777);
  assert.equal(await reason(), "skipped: /etc/proven/checks.d: others may change it (chmod go-w)");
});

test("SSH without its secret, or with a file others may read, is skipped and nothing of it is shown", async () => {
  const check: RestoreCheck = { ...common, kind: "ssh", user: "check", secret: "shop", command: "true" };
  const reason = async () => (await runIt(check)).reason;
  assert.equal(await reason(), "/etc/proven/restore-secrets.toml: not there");
  writeFileSync(secrets, '[other]\npassword = "hunter2"\n', { mode: 0o600 });
  assert.equal(await reason(), "/etc/proven/restore-secrets.toml has no entry [shop]");
  writeFileSync(secrets, '[shop]\npassword = "hunter2"\n');
  chmodSync(secrets, 0o640);
  assert.equal(await reason(), "/etc/proven/restore-secrets.toml can be read by others: chmod 600");
  chmodSync(secrets, 0o600);
  writeFileSync(secrets, "password hunter2");
  assert.equal(await reason(), "/etc/proven/restore-secrets.toml is not TOML");
});
