import type { Finding } from "#protocol/findings.ts";

const dayMs = 86_400_000;
/** A certificate that ends sooner is a trouble. */
const certificateWarningMs = 30 * dayMs;

/** `endsAt`: ms since the epoch. */
export function judgeCertificate(endsAt: number, now: number): Finding {
  const days = Math.floor((endsAt - now) / dayMs);
  const says = days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
  if (endsAt - now > certificateWarningMs) return { about: "certificate", state: "ok", says };
  return {
    about: "certificate",
    state: "trouble",
    says,
    remedy: "proven-hub certificate renew, then systemctl restart proven-hub",
  };
}

/** What `hub.json` tells the cluster's agents, beside what this hub is. `told` undefined: nothing, agents join by token. */
export function judgeTold(told: { url: string; fingerprint: string } | undefined, fingerprint: string, port: number): Finding {
  const about = "hub.json";
  const remedy = "proven-hub setup";
  if (told === undefined) return { about, state: "trouble", says: "not there: the cluster's agents can't find this hub", remedy };
  if (told.fingerprint.toUpperCase() !== fingerprint) {
    return {
      about,
      state: "trouble",
      says: `has another fingerprint than this hub: agents refuse to connect (${told.url})`,
      remedy,
    };
  }
  const toldPort = /^wss:\/\/[^/]*:(\d+)(\/|$)/.exec(told.url)?.[1] ?? "443";
  if (toldPort !== String(port))
    return { about, state: "trouble", says: `sends agents to port ${toldPort} instead of ${port}`, remedy };
  return { about, state: "ok", says: `sends agents to ${told.url}` };
}

/** What answers at the hub's port. `undefined`: nothing does. */
export function judgePort(shown: string | undefined, fingerprint: string, port: number): Finding {
  const about = "port";
  if (shown === undefined) {
    return { about, state: "trouble", says: `${port}: nothing answers`, remedy: "systemctl status proven-hub" };
  }
  if (shown === fingerprint) return { about, state: "ok", says: `${port} answers with this hub's certificate` };
  const remedy = "systemctl restart proven-hub, if its certificate was renewed; else see what else listens there: ss -tlnp";
  return { about, state: "trouble", says: `${port} shows another certificate (${shown})`, remedy };
}

/** Files of the state directory that its owner can't use. */
export function judgeOwners(dir: string, foreign: readonly string[], owner: string): Finding {
  if (foreign.length === 0) return { about: "files", state: "ok", says: `${dir} belongs to ${owner}` };
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : "";
  const says = `${foreign.slice(0, 3).join(", ")}${more} in ${dir} belong to somebody else than ${owner}`;
  return { about: "files", state: "trouble", says, remedy: `chown -R ${owner}: ${dir}, then systemctl restart proven-hub` };
}

/** What upgrades and rollbacks of the stores have left in the state directory, for whoever wants to go back. Nothing where there is nothing. */
export function judgeCopies(dir: string, copies: readonly { name: string; bytes: number }[]): Finding[] {
  if (copies.length === 0) return [];
  const says = copies.map(({ name, bytes }) => `${name} (${Math.ceil(bytes / 1e6)} MB)`).join(", ");
  const remedy = `when nobody wants to go back (proven-hub store rollback): cd ${dir} && rm -r ${copies.map(({ name }) => name).join(" ")}`;
  return [{ about: "old stores", state: "ok", says: `kept from upgrades: ${says}`, remedy }];
}
