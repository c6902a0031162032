import { createHash } from "node:crypto";
import { join, resolve } from "node:path";

/** Where one sandbox lives. Every name follows from the sandbox' own, so that a restarted agent finds what a dead one made. */
export type SandboxLayout = {
  name: string;
  bridge: string;
  /** End of the cable between bridge and namespace that is a port of the bridge. */
  port: string;
  netns: string;
  /** Of nftables, for this sandbox alone: two agents, or two processes of one, never rewrite each other's rules. */
  table: string;
  /** Alias of every device we made: whoever looks at the node sees whose it is, and nothing without it is ever removed. */
  alias: string;
  folder: string;
  record: string;
  leases: string;
  heard: string;
};

/** The namespace's end of the cable. */
export const insideDevice = "eth0";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/**
 * Whose sandboxes lie below that folder: agents of one machine (simulated nodes) have a state folder each, and one that was set up anew, or has another
 * key, is still the one that made them.
 */
const ownerOf = (folder: string) => digest(resolve(folder)).slice(0, 6);

const aliasWord = (folder: string) => `proven-sandbox ${ownerOf(folder)} `;
const netnsWord = (folder: string) => `proven-${ownerOf(folder)}-`;

export const isSandboxName = (name: string) => /^[a-z0-9][a-z0-9-]{0,31}$/.test(name);

/** `folder`: the agent's own folder for sandboxes. Device names hold at most 15 characters. */
export function layoutOf(folder: string, name: string): SandboxLayout {
  const hash = digest(aliasWord(folder) + name).slice(0, 8);
  const own = join(folder, name);
  return {
    name,
    bridge: `pvt${hash}`,
    port: `pvp${hash}`,
    netns: netnsWord(folder) + name,
    table: `proven_sandbox_${hash}`,
    alias: aliasWord(folder) + name,
    folder: own,
    record: join(own, "record.json"),
    leases: join(own, "leases"),
    heard: join(own, "heard"),
  };
}

/** Table of the rules about one operation's cards in that sandbox. */
export const partedTable = ({ table }: SandboxLayout, operation: string) => `${table}_${digest(operation).slice(0, 8)}`;

/** The sandbox below that folder which a device's alias names; undefined: it is none of ours. */
export const nameInAlias = (folder: string, alias: string | undefined) => nameAfter(aliasWord(folder), alias);

/** The same of a namespace' name. */
export const nameInNetns = (folder: string, netns: string) => nameAfter(netnsWord(folder), netns);

function nameAfter(word: string, text: string | undefined): string | undefined {
  const name = text?.startsWith(word) ? text.slice(word.length) : "";
  return isSandboxName(name) ? name : undefined;
}
