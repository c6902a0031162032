import { X509Certificate } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { makePrivate, replaceOwned } from "./owned-file.ts";

export type HubCertificate = { cert: string; key: string; fingerprint: string };

const validYears = 10;

/** SHA-256 of the certificate as agents pin it, `AA:BB:…`. */
const fingerprintOf = (cert: string) => new X509Certificate(cert).fingerprint256;

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
    replaceOwned(stateDir, path, `${made.private}\n${made.cert}`);
  }
  makePrivate(path);
  return readPair(path);
}

/** The certificate that the hub shows. @throws Error when there is none. */
export const readCertificate = (stateDir: string): HubCertificate => readPair(certificatePath(stateDir));

/** @throws Error with the remedy when the file is no such pair. */
function readPair(path: string): HubCertificate {
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

/** The certificate that follows, and when. */
export type NextCertificate = HubCertificate & { switchAt: number };

const nextPath = (stateDir: string) => join(stateDir, "tls.next.pem");
/** Stands before the PEM blocks, where every reader of PEM passes it over. */
const switchLine = /^Shown from: (\S+)$/m;

/** Undefined: none is being prepared. @throws as loadCertificate */
export function readNextCertificate(stateDir: string): NextCertificate | undefined {
  const path = nextPath(stateDir);
  if (!existsSync(path)) return undefined;
  const switchAt = Date.parse(switchLine.exec(readFileSync(path, "utf8"))?.[1] ?? "");
  if (Number.isNaN(switchAt)) throw new Error(`${path} does not say from when it is shown: remove it`);
  return { ...readPair(path), switchAt };
}

/** Makes the key and certificate that follow the present ones at `switchAt`; those that were prepared before are replaced. */
export async function prepareCertificate(stateDir: string, switchAt: number, now: number): Promise<NextCertificate> {
  const made = await makeCertificate(now);
  const text = `Shown from: ${new Date(switchAt).toISOString()}\n${made.private}\n${made.cert}`;
  replaceOwned(stateDir, nextPath(stateDir), text);
  return { cert: made.cert, key: made.private, fingerprint: fingerprintOf(made.cert), switchAt };
}

/** Puts the prepared one in the place of the present one, which stays as `tls.pem.old`. At every moment `tls.pem` is whole. */
export function switchCertificate(stateDir: string): void {
  const path = certificatePath(stateDir);
  copyFileSync(path, `${path}.old`);
  chmodSync(`${path}.old`, 0o600);
  renameSync(nextPath(stateDir), path);
}

/** Of both files; another text: one of them was replaced. */
export function certificateStamp(stateDir: string): string {
  return [certificatePath(stateDir), nextPath(stateDir)]
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return `${stat?.ino} ${stat?.mtimeMs}`;
    })
    .join(" ");
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
