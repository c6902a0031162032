import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "selfsigned";

/** Keys of the cluster: real ones, made once per folder, so that a restarted lab is the same cluster to whoever knew it. */
export type Secrets = {
  /** RSA 2048, signs tickets. */
  authKeyPem: string;
  authPublicPem: string;
  wwwKey: string;
  caPem: string;
  nodeCertPem: string;
  nodeKeyPem: string;
  pbsFingerprint: string;
  pbsSecret: string;
};

async function makeSecrets(nodes: readonly string[]): Promise<Secrets> {
  const auth = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const ca = await generate(
    [
      { name: "commonName", value: "Proxmox Virtual Environment" },
      { name: "organizationName", value: "PVE Cluster Manager CA" },
    ],
    { keyType: "ec", algorithm: "sha256", curve: "P-256", extensions: [{ name: "basicConstraints", cA: true }] },
  );
  const leaf = await generate([{ name: "commonName", value: `${nodes[0] ?? "pve1"}.lab.internal` }], {
    keyType: "ec",
    algorithm: "sha256",
    curve: "P-256",
    ca: { key: ca.private, cert: ca.cert },
    extensions: [
      {
        name: "subjectAltName",
        altNames: [
          { type: 7, ip: "127.0.0.1" },
          { type: 2, value: "localhost" },
          ...nodes.map((node) => ({ type: 2 as const, value: `${node}.lab.internal` })),
        ],
      },
    ],
  });
  return {
    authKeyPem: auth.privateKey,
    authPublicPem: auth.publicKey,
    wwwKey: `${randomBytes(32).toString("base64")}\n`,
    caPem: ca.cert,
    nodeCertPem: leaf.cert,
    nodeKeyPem: leaf.private,
    pbsFingerprint: new X509Certificate(leaf.cert).fingerprint256.toLowerCase(),
    pbsSecret: randomBytes(16).toString("hex"),
  };
}

/** Reads `<dir>/secrets.json`, or makes it. */
export async function secretsIn(dir: string, nodes: readonly string[]): Promise<Secrets> {
  const path = join(dir, "secrets.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as Secrets;
  const secrets = await makeSecrets(nodes);
  mkdirSync(dir, { recursive: true });
  writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
  return secrets;
}

/** A ticket as PVE::Ticket assemble_rsa_ticket makes it. `aad` is signed along but not written: a half-done one holds its user so. `at`: ms. */
export function signTicket(secrets: Secrets, data: string, at: number, aad?: string): string {
  const plain = `PVE:${data}:${Math.floor(at / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, "0")}`;
  const signed = Buffer.from(aad === undefined ? plain : `${plain}:${aad}`);
  return `${plain}::${sign("sha1", signed, createPrivateKey(secrets.authKeyPem)).toString("base64")}`;
}

/** What a genuine ticket of the right age says (a user, or `!tfa!…`): `is_ticket` and get_ticket_age_range of PVE/AccessControl.pm. */
export function verifiedUser(secrets: Secrets, ticket: string, at: number, aad?: string): string | undefined {
  const match = /^(PVE:([^:]+):([0-9A-F]{8}))::(.+)$/.exec(ticket);
  if (match === null) return undefined;
  const [, plain, data, stamp, signature] = match as unknown as [string, string, string, string, string];
  const ageSec = at / 1000 - Number.parseInt(stamp, 16);
  if (ageSec <= -300 || ageSec >= 7200) return undefined;
  const signed = Buffer.from(aad === undefined ? plain : `${plain}:${aad}`);
  return verify("sha1", signed, publicKeyOf(secrets), Buffer.from(signature, "base64")) ? data : undefined;
}

const publicKeys = new Map<string, KeyObject>();

/** Read once: that takes as long as a verification. */
function publicKeyOf({ authPublicPem }: Secrets): KeyObject {
  const known = publicKeys.get(authPublicPem);
  if (known !== undefined) return known;
  const key = createPublicKey(authPublicPem);
  publicKeys.set(authPublicPem, key);
  return key;
}
