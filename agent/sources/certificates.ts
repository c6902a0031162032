import { X509Certificate } from "node:crypto";
import { nodeKey } from "#protocol/ids.ts";
import type { CertificateFacts } from "#protocol/inventory.ts";
import type { SampleTable } from "../core/table.ts";
import type { ReadText } from "../ports.ts";
import { fileProblem } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, hourMs, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("node");
const source = "certificates";

/** pveproxy serves the second pair where it is there, else the first (pve-manager `PVE/Service/pveproxy.pm`); the root signs the cluster's. */
const places: readonly [file: string, path: (node: string) => string][] = [
  ["pve-ssl.pem", (node) => `/etc/pve/nodes/${node}/pve-ssl.pem`],
  ["pveproxy-ssl.pem", (node) => `/etc/pve/nodes/${node}/pveproxy-ssl.pem`],
  ["pve-root-ca.pem", () => "/etc/pve/pve-root-ca.pem"],
];

/** The first certificate of a PEM file: what a server shows. Undefined: that is none. */
export function parseCertificate(file: string, pem: string): CertificateFacts | undefined {
  try {
    const { subject, issuer, fingerprint256, validTo } = new X509Certificate(pem);
    const endsAt = Date.parse(validTo);
    if (!(endsAt >= 0)) return undefined;
    const line = (text: string | undefined) => text?.replaceAll("\n", ", ").slice(0, 500);
    return {
      file,
      ...(line(subject) ? { subject: line(subject) } : {}),
      ...(line(issuer) ? { issuer: line(issuer) } : {}),
      fingerprint: fingerprint256,
      validTo: endsAt,
    };
  } catch {
    return undefined;
  }
}

/** When the node's certificates end; their files are read once an hour. */
export class CertificateSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 3 * hourMs;
  readonly patienceMs = minuteMs / 2;
  problem: string | undefined;
  readonly told = new Told<CertificateFacts[]>([]);

  constructor(private readonly read: ReadText) {}

  get version(): number {
    return this.told.version;
  }

  everyMs(): number | undefined {
    return hourMs;
  }

  found(): string {
    return counted(this.told.value.length, "certificate");
  }

  async refresh({ node }: Pick<NodeSight, "node">): Promise<void> {
    this.problem = undefined;
    const found: CertificateFacts[] = [];
    for (const [file, path] of places) {
      const content = await this.read(path(node), 1 << 20);
      if (!content.ok) {
        if (content.code !== "ENOENT") this.problem ??= fileProblem(path(node), content.code);
        continue;
      }
      const certificate = parseCertificate(file, content.text);
      if (certificate === undefined) this.problem ??= `${path(node)}: not a certificate`;
      else found.push(certificate);
    }
    this.told.set(found);
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">, now: number): void {
    const entity = table.entity(nodeKey(node));
    for (const { file, validTo } of this.told.value) {
      table.put(entity, ids.certificate_left, source, Math.round((validTo - now) / 1000), file);
    }
  }
}
