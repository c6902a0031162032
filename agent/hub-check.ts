import { parseMessageText } from "#protocol/messages.ts";
import { linkVersions, negotiate } from "#protocol/version.ts";
import { findHub, type HubFiles, readJoined } from "./hub-place.ts";
import { connectHub, type HubSocket } from "./hub-socket.ts";
import type { Clock, SourceReport } from "./ports.ts";

/** For `--check`: is there a hub, is it the right one, does it know us. Says no hello, which would end the running agent's session. */
export async function checkHub(files: HubFiles, clock: Clock): Promise<SourceReport> {
  const startedMs = clock.monotonicMs();
  const report = (found: string, problem?: string): SourceReport => ({
    source: "hub",
    found,
    costMs: Math.round(clock.monotonicMs() - startedMs),
    ...(problem === undefined ? {} : { problem }),
  });
  const at = await findHub(files);
  if (!at.ok) return report("none", at.problem);
  const { url, fingerprint, accepts = [fingerprint], from, proof } = at.place;
  const stop = new AbortController();
  const connected = await connectHub(url, accepts, stop.signal);
  if (!connected.ok) return report(`${url} (${from})`, connected.problem);
  const greeting = await firstWords(connected.socket, clock);
  if (greeting.problem !== undefined) return report(`${url} (${from})`, greeting.problem);
  const joined = readJoined(files.stateDir) === fingerprint;
  const found = `${url}, ${greeting.hub}, fingerprint fits, ${joined ? "joined" : "not joined yet"}`;
  const hopeless = !joined && proof === undefined;
  return report(found, hopeless ? "no join key and no token: run proven-agent join <url> --token T --fingerprint F" : undefined);
}

async function firstWords(socket: HubSocket, clock: Clock): Promise<{ hub: string; problem?: string }> {
  const timeout = new AbortController();
  const heard = new Promise<{ hub: string; problem?: string }>((resolve) => {
    socket.start({
      text: (text) => resolve(readGreeting(text)),
      pong: () => undefined,
      closed: (code) => resolve({ hub: "", problem: `the hub closed the connection (${code})` }),
    });
  });
  const late = clock.sleep(10_000, timeout.signal).then(() => ({ hub: "", problem: "the hub says nothing" }));
  const greeting = await Promise.race([heard, late]);
  timeout.abort();
  socket.close(1000, "check");
  return greeting;
}

function readGreeting(text: string): { hub: string; problem?: string } {
  const parsed = parseMessageText(text, "hub", linkVersions.min);
  if (!parsed.ok || parsed.message.type !== "challenge") return { hub: "", problem: "this is not a Proven hub" };
  const { hub, min, max } = parsed.message.body;
  const agreed = negotiate({ min, max }, linkVersions);
  return agreed.ok ? { hub } : { hub, problem: `${hub} and this agent have no common version: upgrade the ${agreed.tooOld}` };
}
