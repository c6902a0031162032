import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { AgentAlert } from "#protocol/messages.ts";
import { mailText, type Raised, stepRaised } from "../../agent/core/alert-memory.ts";
import { createOutlet, type OutletPorts } from "../../agent/outlet.ts";
import { createRunCommand } from "../../agent/pve/run-command.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { fc } from "../support/property.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const noon = Date.UTC(2026, 0, 5, 12);
const alert = (overrides: Partial<AgentAlert> = {}): AgentAlert => ({
  id: "cpu@00000000000000aa/guest/100#1",
  firedAt: noon,
  held: false,
  rule: "cpu",
  severity: "warning",
  entity: "guest/100",
  title: "web (VM 100)",
  text: "CPU 97 % for 10 minutes",
  ...overrides,
});

/** A node with a hook that writes its environment, and a sendmail that writes its input. */
function node(t: TestContext, overrides: Partial<OutletPorts> = {}) {
  const root = temporaryDir(t);
  const hooks = join(root, "etc/proven/alert.d");
  mkdirSync(hooks, { recursive: true });
  mkdirSync(join(root, "bin"));
  const out = join(root, "out");
  const script = (path: string, text: string, mode = 0o755) => {
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, mode);
  };
  const hook = (name: string, text: string, mode?: number) => script(join(hooks, name), text, mode);
  script(join(root, "bin/sendmail"), `cat > ${root}/mail`);
  const clock = new FakeClock(noon);
  const logged: string[] = [];
  const start = () =>
    createOutlet({
      switches: { journal: true, hooks: true, mail: false },
      root,
      stateDir: join(root, "state"),
      run: createRunCommand({ path: `${root}/bin:/usr/bin:/bin` }),
      clock,
      log: (level, message) => void logged.push(`${level} ${message}`),
      ...overrides,
    });
  const read = (name = "out") => readFileSync(join(root, name), "utf8");
  return { root, out, clock, logged, hook, start, read };
}

const wait = 60_000;
const fired = "4 alert WARNING: web (VM 100): CPU 97 % for 10 minutes";
const over = "5 alert RESOLVED after 5 min: web (VM 100): CPU 97 % for 10 minutes";

test("an alert is told once and its end once, however often the hub sends them and through restarts", async (t) => {
  const { start, hook, out, read, logged } = node(t);
  hook("tell", `echo "$PROVEN_ALERT_STATE $PROVEN_ALERT_TITLE $PROVEN_ALERT_FIRED_AT [$PROVEN_ALERT_RESOLVED_AT]" >> ${out}`);
  for (const body of [
    { all: false, alerts: [alert()] },
    { all: true, alerts: [alert()] },
    { all: false, alerts: [alert({ resolvedAt: noon + 300_000 })] },
    { all: true, alerts: [] },
  ]) {
    const outlet = start();
    outlet.hear(body);
    outlet.hear(body);
    await outlet.settled(wait);
  }
  assert.deepEqual(logged, [fired, over]);
  assert.equal(
    read(),
    "firing web (VM 100) 2026-01-05T12:00:00.000Z []\nresolved web (VM 100) 2026-01-05T12:00:00.000Z [2026-01-05T12:05:00.000Z]\n",
  );
});

test("what ended while the agent was cut off is told as over at the next connect", async (t) => {
  const { start, clock, logged } = node(t);
  const outlet = start();
  outlet.hear({ all: false, alerts: [alert()] });
  await clock.advance(300_000);
  outlet.hear({ all: true, alerts: [] });
  await outlet.settled(wait);
  assert.deepEqual(logged, [fired, over]);
});

test("a silenced alert is not begun, and one that was told is not called over by a silence", async (t) => {
  const { start, logged } = node(t);
  const outlet = start();
  outlet.hear({ all: true, alerts: [alert({ held: true })] });
  assert.deepEqual(logged, []);
  outlet.hear({ all: true, alerts: [alert()] });
  outlet.hear({ all: true, alerts: [alert({ held: true })] });
  await outlet.settled(wait);
  assert.deepEqual(logged, [fired]);
});

test("a hook gets no shell: what an alert says is text", async (t) => {
  const { start, hook, out, read } = node(t);
  hook("tell", `printf '%s' "$PROVEN_ALERT_TEXT" > ${out}`);
  const outlet = start();
  outlet.hear({ all: false, alerts: [alert({ text: "$(touch /tmp/x); `id`\n\0end" })] });
  await outlet.settled(wait);
  assert.equal(read(), "$(touch /tmp/x); `id` end");
});

test("hooks that fail, are not executable, or that others can write, are told or left out, and the rest run", async (t) => {
  const { start, hook, out, read, logged } = node(t);
  hook("10-fails", "echo the pager is gone >&2; exit 3");
  hook("20-not-executable", `echo no >> ${out}`, 0o644);
  hook("30-open", `echo no >> ${out}`, 0o777);
  hook("40-copy.dpkg-old", `echo no >> ${out}`);
  hook("50-works", `echo yes >> ${out}`);
  const outlet = start();
  outlet.hear({ all: false, alerts: [alert()] });
  await outlet.settled(wait);
  assert.equal(read(), "yes\n");
  assert.deepEqual(logged.sort(), [
    "4 alert WARNING: web (VM 100): CPU 97 % for 10 minutes",
    "4 an alert hook failed",
    "4 an alert hook was not run: others than root can write it",
  ]);
});

