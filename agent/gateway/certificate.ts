import { createPrivateKey, X509Certificate } from "node:crypto";
import { readText } from "../sources/files.ts";

export type Pair = { cert: string; key: string };

/**
 * pveproxy's own choice (pve-manager `PVE/Service/pveproxy.pm`): the uploaded pair where both files are there, else the cluster's. The uploaded one's
 * key may lie elsewhere, as /etc/default/pveproxy says (pve-http-server `PVE/APIServer/Utils.pm`, read_proxy_config).
 */
const pairsFor = (keyFile: string | undefined) =>
  [
    ["/etc/pve/local/pveproxy-ssl.pem", keyFile ?? "/etc/pve/local/pveproxy-ssl.key"],
    ["/etc/pve/local/pve-ssl.pem", "/etc/pve/local/pve-ssl.key"],
  ] as const;

/** `TLS_KEY_FILE` of the file, which a shell reads. Undefined: it is not set. */
export function keyFileOf(defaults: string): string | undefined {
  const lines = defaults.matchAll(/^[ \t]*(?:export[ \t]+)?TLS_KEY_FILE=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s;#"']*))/gm);
  const [, ...quoted] = [...lines].at(-1) ?? [];
  return quoted.find((text) => text?.startsWith("/"));
}

/** What pveproxy serves, so that a browser that knows one knows the other. A pair whose halves don't fit is passed over, as it may be half written. `known` again where nothing changed. */
export async function readPair(root: string, known?: Pair): Promise<Pair | undefined> {
  const read = readText(root);
  const defaults = await read("/etc/default/pveproxy");
  for (const [certPath, keyPath] of pairsFor(defaults.ok ? keyFileOf(defaults.text) : undefined)) {
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
