import { parseArgs } from "node:util";
import { revokeAgent } from "../agent-keys.ts";
import { createJoinToken, listJoinTokens, revokeJoinToken } from "../keys.ts";
import type { StateStore } from "../store/state.ts";
import { type Command, day, only, positive, UsageError } from "./command-line.ts";

/** What `token create --json` prints, on one line. */
export type OfferedToken = { id: string; token: string; fingerprint: string; expiresAt: number };
/** What `token list --json` prints for each token. `problem`: why it lets nobody in any more, null: it does. */
export type ListedToken = {
  id: string;
  createdAt: number;
  expiresAt: number;
  usedAt: number | null;
  usedBy: string | null;
  problem: "used" | "expired" | null;
};
/** What `agent list --json` prints for each agent. Times are ms since the Unix epoch; null: not since this hub knows it. */
export type ListedAgent = {
  id: string;
  cluster: string;
  node: string;
  clusterName: string | null;
  /** Base64 of the raw 32 bytes; null: revoked. */
  publicKey: string | null;
  joinedAt: number;
  /** When its newest session began. */
  connectedAt: number | null;
  software: string | null;
};

const json = { json: { type: "boolean", default: false } } as const;
const wantsJson = (args: string[]) => parseArgs({ args, options: json }).values.json;

function listAgents(state: StateStore): ListedAgent[] {
  return state.list("agent").map(({ id, document }) => {
    const { cluster, node, clusterName, publicKey, joinedAt } = document;
    const seen = state.get("agentSeen", id);
    const newest = { connectedAt: seen?.connectedAt ?? null, software: seen?.software ?? null };
    return { id, cluster, node, clusterName, publicKey, joinedAt, ...newest };
  });
}

/** Verbs about who may send to this hub. */
export const joinCommands: Record<string, Command> = {
  "token create": {
    usage: "token create [--expires-minutes 60] [--json]",
    async run(args, { state, now, user, fingerprint, agentUrls, say }) {
      const options = { "expires-minutes": { type: "string", default: "60" }, ...json } as const;
      const { values } = parseArgs({ args, options });
      const minutes = positive(values["expires-minutes"], "expires-minutes", 7 * 24 * 60);
      const { id, token, expiresAt } = createJoinToken(state, minutes, { actor: user, reason: "proven-hub token create" }, now);
      const offered: OfferedToken = { id, token, fingerprint: await fingerprint(), expiresAt };
      if (values.json) return say(JSON.stringify(offered));
      say(`token        ${token}`);
      say(`fingerprint  ${offered.fingerprint}`);
      const [url = "wss://THIS-HOST:PORT/agent", ...others] = agentUrls();
      say(`on the node, once, within ${minutes} minutes:`);
      say(`  proven-agent join ${url} --token ${token} --fingerprint ${offered.fingerprint} && systemctl restart proven-agent`);
      if (others.length > 0) say(`  (this hub may be reached at ${others.join(", ")}, too)`);
    },
  },
  "token list": {
    usage: "token list [--json]",
    run(args, { state, now, say }) {
      const tokens = listJoinTokens(state, now);
      if (wantsJson(args)) {
        const listed = tokens.map(({ tokenHash: _, problem, ...rest }): ListedToken => ({ ...rest, problem: problem ?? null }));
        return say(JSON.stringify(listed));
      }
      for (const { id, createdAt, expiresAt, usedAt, usedBy, problem } of tokens) {
        const until = new Date(expiresAt).toISOString().slice(0, 16);
        const status =
          usedAt !== null ? `used ${day(usedAt)} by ${usedBy}` : `${problem === "expired" ? "expired" : "open until"} ${until}Z`;
        say(`${id}  created ${day(createdAt)}  ${status}`);
      }
    },
  },
  "token revoke": {
    usage: "token revoke ID",
    run(args, { state, user, say }) {
      const id = only(args, "token's id, as token list prints it");
      if (!revokeJoinToken(state, id, { actor: user, reason: "proven-hub token revoke" }))
        throw new UsageError(`there is no unused token ${id}; an agent that joined by one is shut out with agent revoke`);
      say(`revoked ${id}`);
    },
  },
  "agent list": {
    usage: "agent list [--json]",
    run(args, { state, say }) {
      const agents = listAgents(state);
      if (wantsJson(args)) return say(JSON.stringify(agents));
      for (const { id, clusterName, publicKey, joinedAt } of agents) {
        say(`${id}  ${clusterName ?? "-"}  ${publicKey === null ? "revoked" : `joined ${day(joinedAt)}`}`);
      }
    },
  },
  "agent revoke": {
    usage: "agent revoke CLUSTER/NODE",
    run(args, { state, now, user, say }) {
      const id = only(args, "agent, as agent list prints it");
      if (!revokeAgent(state, id, { actor: user, reason: "proven-hub agent revoke" }, now))
        throw new UsageError(`there is no agent ${id}`);
      say(`revoked ${id}`);
    },
  },
};
