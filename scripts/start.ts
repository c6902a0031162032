import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { passwordOf } from "../test/lab/sign-in.ts";
import { startLabShell } from "../test/support/pve-shell/lab-shell.ts";
import { System } from "../test/support/system.ts";
import { buildParts } from "./build.ts";
import { seedHistory } from "./seed.ts";

/** `npm start [-- --base-port N] [--state DIR] [--nodes N] [--guests N]`: the whole system on the lab, until Ctrl-C. */
const { values } = parseArgs({
  options: {
    "base-port": { type: "string", default: "8420" },
    state: { type: "string", default: ".lab" },
    nodes: { type: "string", default: "3" },
    guests: { type: "string", default: "40" },
  },
});

const historyMs = 30 * 86_400_000;
const nodes = wholeNumber("nodes", values.nodes, 1, 200);
const guests = wholeNumber("guests", values.guests, 0, 20_000);
/** The hub, the page like Proxmox VE's (+5), then (from +10) the lab's control API, PBS, one API per node, one gateway per node. */
const basePort = wholeNumber("base-port", values["base-port"], 1, 65_535 - 12 - 2 * nodes);
const pagePort = basePort + 5;
const gatewayPort = basePort + 12 + nodes;
const state = resolve(values.state);

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  return giveUp(`--${option} ${text}: must be a whole number from ${min} to ${max}`);
}

function giveUp(problem: string): never {
  console.error(problem);
  process.exit(1);
}

async function refuseTakenPorts(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer();
    const taken = await new Promise<boolean>((settle) => {
      server.once("error", () => settle(true));
      server.listen(port, "127.0.0.1", () => server.close(() => settle(false)));
    });
    if (taken) giveUp(`port ${port} is in use: stop what listens there, or choose others with npm start -- --base-port N`);
  }
}

/** One system per state directory: the pid in `pid` is a running one, or left over. */
function claimState(): void {
  mkdirSync(state, { recursive: true });
  const path = join(state, "pid");
  const holder = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (holder > 0 && holder !== process.pid && existsSync(`/proc/${holder}`)) {
    giveUp(`${state} is in use by process ${holder}: stop it, or choose another folder with npm start -- --state DIR`);
  }
  writeFileSync(path, `${process.pid}\n`);
}

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let closePage = async (): Promise<void> => {};
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stopping.abort());
const stopped = new Promise<void>((settle) => stopping.signal.addEventListener("abort", () => settle()));

await refuseTakenPorts([basePort, pagePort, ...Array.from({ length: 2 * nodes + 2 }, (_, index) => basePort + 10 + index)]);
claimState();
await buildParts(["agent", "hub", "panel", "embedded", "host"]);
const system = await System.prepare({
  state,
  hubPort: basePort,
  // Test guests are simulated, their sandboxes are not.
  lab: { nodes, guests, basePort: basePort + 10, gatewayPort, pvePort: pagePort, realSandboxes: process.getuid?.() === 0 },
});
try {
  await system.startHub();
  await seedHistory(system, historyMs, (line) => console.log(line));
  if (!stopping.signal.aborted) await Promise.race([system.startAgents(), stopped]);
  if (!stopping.signal.aborted) announce(await openPage());
  for (const daemon of [system.hub, ...system.agents.values()]) {
    void daemon.exit().then((code) => {
      if (!stopping.signal.aborted) console.log(`${daemon.name} ended (${code ?? "killed"}): see ${state}/log`);
    });
  }
  await stopped;
} finally {
  stopping.abort();
  await closePage();
  await system.stop();
  rmSync(join(state, "pid"), { force: true });
  console.log("stopped");
}

/** The page like Proxmox VE's of the first node, as a line to print: its address, or why there is none. */
async function openPage(): Promise<string> {
  const [node] = system.lab.apiPorts.keys();
  if (node === undefined) return "there is none: the lab has no node";
  const loader = readFileSync(join(root, "dist/host.js"), "utf8");
  const opened = await startLabShell({
    lab: system.lab,
    node,
    loader,
    port: pagePort,
    gatewayPort,
    say: (line) => console.log(line),
  });
  if (opened.problem !== undefined) return `there is none, the panel above is the same: ${opened.problem}`;
  closePage = opened.shell.close;
  return `${opened.shell.url}
           (Proven inside a page like Proxmox VE's, of node ${node}; root@pam has the password ${passwordOf("root@pam")})`;
}

function announce(page: string): void {
  const keyPath = join(state, "api-key");
  console.log(`
Proven runs on a simulated cluster of ${nodes} nodes and ${guests} guests.

  Panel    ${system.url}/#key=${system.apiKey}
           (this link signs you in; the certificate is the hub's own, so the browser asks once)
  PVE page ${page}
  API      ${system.url}/api/v1/openapi.json
  API key  ${keyPath}
           curl -k -H "Authorization: Bearer $(cat ${keyPath})" ${system.url}/api/v1/health
  Lab      http://127.0.0.1:${basePort + 10}
           (open it for faults to try: a node burns, NFS hangs, a pool loses a disk …)
  Logs     ${state}/log

Ctrl-C stops everything.`);
}
