import { Resolver } from "node:dns/promises";
import { isIPv6 } from "node:net";
import type { CheckOf } from "../network-checks.ts";
import { errorText, failed, passed, printable, type Verdict } from "../verdict.ts";

/** Answers that say: I am a DNS server, and there is no such name. */
const emptyAnswers = new Set(["ENOTFOUND", "ENODATA"]);

/** With a wanted answer it must be among the addresses or aliases; without, any answer that is no refusal will do. */
export async function probeDns(check: CheckOf<"dns">, address: string, signal: AbortSignal, withinMs: number): Promise<Verdict> {
  const resolver = new Resolver({ timeout: Math.max(500, Math.floor(withinMs / 3)), tries: 2 });
  resolver.setServers([`${isIPv6(address.split("%")[0] as string) ? `[${address}]` : address}:${check.port ?? 53}`]);
  signal.addEventListener("abort", () => resolver.cancel(), { once: true });
  const found: string[] = [];
  for (const ask of ["resolve4", "resolve6", "resolveCname"] as const) {
    try {
      found.push(...(await resolver[ask](check.query)));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      if (!emptyAnswers.has(code)) return failed(`asked for ${check.query}: ${code || errorText(error)}`);
    }
    if (check.answer === undefined || found.includes(check.answer)) break;
  }
  const saw = printable(found.join(", "), 300) || "no such name";
  if (check.answer === undefined) return passed(`answers for ${check.query}: ${saw}`);
  return found.includes(check.answer)
    ? passed(`${check.query} is ${check.answer}`)
    : failed(`${check.query} is ${saw}, wanted ${check.answer}`);
}
