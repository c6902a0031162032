import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

function found(path: string, pattern: RegExp): string[] {
  const words = pattern.exec(readFileSync(join(root, path), "utf8"))?.[1];
  if (words === undefined) throw new Error(`${path}: no line ${pattern}`);
  return words.split(" ");
}

/** Node's flags and environment as a unit starts its program: said there alone, so that what is measured and tested is what runs. */
type ServiceUnit = { readonly flags: readonly string[]; readonly env: Readonly<Record<string, string>> };

const unitOf = (name: "agent" | "hub"): ServiceUnit => ({
  flags: found(`systemd/proven-${name}.sh`, new RegExp(`^exec /usr/bin/node (.+) /usr/lib/proven/${name}\\.mjs`, "m")),
  env: Object.fromEntries(
    found(`systemd/proven-${name}.service`, /^Environment=(.+)$/m).map((setting) => {
      const at = setting.indexOf("=");
      return [setting.slice(0, at), setting.slice(at + 1)];
    }),
  ),
});

export const agentUnit = unitOf("agent");
export const hubUnit = unitOf("hub");
