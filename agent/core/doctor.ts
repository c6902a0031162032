import type { Finding } from "#protocol/findings.ts";

/** Of the page's template. `wanted`: the package is here and not switched off. */
export function judgePage(template: string, wanted: boolean): Finding {
  const there = template.includes("/pve2/js/proven-host.js");
  if (there === wanted)
    return { about: "web UI", state: "ok", says: there ? "has our line" : "has no line of ours, as it should be" };
  const says = there ? "still has our line" : "lacks our line: there is no Proven tab";
  return { about: "web UI", state: "trouble", says, remedy: "/usr/lib/proven/patch-ui apply" };
}

/** Of pmxcfs' `.members`; a node without a cluster has no such entry, and is quorate by itself. */
export function judgeQuorum(members: string): Finding {
  const quorate = /"quorate"\s*:\s*(\d)/.exec(members)?.[1];
  if (quorate !== "0") return { about: "cluster", state: "ok", says: quorate === undefined ? "a node by itself" : "quorate" };
  const remedy = "pvecm status: bring more nodes back";
  return { about: "cluster", state: "trouble", says: "no quorum: /etc/pve is read-only", remedy };
}

const afterRefusal: Record<string, string> = {
  "key-changed":
    "this node was installed anew, or another has its name. On the hub: proven-hub agent revoke CLUSTER/NODE (proven-hub agent list), then here: systemctl restart proven-agent",
  revoked:
    "if it may come back: rm /var/lib/proven-agent/agent.key and systemctl restart proven-agent; where it joins by token, proven-agent join before that",
  "bad-join": "on the hub of a cluster: proven-hub setup; elsewhere: proven-hub token create, then proven-agent join here",
  "not-joined": "on the hub of a cluster: proven-hub setup; elsewhere: proven-hub token create, then proven-agent join here",
};

/**
 * Of the running agent's own lines in the journal, oldest first: whether the hub let it in when it was last asked. Undefined: it did, or nothing is said
 * of it since the agent's start.
 */
export function judgeAdmission(journal: string): Finding | undefined {
  const last = journal
    .split("\n")
    .findLast((line) => /^(agent started|(joined|connected to) the hub|the hub refused this agent:)/.test(line));
  const [, text, code] = /^the hub refused this agent: (.*?) code=(\S+)/.exec(last ?? "") ?? [];
  if (text === undefined || code === undefined) return undefined;
  const remedy = afterRefusal[code] ?? "journalctl -u proven-agent, and on the hub: proven-hub doctor";
  return { about: "hub", state: "trouble", says: `refuses this agent: ${text}`, remedy };
}
