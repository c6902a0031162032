import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Receiver } from "#protocol/notifications.ts";
import { alertOf } from "../../support/alert-views.ts";
import { debianPeer, freePort, RunningPeer } from "../../support/debian-peer.ts";
import { MessageServer } from "../../support/message-server.ts";
import { skipWithout } from "../../support/metric-peers.ts";
import { common, noon, notificationOf } from "../../support/notifications.ts";
import { testSender } from "../../support/senders.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const alertmanager = debianPeer("prometheus-alertmanager", "prometheus-alertmanager");
/** Its templates have a fixed place: where the package is unpacked only, it gets its own view of /usr/share. */
const isInstalled = existsSync("/usr/share/prometheus/alertmanager/default.tmpl");
const mayUnshare = isInstalled || spawnSync("unshare", ["-rm", "true"]).status === 0;
const namespace = mayUnshare ? {} : { problem: "prometheus-alertmanager is not installed, and no mount namespace may be made" };
const skip = skipWithout(alertmanager, namespace);

function startInPlace(path: string, args: readonly string[]): Promise<RunningPeer> {
  const ready = "Listening on";
  if (isInstalled) return RunningPeer.start(path, args, ready);
  const share = join(dirname(path), "../share");
  return RunningPeer.start(
    "unshare",
    ["-rm", "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', share, path, ...args],
    ready,
  );
}

async function startAlertmanager(t: TestContext): Promise<string> {
  const directory = temporaryDir(t);
  writeFileSync(join(directory, "config.yml"), "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n");
  const port = await freePort();
  const args = [
    `--config.file=${directory}/config.yml`,
    `--storage.path=${directory}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--cluster.listen-address=",
  ];
  const peer = await startInPlace(alertmanager.path ?? "", args);
  t.after(() => peer.stop());
  return `http://127.0.0.1:${port}`;
}

type Shown = {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL: string;
};
const shownBy = async (url: string): Promise<Shown[]> => (await fetch(`${url}/api/v2/alerts`)).json() as Promise<Shown[]>;
const receiver = (url: string): Receiver => ({ ...common, type: "alertmanager", url });

test("a real Alertmanager shows our alert until it is over, also after its guest moved", { skip }, async (t) => {
  const url = await startAlertmanager(t);
  const { send } = testSender(t, {});
  const now = Date.now();
  const alert = alertOf({ activeAt: now - 120_000, firedAt: now - 60_000, remedy: "Look at it" });
  const told = await send(notificationOf({ at: now, alerts: [alert] }), receiver(url));
  assert.equal(told.ok, true, JSON.stringify(told));
  const [shown] = await shownBy(url);
  assert.deepEqual(shown?.labels, {
    alertname: "guest-cpu",
    severity: "warning",
    cluster: "00000000000000aa",
    entity: "guest/100",
    incarnation: "1",
  });
  assert.deepEqual(shown?.annotations, {
    summary: "web (VM 100) uses 97 % of its CPU",
    title: "web (VM 100)",
    node: "pve1",
    remedy: "Look at it",
  });
  assert.equal(Date.parse(shown?.startsAt ?? ""), now - 60_000);
  assert.ok(Date.parse(shown?.endsAt ?? "") > now + 86_400_000, "it would end by itself within a day");
  assert.equal(shown?.generatorURL, "https://hub.lan/#/guest/100?cluster=00000000000000aa");

  const moved = alertOf({ ...alert, node: "pve2", state: "resolved", resolvedAt: now });
  await send(notificationOf({ id: "n2", kind: "resolved", reason: "all-resolved", at: now, alerts: [moved] }), receiver(url));
  assert.deepEqual(await shownBy(url), []);
});

test("a real Alertmanager takes a test message, and refuses what is none", { skip }, async (t) => {
  const url = await startAlertmanager(t);
  const { send } = testSender(t, {});
  const now = Date.now();
  await send(notificationOf({ kind: "test", reason: "test", at: now, verdict: "TEST", alerts: [] }), receiver(url));
  assert.deepEqual(
    (await shownBy(url)).map(({ labels }) => labels.alertname),
    ["proven-test"],
  );
  const elsewhere = await send(notificationOf(), receiver(`${url}/nothing-here`));
  assert.deepEqual([elsewhere.ok, !elsewhere.ok && elsewhere.retry], [false, false]);
});

test("a severity that was changed while the alert fires leaves nothing of the old one there", { skip }, async (t) => {
  const url = await startAlertmanager(t);
  const { send } = testSender(t, {});
  const now = Date.now();
  const shown = async () => (await shownBy(url)).map(({ labels }) => labels.severity);
  const alert = alertOf({ activeAt: now - 120_000, firedAt: now - 60_000 });
  await send(notificationOf({ at: now - 60_000, alerts: [alert] }), receiver(url));
  assert.deepEqual(await shown(), ["warning"]);
  const worse = alertOf({ ...alert, severity: "critical" });
  const before = { toldAs: { [alert.id]: ["warning" as const] } };
  await send(notificationOf({ id: "n2", kind: "repeat", reason: "repeat", at: now, alerts: [worse], ...before }), receiver(url));
  assert.deepEqual(await shown(), ["critical"]);
  const over = alertOf({ ...alert, severity: "info", state: "resolved", resolvedAt: now });
  const both = { toldAs: { [alert.id]: ["warning" as const, "critical" as const] } };
  const end = { id: "n3", kind: "resolved", reason: "all-resolved", at: now, alerts: [over], ...both } as const;
  await send(notificationOf({ ...end, alerts: [over] }), receiver(url));
  assert.deepEqual(await shown(), []);
});

test("an Alertmanager is posted the ends of what it was told, and of nothing else", async (t) => {
  const server = await MessageServer.start(t);
  const { send } = testSender(t, {});
  const posted = async (given: Parameters<typeof notificationOf>[0]) => {
    await send(notificationOf({ at: noon, ...given }), receiver(server.url));
    const body = JSON.parse(String(server.received.at(-1)?.body)) as Shown[];
    return body.map(({ labels, endsAt }) => `${labels.severity} ${Date.parse(endsAt) > noon ? "fires" : "is over"}`);
  };
  const alert = alertOf({ firedAt: noon - 60_000 });
  const over = { ...alert, state: "resolved" as const, resolvedAt: noon };
  const again = { kind: "repeat", reason: "repeat" } as const;
  const end = { kind: "resolved", reason: "all-resolved" } as const;
  const toldAs = { [alert.id]: ["warning" as const] };
  assert.deepEqual(await posted({ alerts: [alert], ...again }), ["warning fires"]);
  assert.deepEqual(await posted({ alerts: [{ ...alert, severity: "critical" }], ...again, toldAs }), [
    "critical fires",
    "warning is over",
  ]);
  assert.deepEqual(await posted({ alerts: [over], ...end }), ["warning is over"]);
  assert.deepEqual(await posted({ alerts: [{ ...over, severity: "critical" }], ...end, toldAs }), ["warning is over"]);
});
