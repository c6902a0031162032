import { request } from "node:http";
import type { Lab } from "../../lab/lab.ts";
import { extFiles } from "./ext.ts";
import type { LoginData, Resource, ShellPve, SignedIn } from "./shell-pve.ts";
import { type Shell, startShell } from "./shell-server.ts";

export type LabShellOptions = {
  lab: Lab;
  /** The node whose page it is, and whose agent's gateway is asked. */
  node: string;
  loader: string;
  /** As the lab's agents were told: their gateways serve the page of this port only. */
  port: number;
  gatewayPort: number;
  say(line: string): void;
};

/**
 * A page like Proxmox VE's on a node of the lab: its API, its certificate, and the real gateway of the node's agent behind the loader. Where
 * Ext JS can't be had: the reason.
 */
export async function startLabShell(
  options: LabShellOptions,
): Promise<{ shell: Shell; problem?: undefined } | { problem: string }> {
  const { lab, node, loader, port, gatewayPort, say } = options;
  const ext = extFiles(say);
  if (ext.dir === undefined) return { problem: ext.problem };
  const { nodeCertPem: cert, nodeKeyPem: key } = lab.secrets;
  const gateway = `https://127.0.0.1:${gatewayPort}`;
  return { shell: await startShell({ ext: ext.dir, loader, gateway, pve: labPve(lab, node), port, tls: { cert, key } }) };
}

function labPve(lab: Lab, node: string): ShellPve {
  const port = lab.apiPorts.get(node);
  if (port === undefined) throw new Error(`the lab has no node ${node}`);
  const resources = (ticket: string) => askLab<Resource[]>(port, "GET", "cluster/resources", ticket);
  return {
    node,
    async login(username, password) {
      const form = new URLSearchParams({ username, password });
      const data = await askLab<LoginData & { NeedTFA?: 1 }>(port, "POST", "access/ticket", "", form.toString());
      return data?.NeedTFA === 1 ? undefined : data;
    },
    async userOf(ticket): Promise<SignedIn | undefined> {
      const username = /^PVE:([^:!]+@[^:!]+):/.exec(ticket)?.[1];
      if (username === undefined || (await resources(ticket)) === undefined) return undefined;
      return { username, CSRFPreventionToken: lab.csrfToken(username) };
    },
    resources,
  };
}

/** `data` of the lab's answer; undefined for any status but 200. */
function askLab<T>(port: number, method: string, path: string, ticket: string, body = ""): Promise<T | undefined> {
  const headers = {
    ...(ticket === "" ? {} : { cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}` }),
    ...(body === "" ? {} : { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, method, path: `/api2/json/${path}`, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => resolve(answer.statusCode === 200 ? (JSON.parse(text) as { data: T }).data : undefined));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}
