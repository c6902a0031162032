import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type { Say } from "./command-line.ts";
import type { HubConfig } from "./config.ts";
import { giveToOwnerOf, setup } from "./setup.ts";
import { certificatePath, loadCertificate } from "./tls.ts";

const hubFileSchema = z.object({ url: z.string() });

export type CertificatePorts = { config: HubConfig; now: number; say: Say };

export async function showCertificate({ config, now, say }: CertificatePorts): Promise<void> {
  const { cert, fingerprint } = await loadCertificate(config.state, now);
  giveToOwnerOf(config.state, certificatePath(config.state));
  say(`fingerprint  ${fingerprint}`);
  say(`ends         ${new Date(new X509Certificate(cert).validTo).toISOString().slice(0, 10)}`);
}

/**
 * A new key and certificate; the old ones stay beside them as `tls.pem.old`. The cluster's agents are told at once: until the hub is started
 * again they can't connect, and spool.
 */
export async function renewCertificate({ config, now, say }: CertificatePorts): Promise<void> {
  const { state: stateDir, join: place } = config;
  const path = certificatePath(stateDir);
  if (existsSync(path)) renameSync(path, `${path}.old`);
  const { fingerprint } = await loadCertificate(stateDir, now);
  giveToOwnerOf(stateDir, path);
  const hubFile = join(place.pmxcfs, "proven", "hub.json");
  if (existsSync(hubFile)) {
    const { url } = hubFileSchema.parse(JSON.parse(readFileSync(hubFile, "utf8")));
    for (const line of setup({ pmxcfs: place.pmxcfs, stateDir, url, fingerprint })) say(line);
  }
  say(`fingerprint  ${fingerprint}`);
  say("now: systemctl restart proven-hub");
  say("agents that joined by token: proven-agent join with this fingerprint");
}
