import { X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";

export type HubCertificate = { cert: string; key: string; fingerprint: string };

const validYears = 10;

/** SHA-256 of the certificate as agents pin it, `AA:BB:…`. */
export const fingerprintOf = (cert: string) => new X509Certificate(cert).fingerprint256;

/** Key and certificate as one PEM file. */
export const certificatePath = (stateDir: string) => join(stateDir, "tls.pem");

/**
 * The hub's certificate: made at the first start and kept, because agents pin it. Key and certificate are one file, readable by the hub only,
 * so that no crash can leave one without the other.
 */
export async function loadCertificate(stateDir: string, now: number): Promise<HubCertificate> {
  const path = certificatePath(stateDir);
  if (!existsSync(path)) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const made = await makeCertificate(now);
    writeFileSync(`${path}.new`, `${made.private}\n${made.cert}`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
  chmodSync(path, 0o600);
  const pem = readFileSync(path, "utf8");
  const cert = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(pem)?.[0];
  const key = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(pem)?.[0];
  if (cert === undefined || key === undefined) {
    throw new Error(
      `${path} holds no certificate and key: restore it, or remove it to make a new one (every agent must then be joined again)`,
    );
  }
  return { cert, key, fingerprint: fingerprintOf(cert) };
}

/** Loads what makes certificates with the first one: the hub starts without it. */
async function makeCertificate(now: number) {
  const { default: selfsigned } = await import("selfsigned");
  const name = hostname();
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all?.map((one) => one.address.split("%")[0] ?? "") ?? []);
  const names = [...new Set([name, "localhost"])].map((value) => ({ type: 2 as const, value }));
  const ips = [...new Set(["127.0.0.1", "::1", ...addresses])].map((ip) => ({ type: 7 as const, ip }));
  return selfsigned.generate([{ name: "commonName", value: `Proven hub ${name}`.slice(0, 64) }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date(now - 86_400_000),
    notAfterDate: new Date(now + validYears * 365 * 86_400_000),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      { name: "subjectAltName", altNames: [...names, ...ips] },
    ],
  });
}
