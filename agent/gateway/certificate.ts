import { createPrivateKey, X509Certificate } from "node:crypto";
import { readText } from "../sources/files.ts";
import { keyFileOf } from "./pveproxy-settings.ts";

export type Pair = { cert: string; key: string };

/**
 * pveproxy's own choice (pve-manager `PVE/Service/pveproxy.pm`): the uploaded pair where both files are there, else the cluster's. The uploaded one's
 * key may lie elsewhere.
 */
const pairsFor = (keyFile: string | undefined) =>
  [
    ["/etc/pve/local/pveproxy-ssl.pem", keyFile ?? "/etc/pve/local/pveproxy-ssl.key"],
    ["/etc/pve/local/pve-ssl.pem", "/etc/pve/local/pve-ssl.key"],
  ] as const;

/** What pveproxy serves, `settings` being its /etc/default/pveproxy, so that a browser that knows one knows the other. A pair whose halves don't fit is passed over, as it may be half written. `known` again where nothing changed. */
export async function readPair(root: string, settings: string, known?: Pair): Promise<Pair | undefined> {
  const read = readText(root);
  for (const [certPath, keyPath] of pairsFor(keyFileOf(settings))) {
    const [certFile, keyFile] = [await read(certPath), await read(keyPath)];
    if (!certFile.ok || !keyFile.ok) continue;
    const pair = { cert: certFile.text, key: keyFile.text };
    if (pair.cert === known?.cert && pair.key === known.key) return known;
    if (fits(pair)) return pair;
  }
  return undefined;
}

function fits({ cert, key }: Pair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false; // half written
  }
}
