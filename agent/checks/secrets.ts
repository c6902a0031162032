import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "smol-toml";
import { errorCode } from "../core/error.ts";
import { asObject, asText } from "../core/values.ts";

const secretsPath = "/etc/proven/restore-secrets.toml";

/** As ssh2 takes it. */
export type Secret = { password: string } | { privateKey: string; passphrase?: string };

/**
 * One entry of the node's own file, `[name]` with `password`, or `private_key` (PEM or OpenSSH) and maybe `passphrase`. Nobody but root may read
 * the file: otherwise no secret is used. The problem never holds any of it.
 */
export async function readSecret(
  root: string,
  name: string,
): Promise<{ ok: true; secret: Secret } | { ok: false; problem: string }> {
  const text = await readOwn(join(root, secretsPath));
  if (!text.ok) return text;
  let entries: unknown;
  try {
    entries = parse(text.text);
  } catch {
    return { ok: false, problem: `${secretsPath} is not TOML` };
  }
  const all = asObject(entries);
  const entry = all !== undefined && Object.hasOwn(all, name) ? asObject(all[name]) : undefined;
  if (entry === undefined) return { ok: false, problem: `${secretsPath} has no entry [${name}]` };
  const [password, privateKey, passphrase] = [asText(entry.password), asText(entry.private_key), asText(entry.passphrase)];
  if (privateKey !== undefined) return { ok: true, secret: { privateKey, ...(passphrase === undefined ? {} : { passphrase }) } };
  if (password !== undefined) return { ok: true, secret: { password } };
  return { ok: false, problem: `${secretsPath}: [${name}] has neither password nor private_key` };
}

async function readOwn(path: string): Promise<{ ok: true; text: string } | { ok: false; problem: string }> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const { uid, mode } = await file.stat();
    if (uid !== (process.getuid?.() ?? 0)) return { ok: false, problem: `${secretsPath} belongs to somebody else: chown root` };
    if ((mode & 0o077) !== 0) return { ok: false, problem: `${secretsPath} can be read by others: chmod 600` };
    return { ok: true, text: await file.readFile("utf8") };
  } catch (error) {
    const missing = errorCode(error) === "ENOENT";
    return { ok: false, problem: `${secretsPath}: ${missing ? "not there" : "not readable"}` };
  } finally {
    await file?.close();
  }
}
