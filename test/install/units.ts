import assert from "node:assert/strict";
import type { Container } from "./container.ts";
import { writing } from "./node-scripts.ts";

/** Another setting of a unit until the next call, or the next boot; without lines: none. It counts from the unit's next start on. */
export async function changeUnit(node: Container, unit: string, lines?: readonly string[]): Promise<void> {
  const file = `/run/systemd/system/${unit}.service.d/test.conf`;
  const change = lines === undefined ? `rm -r $(dirname ${file})` : writing(file, ["[Service]", ...lines].join("\n"));
  await node.run("sh", "-e", "-c", `${change}\nsystemctl daemon-reload`);
}

/** Lines that have a unit run `/etc/proven/steps` once, in place of its program and with all its limits. */
export const stepsOfUnit = [
  "Type=oneshot",
  "Restart=no",
  "WatchdogSec=0",
  "ExecStart=",
  "ExecStart=/bin/sh -e /etc/proven/steps",
];

/** Of agent and hub: weight of processor and disk, memory from which pages are taken back, OOM score and I/O priority of the process itself. */
export async function guestsFirst(node: Container): Promise<{ agent: string[]; hub: string[] }> {
  return { agent: await weightsOf(node, "proven-agent"), hub: await weightsOf(node, "proven-hub") };
}

async function weightsOf(node: Container, unit: string): Promise<string[]> {
  const show = async (property: string) =>
    (await node.run("systemctl", "show", "--value", `--property=${property}`, unit)).trim();
  // Beside the groups of guests, not below system.slice, whose weight is as high as that of all virtual machines together.
  assert.equal(await show("ControlGroup"), `/${unit}.service`);
  const pid = await show("MainPID");
  const score = (await node.run("cat", `/proc/${pid}/oom_score_adj`)).trim();
  const priority = /^best-effort: prio (\d)$/m.exec(await node.run("ionice", "-p", pid))?.[1] ?? "not best-effort";
  const memory = `${Number(await show("MemoryHigh")) / 2 ** 20} MiB`;
  return [await show("CPUWeight"), await show("IOWeight"), memory, score, priority];
}

type JournalLine = { PRIORITY: string; MESSAGE: string; SYSLOG_IDENTIFIER: string };

/** What agent and hub have said there. */
export async function journalOf(node: Container): Promise<JournalLine[]> {
  const fields = "--output-fields=PRIORITY,MESSAGE,SYSLOG_IDENTIFIER";
  const lines = await node.run("journalctl", "--unit=proven-hub", "--unit=proven-agent", "--output=json", fields);
  return lines
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as JournalLine)
    .filter(({ SYSLOG_IDENTIFIER }) => SYSLOG_IDENTIFIER.startsWith("proven-"));
}
