import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
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

/** A ticket of this user, as PVE::Ticket assembles it; for tests that play a browser. `at`: lab time, ms. */
export function mintTicket(secrets: Secrets, user: string, at: number): string {
  const plain = `PVE:${user}:${Math.floor(at / 1000)
    .toString(16)
    .toUpperCase()
    .padStart(8, "0")}`;
  return `${plain}::${sign("sha1", Buffer.from(plain), createPrivateKey(secrets.authKeyPem)).toString("base64")}`;
}

export const publicKeyOf = (secrets: Secrets) => createPublicKey(secrets.authPublicPem);
