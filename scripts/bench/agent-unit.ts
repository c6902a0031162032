import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function found(path: string, pattern: RegExp): string[] {
  const words = pattern.exec(readFileSync(join(root, path), "utf8"))?.[1];
  if (words === undefined) throw new Error(`${path}: no line ${pattern}`);
  return words.split(" ");
}

/** Node's flags and environment as the agent's unit starts it: said there alone, so that what is measured and tested is what runs. */
export const agentUnit: { readonly flags: readonly string[]; readonly env: Readonly<Record<string, string>> } = {
  flags: found("systemd/proven-agent.sh", /^exec \/usr\/bin\/node (.+) \/usr\/lib\/proven\/agent\.mjs/m),
  env: Object.fromEntries(
    found("systemd/proven-agent.service", /^Environment=(.+)$/m).map((setting) => {
      const at = setting.indexOf("=");
      return [setting.slice(0, at), setting.slice(at + 1)];
    }),
  ),
};
