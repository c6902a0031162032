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
    remedy: "proven-hub certificate renew",
  };
}

/**
 * What `hub.json` tells the cluster's agents, beside what this hub is. `told` undefined: nothing, agents join by token. `there`: the certificate of
 * whoever answers at the told address, asked from here; undefined: nobody does.
 */
export function judgeTold(
  told: { url: string; fingerprint: string } | undefined,
  fingerprint: string,
  there: string | undefined,
): Finding {
  const about = "hub.json";
  const trouble = (says: string, remedy = "proven-hub setup"): Finding => ({ about, state: "trouble", says, remedy });
  if (told === undefined) return trouble("not there: the cluster's agents can't find this hub");
  const { url } = told;
  const named = told.fingerprint.toUpperCase();
  if (named !== fingerprint && there === named) {
    const remedy = "if they shall come to this one: proven-hub setup; else this one is not needed: apt remove proven-hub";
    return trouble(`sends agents to another hub, which answers: ${url}`, remedy);
  }
  if (named !== fingerprint) return trouble(`has another fingerprint than this hub: agents refuse to connect (${url})`);
  if (there === fingerprint) return { about, state: "ok", says: `sends agents to ${url}` };
  const remedy =
    "if this hub runs and has another address or port now: proven-hub setup (--url wss://HOST:PORT/agent for one of your own)";
  if (there === undefined) return trouble(`sends agents to ${url}, where nothing answers`, remedy);
  return trouble(`sends agents to ${url}, where something else answers (${there})`, remedy);
}

/** What answers at the hub's port. `undefined`: nothing does. */
export function judgePort(shown: string | undefined, fingerprint: string, port: number): Finding {
  const about = "port";
  if (shown === undefined) {
    return { about, state: "trouble", says: `${port}: nothing answers`, remedy: "systemctl status proven-hub" };
  }
  if (shown === fingerprint) return { about, state: "ok", says: `${port} answers with this hub's certificate` };
  const remedy = "systemctl restart proven-hub, if tls.pem was replaced; else see what else listens there: ss -tlnp";
  return { about, state: "trouble", says: `${port} shows another certificate (${shown})`, remedy };
}

/** Files of the state directory that its owner can't use. */
export function judgeOwners(dir: string, foreign: readonly string[], owner: string): Finding {
  if (foreign.length === 0) return { about: "files", state: "ok", says: `${dir} belongs to ${owner}` };
  const more = foreign.length > 3 ? ` and ${foreign.length - 3} more` : "";
  const says = `${foreign.slice(0, 3).join(", ")}${more} in ${dir} belong to somebody else than ${owner}`;
  return { about: "files", state: "trouble", says, remedy: `chown -R ${owner}: ${dir}, then systemctl restart proven-hub` };
}

/** Files that hub.toml names and the hub's user can't read: with one of them the hub does not start again. Nothing where there is nothing. */
export function judgeNamedFiles(unreadable: readonly { key: string; path: string }[], owner: string): Finding[] {
  return unreadable.map(({ key, path }) => ({
    about: "hub.toml",
    state: "trouble",
    says: `${key}: ${owner} can't read ${path}, so the hub would not start again`,
    remedy: `chown ${owner}: ${path} && chmod 400 ${path}, or another path there`,
  }));
}

/** What upgrades and rollbacks of the stores have left in the state directory, for whoever wants to go back. Nothing where there is nothing. */
export function judgeCopies(dir: string, copies: readonly { name: string; bytes: number }[]): Finding[] {
  if (copies.length === 0) return [];
  const says = copies.map(({ name, bytes }) => `${name} (${Math.ceil(bytes / 1e6)} MB)`).join(", ");
  const remedy = `when nobody wants to go back (proven-hub store rollback): cd ${dir} && rm -r ${copies.map(({ name }) => name).join(" ")}`;
  return [{ about: "old stores", state: "ok", says: `kept from upgrades: ${says}`, remedy }];
}
