import { parseArgs } from "node:util";
import { type Scope, scopes } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { createJoinToken, createKey, listKeys, revokeKey } from "./keys.ts";
import { revokeAgent } from "./link/gate.ts";
import { evidenceProblem } from "./run-book.ts";
import type { StateStore } from "./store/state.ts";

/** A command line that can't be followed; `message` says what to write. */
export class UsageError extends Error {}

export type Say = (line: string) => void;
export type CommandPorts = { state: StateStore; now: EpochMs; user: string; fingerprint: () => Promise<string>; say: Say };
type Command = (args: string[], ports: CommandPorts) => Promise<void> | void;

const positive = (text: string, name: string, max: number) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > max) throw new UsageError(`--${name}: a whole number from 1 to ${max}`);
  return value;
};

function only(args: string[], name: string): string {
  const [value, ...rest] = args;
  if (value === undefined || rest.length > 0) throw new UsageError(`give one ${name}`);
  return value;
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Verbs that read and change the state store. The hub may be running: it takes changes up within seconds. */
export const commands: Record<string, { usage: string; run: Command }> = {
  "key create": {
    usage: "key create --name NAME [--scope read|write|admin|ingest …] [--expires-days 90]",
    run(args, { state, now, user, say }) {
      const { values } = parseArgs({
        args,
        options: {
          name: { type: "string" },
          scope: { type: "string", multiple: true, default: ["read"] },
          "expires-days": { type: "string", default: "90" },
        },
      });
      const name = values.name ?? "";
      if (name === "" || name.length > 64) throw new UsageError("--name: 1 to 64 characters");
      const wrong = values.scope.find((scope) => !scopes.some((known) => known === scope));
      if (wrong !== undefined) throw new UsageError(`--scope ${wrong}: one of ${scopes.join(", ")}`);
      const granted = scopes.filter((scope): scope is Scope => values.scope.includes(scope));
      const expiresInDays = positive(values["expires-days"], "expires-days", 730);
      const { key } = createKey(
        state,
        { name, scopes: granted, expiresInDays },
        { actor: user, reason: "proven-hub key create" },
        now,
      );
      say(key);
    },
  },
  "key list": {
    usage: "key list",
    run(_, { state, now, say }) {
      for (const { id, name, scopes: granted, createdAt, expiresAt, lastUsedAt } of listKeys(state)) {
        const expiry = now >= expiresAt ? `expired ${day(expiresAt)}` : `expires ${day(expiresAt)}`;
        const used = lastUsedAt === null ? "never used" : `used ${day(lastUsedAt)}`;
        say(`${id}  ${granted.join(",")}  created ${day(createdAt)}  ${expiry}  ${used}  ${name}`);
      }
    },
  },
  "key revoke": {
    usage: "key revoke ID",
    run(args, { state, now, user, say }) {
      const id = only(args, "key's id");
      if (!revokeKey(state, id, { actor: user, reason: "proven-hub key revoke" }, now))
        throw new UsageError(`there is no key ${id}`);
      say(`revoked ${id}`);
    },
  },
  "token create": {
    usage: "token create [--expires-minutes 60]",
    async run(args, { state, now, user, fingerprint, say }) {
      const { values } = parseArgs({ args, options: { "expires-minutes": { type: "string", default: "60" } } });
      const minutes = positive(values["expires-minutes"], "expires-minutes", 7 * 24 * 60);
      const { token } = createJoinToken(state, minutes, { actor: user, reason: "proven-hub token create" }, now);
      say(`token        ${token}`);
      say(`fingerprint  ${await fingerprint()}`);
      say(`once, within ${minutes} minutes: proven-agent join wss://THIS-HOST:PORT/agent --token … --fingerprint …`);
    },
  },
  "agent list": {
    usage: "agent list",
    run(_, { state, say }) {
      for (const { id, document } of state.list("agent")) {
        const status = document.publicKey === null ? "revoked" : `joined ${day(document.joinedAt)}`;
        say(`${id}  ${document.clusterName ?? "-"}  ${status}`);
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
  "audit verify": {
    usage: "audit verify",
    run(_, { state, say }) {
      const verdict = state.verifyAudit();
      if (!verdict.ok) throw new Error(`the audit log is broken at entry ${verdict.seq}: ${verdict.problem}`);
      const problem = evidenceProblem(state);
      if (problem !== undefined) throw new Error(`the audit log is unbroken, but ${problem}`);
      say(`${verdict.entries} entries, unbroken; head ${verdict.head}`);
    },
  },
};
