import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toJSONSchema } from "zod";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { encodeMessage, type MessageType, messages } from "#protocol/messages.ts";
import { linkVersions } from "#protocol/version.ts";
import { Facts } from "../../../agent/facts.ts";
import { Logins } from "../../../agent/gateway/logins.ts";
import { Viewers } from "../../../agent/gateway/viewers.ts";
import type { HubSocket, SocketHandlers } from "../../../agent/hub-socket.ts";
import { loadIdentity } from "../../../agent/identity.ts";
import type { UserApi } from "../../../agent/pve/user-api.ts";
import { runSession } from "../../../agent/session.ts";
import { SpoolFiles } from "../../../agent/spool-files.ts";
import { SpoolStore } from "../../../agent/spool-store.ts";
import { FakeClock } from "../fake-clock.ts";
import { fc } from "../property.ts";
import { allowed, bent, bentText, type JsonSchema } from "./values.ts";

/** A hub that says anything, to an agent's session. */

const ofHubs = (Object.keys(messages) as MessageType[]).filter((type) => messages[type].from !== "agent");
const bodies = ofHubs.map((type): [MessageType, fc.Arbitrary<unknown>] => {
  const body = toJSONSchema(messages[type].body, { unrepresentable: "any", io: "input" }) as JsonSchema;
  return [type, allowed(body)];
});
const challenge = encodeMessage("challenge", { nonce: "AAAA", min: 1, max: linkVersions.max, hub: "proven-hub/0.1.0", now: 0 });
const welcome = encodeMessage("welcome", { version: linkVersions.max, lastSeq: 0, now: 0, duties: ["cluster"] });
const message = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom(...bodies)
      .chain(([type, body]) => fc.oneof(body, body.chain(bent)).map((one) => JSON.stringify({ type, body: one }))),
  },
  { weight: 1, arbitrary: fc.constantFrom(challenge, welcome).chain(bentText) },
);
const talk = fc.record({ greets: fc.boolean(), said: fc.array(message, { minLength: 1, maxLength: 10 }) });

const away: UserApi = {
  get: async () => ({ ok: false, error: { status: 503, reason: "away" } }),
  open: async () => ({ ok: false, error: { status: 503, reason: "away" } }),
  close: () => undefined,
} as unknown as UserApi; // Proxmox VE answers nothing here

/** @throws what the session rejects with. */
async function hearTalk({ greets, said }: { greets: boolean; said: readonly string[] }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "proven-talk-"));
  const clock = new FakeClock();
  const log = () => undefined;
  let handlers: SocketHandlers | undefined;
  const socket = {
    fingerprint: Array(32).fill("AB").join(":"),
    start: (to: SocketHandlers) => {
      handlers = to;
    },
    send: () => undefined,
    ping: () => handlers?.pong(),
    close: () => undefined,
  } as HubSocket;
  const logins = new Logins({ api: away, viewers: new Viewers({ api: away, clock, cluster: () => undefined }), clock });
  const stop = new AbortController();
  try {
    const store = new SpoolStore(SpoolFiles.open(join(folder, "spool"), log), log);
    const session = runSession(
      socket,
      {
        ...{ clock, log, identity: loadIdentity(folder), store, facts: new Facts(), proof: undefined },
        self: { node: "pve1" as NodeName, clusterId: "00000000000000aa" as ClusterId },
        setDuties: () => undefined,
        hearAlerts: () => undefined,
        tellOutlet: async ({ ways }) => ways.map((way) => ({ way, outcome: "told", said: "" })),
        answerHub: (asked) => logins.answer(asked),
        onWelcome: () => undefined,
        hearPins: () => undefined,
      },
      stop.signal,
    );
    for (const text of greets ? [challenge, welcome, ...said] : said) handlers?.text(text);
    await clock.advance(1000);
    stop.abort();
    await session;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const talkProperty = () => fc.asyncProperty(talk, hearTalk);
