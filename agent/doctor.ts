import { existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { type Finding, judgeClock, judgeDisk, judgeService } from "#protocol/findings.ts";
import { limits } from "#protocol/limits.ts";
import type { AgentConfig } from "./config.ts";
import { judgeAdmission, judgePage, judgeQuorum } from "./core/doctor.ts";
import { checkHub } from "./hub-check.ts";
import type { HubFiles } from "./hub-place.ts";
import type { Clock, RunCommand } from "./ports.ts";
import type { PveApi } from "./pve/api.ts";
import { probePmxcfs } from "./pve/pmxcfs-probe.ts";

export type DoctorPorts = { config: AgentConfig; run: RunCommand; api: PveApi; hubFiles: HubFiles; clock: Clock; uid: number };

/** Looks at each of the usual troubles, one after the other; nothing is changed. */
export async function examine(ports: DoctorPorts): Promise<Finding[]> {
  const { config, run } = ports;
  const pmxcfs = await cluster(config.root, run);
  return [
    rights(ports),
    ...state(config.state),
    ...pmxcfs.findings,
    pmxcfs.answers ? await within(ports.clock, 20_000, localApi(ports), silent("local API")) : unasked("local API"),
    judgeClock(await output(run, "timedatectl", "show", "--property=NTPSynchronized", "--value")),
    judgeService("proven-agent", await output(run, "systemctl", "show", "--property=ActiveState", "--value", "proven-agent")),
    await gatewayPort(config),
    pmxcfs.answers ? await within(ports.clock, 20_000, hub(ports), silent("hub")) : unasked("hub"),
    ...(await admission(run)),
    ...page(config.root),
  ];
}

async function output(run: RunCommand, file: string, ...args: string[]): Promise<string | undefined> {
  const result = await run(file, args, { timeoutMs: 5_000 });
  return result.ok && result.code === 0 ? result.stdout.trim() : undefined;
}

function rights({ uid }: DoctorPorts): Finding {
  if (uid === 0) return { about: "rights", state: "ok", says: "root" };
  return {
    about: "rights",
    state: "trouble",
    says: `run by user ${uid}`,
    remedy: "run it as root: else most of what follows is not true",
  };
}

function state(dir: string): Finding[] {
  if (!existsSync(dir)) {
    return [
      {
        about: "state",
        state: "unknown",
        says: `${dir}: not there, the agent has never run`,
        remedy: "systemctl start proven-agent",
      },
    ];
  }
  const { mode, uid } = statSync(dir);
  const open = (mode & 0o077) !== 0 || uid !== process.getuid?.();
  const private_: Finding = open
    ? {
        about: "state",
        state: "trouble",
        says: `${dir}: others may read the agent's key`,
        remedy: `chown root: ${dir}; chmod 0700 ${dir}`,
      }
    : { about: "state", state: "ok", says: `${dir}: root's alone` };
  const { bavail, bsize } = statfsSync(dir);
  return [private_, judgeDisk(dir, bavail * bsize, limits.spoolMaxBytes)];
}

/** `answers` false: nothing below /etc/pve may be read here. */
export async function cluster(root: string, run: RunCommand): Promise<{ answers: boolean; findings: Finding[] }> {
  const { answers, members } = await probePmxcfs(root, run);
  if (members !== undefined) {
    const mounted: Finding = { about: "pmxcfs", state: "ok", says: "/etc/pve is mounted" };
    return { answers, findings: [mounted, judgeQuorum(members)] };
  }
  const remedy = "on a node of Proxmox VE: systemctl status pve-cluster";
  const says = `/etc/pve ${answers ? "is not mounted" : "does not answer"}: guests, storages and the hub can't be known`;
  return { answers, findings: [{ about: "pmxcfs", state: "trouble", says, remedy }] };
}

async function within<T>(clock: Pick<Clock, "sleep">, ms: number, work: Promise<T>, late: T): Promise<T> {
  const done = new AbortController();
  const first = await Promise.race([work, clock.sleep(ms, done.signal).then(() => late)]);
  done.abort();
  return first;
}

/** Its own API and the hub are asked with keys from /etc/pve. */
const silent = (about: string): Finding => ({
  about,
  state: "unknown",
  says: "no answer within 20 s",
  remedy: "systemctl status pve-cluster",
});

const unasked = (about: string): Finding => ({ about, state: "unknown", says: "not asked while /etc/pve does not answer" });

async function localApi({ api, config }: DoctorPorts): Promise<Finding> {
  const answer = await api.get("/version");
  if (answer.ok) return { about: "local API", state: "ok", says: `${config.pve.api} answers` };
  const { status, reason } = answer.error;
  const says = `${config.pve.api}: ${status === 0 ? "" : `${status} `}${reason}`;
  return { about: "local API", state: "trouble", says, remedy: "systemctl status pvedaemon" };
}

function gatewayPort({ gateway: { enabled, listen, port } }: AgentConfig): Promise<Finding> {
  if (!enabled) return Promise.resolve({ about: "gateway", state: "ok", says: "switched off in agent.toml" });
  return new Promise((resolve) => {
    const host = listen === "::" || listen === "0.0.0.0" ? "127.0.0.1" : listen;
    const socket = connect({ host, port, timeout: 3_000 });
    const end = (finding: Finding) => {
      socket.destroy();
      resolve(finding);
    };
    const remedy = "journalctl -u proven-agent: it waits for pveproxy's certificate, or the port is taken";
    const closed = (why: string) => end({ about: "gateway", state: "trouble", says: `port ${port}: ${why}`, remedy });
    socket.once("connect", () =>
      end({ about: "gateway", state: "ok", says: `port ${port} is open here; browsers must reach it, too` }),
    );
    socket.once("timeout", () => closed("no answer"));
    socket.once("error", (error: NodeJS.ErrnoException) => closed(error.code ?? error.message));
  });
}

async function hub({ hubFiles, clock }: DoctorPorts): Promise<Finding> {
  const { found, problem } = await checkHub(hubFiles, clock);
  if (problem === undefined) return { about: "hub", state: "ok", says: found };
  return { about: "hub", state: "trouble", says: `${found}: ${problem}`, remedy: hubRemedy(problem) };
}

/** That the hub answers is not that it takes what this agent sends: only the running agent knows. */
async function admission(run: RunCommand): Promise<Finding[]> {
  const words = ["--unit=proven-agent", "--boot", "--lines=500", "--no-pager", "--output=cat"];
  return [judgeAdmission((await output(run, "journalctl", ...words)) ?? "") ?? []].flat();
}

function hubRemedy(problem: string): string {
  if (/fingerprint/.test(problem))
    return "on the hub: proven-hub setup (or, joined by token: proven-agent join with the new fingerprint)";
  if (/ENOTFOUND|EAI_AGAIN/.test(problem))
    return "this node does not know the hub's name: proven-hub setup --url wss://ADDRESS:8420/agent there, or /etc/hosts here";
  if (/common version/.test(problem)) return "apt upgrade there first: a hub also serves agents of the version before";
  if (/no hub yet|no join key/.test(problem))
    return "on the hub's node: proven-hub setup; elsewhere: proven-hub token create, then proven-agent join";
  return "on the hub: proven-hub doctor; on the way: a firewall (Proxmox VE's own, too) that closes its port, 8420 as a rule";
}

function page(root: string): Finding[] {
  const template = join(root, "usr/share/pve-manager/index.html.tpl");
  if (!existsSync(template)) return [];
  const isInstalled = existsSync(join(root, "usr/share/pve-manager/js/proven-host.js"));
  const isOff = existsSync(join(root, "etc/proven/ui-disabled"));
  return [judgePage(readFileSync(template, "utf8"), isInstalled && !isOff)];
}
