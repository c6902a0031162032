import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { renewCertificate, settleCertificate, showCertificate } from "../../hub/cli/certificate-commands.ts";
import { rotateJoinKey, setup } from "../../hub/cli/setup.ts";
import { parseConfig } from "../../hub/config.ts";
import { loadCertificate, readNextCertificate } from "../../hub/tls.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const now = Date.now();
const isRoot = process.getuid?.() === 0;
/** Of nobody in particular: stands for the hub's user. */
const hubUser = 4242;
const url = "wss://10.1.2.3:1/agent";

/** A state directory of the hub's user in which he laid links to a file that isn't his, where root's commands write. */
async function hostile(t: TestContext) {
  const dir = temporaryDir(t);
  const [pmxcfs, stateDir, victim] = [join(dir, "pve"), join(dir, "state"), join(dir, "shadow")];
  mkdirSync(pmxcfs);
  writeFileSync(victim, "root:*:1:0:99999:7:::\n");
  chmodSync(victim, 0o644);
  const { fingerprint } = await loadCertificate(stateDir, now);
  if (isRoot) chownSync(stateDir, hubUser, hubUser);
  const config = parseConfig(`state = "${stateDir}"\nport = 1\n[join]\npmxcfs = "${pmxcfs}"\n`);
  return { config, pmxcfs, stateDir, victim, fingerprint, ports: { config, now, say: () => undefined } };
}

/** The file is as it was, and whose it was. */
function untouched(victim: string): void {
  assert.equal(readFileSync(victim, "utf8"), "root:*:1:0:99999:7:::\n");
  assert.deepEqual([statSync(victim).uid, statSync(victim).mode & 0o777], [process.getuid?.(), 0o644]);
}

/** A file of its own in the state directory, of the hub's user and private. */
function owned(path: string): void {
  const stat = lstatSync(path);
  assert.deepEqual([stat.isFile(), stat.nlink, stat.mode & 0o777], [true, 1, 0o600]);
  if (isRoot) assert.deepEqual([stat.uid, stat.gid], [hubUser, hubUser]);
}

test("a link that the hub's user laid where setup and join-key rotate write leads root to no other file", async (t) => {
  const { pmxcfs, stateDir, victim, fingerprint } = await hostile(t);
  for (const name of ["join.key", "join.key.new"]) symlinkSync(victim, join(stateDir, name));
  setup({ pmxcfs, stateDir, url, fingerprint });
  untouched(victim);
  owned(join(stateDir, "join.key"));
  for (const name of ["join.key", "join.key.new"]) {
    rmSync(join(stateDir, name), { force: true });
    symlinkSync(victim, join(stateDir, name));
  }
  rotateJoinKey({ pmxcfs, stateDir });
  untouched(victim);
  assert.equal(readFileSync(join(stateDir, "join.key"), "utf8"), readFileSync(join(pmxcfs, "priv/proven/join.key"), "utf8"));
});

test("a link to the cluster's own join key in the place of the hub's copy is replaced by a copy, and the key stays root's", async (t) => {
  const { pmxcfs, stateDir, fingerprint } = await hostile(t);
  setup({ pmxcfs, stateDir, url, fingerprint });
  const shared = join(pmxcfs, "priv/proven/join.key");
  rmSync(join(stateDir, "join.key"));
  symlinkSync(shared, join(stateDir, "join.key"));
  setup({ pmxcfs, stateDir, url, fingerprint });
  assert.equal(statSync(shared).uid, process.getuid?.());
  owned(join(stateDir, "join.key"));
});

test("a link in the place of the hub's certificate, or of the one that follows, is neither written through nor given away", async (t) => {
  const { pmxcfs, stateDir, victim, fingerprint, ports } = await hostile(t);
  setup({ pmxcfs, stateDir, url, fingerprint });
  for (const name of ["tls.next.pem", "tls.next.pem.new"]) symlinkSync(victim, join(stateDir, name));
  await renewCertificate(ports, ["--now"]);
  untouched(victim);
  owned(join(stateDir, "tls.next.pem"));
  assert.equal(readNextCertificate(stateDir)?.switchAt, now);
  const pem = readFileSync(join(stateDir, "tls.pem"), "utf8");
  writeFileSync(victim, pem);
  rmSync(join(stateDir, "tls.pem"));
  symlinkSync(victim, join(stateDir, "tls.pem"));
  await assert.rejects(showCertificate(ports), /tls\.pem is a link/);
  assert.deepEqual([statSync(victim).uid, statSync(victim).mode & 0o777], [process.getuid?.(), 0o644]);
});

test("another name of a file elsewhere is not given to the hub's user", async (t) => {
  const { stateDir, victim, ports } = await hostile(t);
  writeFileSync(victim, readFileSync(join(stateDir, "tls.pem")));
  rmSync(join(stateDir, "tls.pem"));
  linkSync(victim, join(stateDir, "tls.pem"));
  await assert.rejects(showCertificate(ports), /tls\.pem is a link/);
  assert.equal(statSync(victim).uid, process.getuid?.());
});

test("a certificate that is made for the first time is not written through a link", async (t) => {
  const { config, stateDir, victim } = await hostile(t);
  rmSync(join(stateDir, "tls.pem"));
  symlinkSync(victim, join(stateDir, "tls.pem.new"));
  await showCertificate({ config, now, say: () => undefined });
  untouched(victim);
  owned(join(stateDir, "tls.pem"));
});

test("what root's command left of its own in the state directory is given to the hub's user", async (t) => {
  const { stateDir, ports, pmxcfs, fingerprint } = await hostile(t);
  chmodSync(join(stateDir, "tls.pem"), 0o644);
  await showCertificate(ports);
  owned(join(stateDir, "tls.pem"));
  setup({ pmxcfs, stateDir, url, fingerprint });
  settleCertificate(ports);
  owned(join(stateDir, "join.key"));
});
