import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

export type Pair = { cert: string; key: string };

/** pveproxy's own choice (pve-manager `PVE/Service/pveproxy.pm`): the uploaded pair where both files are there, else the cluster's. */
const pairs = [
  ["etc/pve/local/pveproxy-ssl.pem", "etc/pve/local/pveproxy-ssl.key"],
  ["etc/pve/local/pve-ssl.pem", "etc/pve/local/pve-ssl.key"],
] as const;

/** What pveproxy serves, so that a browser that knows one knows the other. A pair whose halves don't fit is passed over, as it may be half written. `known` again where nothing changed. */
export async function readPair(root: string, known?: Pair): Promise<Pair | undefined> {
  for (const [certPath, keyPath] of pairs) {
    try {
      const [cert, key] = await Promise.all([readFile(join(root, certPath), "utf8"), readFile(join(root, keyPath), "utf8")]);
      if (cert === known?.cert && key === known.key) return known;
      if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) continue;
      return { cert, key };
    } catch {
      // not there, or not whole: the next one
    }
  }
  return undefined;
}