test("no hook runs from a folder that others can change, and none that is a link", async (t) => {
  const { start, hook, root, out, read, logged } = node(t);
  const folder = join(root, "etc/proven/alert.d");
  hook("50-works", `echo yes >> ${out}`);
  writeFileSync(join(root, "elsewhere"), `#!/bin/sh\necho no >> ${out}\n`, { mode: 0o755 });
  symlinkSync(join(root, "elsewhere"), join(folder, "60-link"));
  const outlet = start();
  outlet.hear({ all: false, alerts: [alert()] });
  await outlet.settled(wait);
  assert.equal(read(), "yes\n");
  chmodSync(folder, 0o777);
  outlet.hear({ all: false, alerts: [{ ...alert(), id: "another@x/guest/100#1" }] });
  await outlet.settled(wait);
  assert.equal(read(), "yes\n");
  assert.ok(logged.includes("4 no alert hook was run: others than root can change the folder"));
});

test("at most four hooks run at once", async (t) => {
  let running = 0;
  let most = 0;
  const release: (() => void)[] = [];
  const { start, hook } = node(t, {
    async run() {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        release.push(resolve);
        setImmediate(() => release.shift()?.());
      });
      running--;
      return { ok: true, stdout: "", stderr: "", code: 0 };
    },
  });
  for (let index = 0; index < 12; index++) hook(`hook-${index}`, "");
  const outlet = start();
  outlet.hear({ all: false, alerts: [alert()] });
  await outlet.settled(wait);
  assert.equal(most, 4);
});

test("mail goes to root by sendmail, with the verdict as its subject", async (t) => {
  const { start, read } = node(t, { switches: { journal: false, hooks: false, mail: true } });
  const outlet = start();
  outlet.node = "pve1";
  outlet.hear({ all: false, alerts: [alert({ remedy: "look at the guest" })] });
  await outlet.settled(wait);
  assert.deepEqual(read("mail").split("\n").slice(0, 3), [
    "To: root",
    "Subject: [pve1] WARNING: web (VM 100): CPU 97 % for 10 minutes",
    "Auto-Submitted: auto-generated",
  ]);
  assert.match(read("mail"), /\nlook at the guest\n$/);
});

test("a mail's header can't be broken by what an alert says", () => {
  const text = mailText({ state: "firing", alert: alert({ title: "x\nBcc: all@example.org" }) }, "pve1", (word) => word);
  assert.deepEqual(
    text.split("\n").filter((line) => line.startsWith("Bcc:")),
    [],
  );
});

test("an outage of the hub is raised once, through a restart of the agent, and resolved when the hub is back", async (t) => {
  const { start, clock, logged } = node(t);
  const first = start();
  first.hubIsAway(300_000);
  await first.settled(wait);
  await clock.advance(60_000);
  const restarted = start();
  restarted.node = "pve1";
  restarted.hubIsAway(360_000);
  restarted.hear({ all: true, alerts: [] });
  await clock.advance(60_000);
  restarted.hubIsBack();
  restarted.hubIsBack();
  await restarted.settled(wait);
  assert.deepEqual(
    logged.map((line) => line.replace(/ from .*/, "")),
    [
      "3 alert CRITICAL: Proven hub: hub unreachable for 5 min",
      "5 alert RESOLVED after 2 min: Proven hub: hub unreachable for 5 min",
    ],
  );
});

test("what was decided and not told before a crash is told after the start", async (t) => {
  const broken = node(t, { run: () => new Promise(() => undefined) });
  broken.hook("tell", "");
  broken.start().hear({ all: false, alerts: [alert()] });
  const { hook, out, read, root } = node(t);
  hook("tell", `echo "$PROVEN_ALERT_STATE" >> ${out}`);
  const ports = { switches: { journal: true, hooks: true, mail: false }, root, stateDir: join(broken.root, "state") };
  const again = createOutlet({ ...ports, run: createRunCommand({ path: "/bin" }), clock: broken.clock, log: () => undefined });
  await again.settled(wait);
  assert.equal(read(), "firing\n");
});

test("no end is told without its beginning, and no episode twice, whatever comes in whatever order", () => {
  const one = fc.record({
    id: fc.constantFrom("a", "b"),
    firedAt: fc.constantFrom(1, 2),
    over: fc.boolean(),
    held: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(fc.record({ all: fc.boolean(), alerts: fc.array(one, { maxLength: 3 }) })), (bodies) => {
      let raised: Raised = {};
      const open = new Set<string>();
      for (const { all, alerts } of bodies) {
        const sent = alerts.map(({ id, firedAt, over: ended, held }) =>
          alert({ id, firedAt, held, ...(ended && { resolvedAt: 9 }) }),
        );
        const step = stepRaised(raised, { all, alerts: sent }, 10);
        raised = step.raised;
        for (const { state, alert: told } of step.tell) {
          const key = `${told.id} ${told.firedAt}`;
          assert.equal(open.has(key), state === "resolved");
          if (state === "firing") open.add(key);
          else open.delete(key);
        }
      }
      assert.equal(open.size, Object.keys(raised).length);
    }),
  );
});
