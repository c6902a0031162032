import type { Clock, RunCommand } from "../ports.ts";
import { type NetworkRequest, runNetworkCheck } from "./network-checks.ts";

/**
 * The hidden command `proven-agent sandbox-check`: one request of network-checks.ts as JSON on stdin, its verdict as JSON on stdout. Started by the
 * agent inside a sandbox' namespace, so that its sockets live there.
 */
export async function checkInSandbox(clock: Clock, run: RunCommand): Promise<number> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const request = JSON.parse(text) as NetworkRequest; // from our own parent
  const verdict = await runNetworkCheck(request, clock, run, new AbortController().signal);
  await new Promise<void>((resolve) => process.stdout.write(JSON.stringify(verdict), () => resolve()));
  return 0;
}
