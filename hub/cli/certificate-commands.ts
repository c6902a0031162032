import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod";
import type { HubConfig } from "../config.ts";
import { giveToOwnerOf } from "../owned-file.ts";
import { certificatePath, loadCertificate, prepareCertificate, readCertificate, readNextCertificate } from "../tls.ts";
import { day, positive, type Say } from "./command-line.ts";
import { setup } from "./setup.ts";

const hubFileSchema = z.object({ url: z.string(), next: z.string().optional() });
const hubFileOf = (config: HubConfig) => join(config.join.pmxcfs, "proven", "hub.json");
const hourMs = 3_600_000;

export type CertificatePorts = { config: HubConfig; now: number; say: Say };

export async function showCertificate({ config, now, say }: CertificatePorts): Promise<void> {
  const { cert, fingerprint } = await loadCertificate(config.state, now);
  giveToOwnerOf(config.state, certificatePath(config.state));
  say(`fingerprint  ${fingerprint}`);
  say(`ends         ${day(Date.parse(new X509Certificate(cert).validTo))}`);
  const next = readNextCertificate(config.state);
  if (next !== undefined) say(`next         ${next.fingerprint}, from ${new Date(next.switchAt).toISOString().slice(0, 16)}Z`);
}

/**
 * Makes the key and certificate that follow. The running hub tells connected agents of it, hub.json tells the others of the cluster; after the overlap
 * the hub shows it to new connections, without a restart. `--now`: as soon as those that are connected were told.
 */
export async function renewCertificate({ config, now, say }: CertificatePorts, args: string[] = []): Promise<void> {
  const options = { "overlap-hours": { type: "string", default: "24" }, now: { type: "boolean", default: false } } as const;
  const { values } = parseArgs({ args, options });
  const hours = positive(values["overlap-hours"], "overlap-hours", 30 * 24);
  const { state: stateDir, join: place } = config;
  const { fingerprint } = await loadCertificate(stateDir, now);
  giveToOwnerOf(stateDir, certificatePath(stateDir));
  const next = await prepareCertificate(stateDir, values.now ? now : now + hours * hourMs, now);
  const hubFile = hubFileOf(config);
  if (existsSync(hubFile)) {
    const { url } = hubFileSchema.parse(JSON.parse(readFileSync(hubFile, "utf8")));
    for (const line of setup({ pmxcfs: place.pmxcfs, stateDir, url, fingerprint, next: next.fingerprint })) say(line);
  }
  say(`fingerprint  ${next.fingerprint}`);
  say(
    `shown        ${values.now ? "within seconds" : `from ${new Date(next.switchAt).toISOString().slice(0, 16)}Z`}, without a restart`,
  );
  say("agents that joined by token and are not connected until then: proven-agent join with this fingerprint");
}

/**
 * After a renewal: once the hub shows the certificate that hub.json names as the next one, the old one goes from there. Agents that are connected have
 * accepted the new one, and whoever connects is shown nothing else. Changes nothing at any other time, nor what another hub has written there.
 */
export function settleCertificate({ config, say }: CertificatePorts): void {
  const hubFile = hubFileOf(config);
  const { url, next } = existsSync(hubFile)
    ? hubFileSchema.parse(JSON.parse(readFileSync(hubFile, "utf8")))
    : { url: "", next: undefined };
  const { fingerprint } = readCertificate(config.state);
  if (next !== fingerprint) {
    say(`${hubFile}: not there, or nothing to settle`);
    return;
  }
  const following = readNextCertificate(config.state)?.fingerprint;
  for (const line of setup({ pmxcfs: config.join.pmxcfs, stateDir: config.state, url, fingerprint, next: following })) say(line);
}
