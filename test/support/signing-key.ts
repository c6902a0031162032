import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A key for one test, in a keyring of its own. `remove` ends its agent too. */
export type SigningKey = { fingerprint: string; env: NodeJS.ProcessEnv; remove(): void };

export function newSigningKey(name: string): SigningKey {
  const home = mkdtempSync(join(tmpdir(), "proven-gpg-")); // short: its agent's socket lies in it
  chmodSync(home, 0o700);
  const env = { PATH: process.env.PATH, GNUPGHOME: home };
  const options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""];
  const gpg = (...args: string[]) => execFileSync("gpg", args, { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  gpg(...options, "--quick-generate-key", `${name} <${name}@proven.invalid>`, "ed25519", "sign", "never");
  const fingerprint = /^fpr:+([0-9A-F]+):/m.exec(gpg("--list-keys", "--with-colons"))?.[1] ?? "";
  const remove = () => {
    execFileSync("gpgconf", ["--kill", "all"], { env, stdio: "ignore" });
    rmSync(home, { recursive: true, force: true });
  };
  return { fingerprint, env, remove };
}
