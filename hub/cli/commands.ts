import { parseArgs } from "node:util";
import { type Scope, scopes } from "#protocol/api.ts";
import { createKey, endSessions, listKeys, revokeKey } from "../keys.ts";
import { evidenceProblem } from "../proof/run-book.ts";
import type { AuditEntry } from "../store/audit.ts";
import { type Command, day, only, positive, UsageError } from "./command-line.ts";
import { joinCommands } from "./join-commands.ts";

/** Verbs that read and change the state store. The hub may be running: it takes changes up within seconds. */
export const commands: Record<string, Command> = {
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
  "session end-all": {
    usage: "session end-all",
    run(args, { state, now, user, say }) {
      if (args.length > 0) throw new UsageError("session end-all");
      endSessions(state, { actor: user, reason: "proven-hub session end-all" }, now);
      say("every browser must sign in again, and links in messages act no more");
    },
  },
  ...joinCommands,
  "audit list": {
    usage: "audit list [--actor WHO] [--kind WHAT] [--limit 50]",
    run(args, { state, say }) {
      const options = { actor: { type: "string" }, kind: { type: "string" }, limit: { type: "string", default: "50" } } as const;
      const { limit, ...filter } = parseArgs({ args, options }).values;
      const wanted = positive(limit, "limit", 1_000_000);
      for (let [left, cursor] = [wanted, undefined as number | undefined]; left > 0; ) {
        const { items, next } = state.auditPage(filter, { limit: left, cursor });
        for (const entry of items) say(auditLine(entry));
        if (next === null) return;
        [left, cursor] = [left - items.length, next];
      }
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

/** One line, whatever somebody named his document. */
const auditLine = ({ at, actor, action, kind, id, reason }: AuditEntry): string =>
  [new Date(at).toISOString(), actor, `${action} ${kind}`, id, reason].join("  ").replace(/\p{Cc}+/gu, " ");
