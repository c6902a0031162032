import { createHash } from "node:crypto";
import { join } from "node:path";

/** Where one sandbox lives. Every name follows from the sandbox' own, so that a restarted agent finds what a dead one made. */
export type SandboxLayout = {
  name: string;
  bridge: string;
  /** End of the cable between bridge and namespace that is a port of the bridge. */
  port: string;
  netns: string;
  /** Alias of every device we made: whoever looks at the node sees whose it is, and nothing without it is ever removed. */
  alias: string;
  folder: string;
  record: string;
  leases: string;
  heard: string;
};

/** The namespace's end of the cable. */
export const insideDevice = "eth0";

const aliasWord = "proven-sandbox ";

export const isSandboxName = (name: string) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(name);

/** `folder`: the agent's own folder for sandboxes. Device names hold at most 15 characters. */
export function layoutOf(folder: string, name: string): SandboxLayout {
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 8);
  const own = join(folder, name);
  return {
    name,
    bridge: `pvt${hash}`,
    port: `pvp${hash}`,
    netns: `proven-${name}`,
    alias: `${aliasWord}${name}`,
    folder: own,
    record: join(own, "record.json"),
    leases: join(own, "leases"),
    heard: join(own, "heard"),
  };
}

/** The sandbox a device's alias names; undefined: it is none of ours. */
export function nameInAlias(alias: string | undefined): string | undefined {
  const name = alias?.startsWith(aliasWord) ? alias.slice(aliasWord.length) : "";
  return isSandboxName(name) ? name : undefined;
}
