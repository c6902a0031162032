import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { join } from "node:path";
import { readIfThere, writePrivate } from "./private-file.ts";

/** This agent's Ed25519 key pair. */
export type Identity = {
  /** SPKI DER in base64, as the hello carries it. */
  publicKey: string;
  /** Signature in base64. */
  sign(bytes: Uint8Array): string;
};

/** The 32 bytes of the public key in base64, as the hub lists them; the 12 before them say that it is Ed25519 (RFC 8410). */
export const rawPublicKey = ({ publicKey }: Identity) => Buffer.from(publicKey, "base64").subarray(12).toString("base64");

/** Reads `<stateDir>/agent.key`; the first start makes it (mode 0600). A damaged key is an error: a new one would be another agent to the hub. */
export function loadIdentity(stateDir: string): Identity {
  const path = join(stateDir, "agent.key");
  const pem = readIfThere(path);
  if (pem !== undefined) {
    try {
      return identityOf(createPrivateKey(pem));
    } catch (cause) {
      throw new Error(`${path} is not a private key: restore it, or delete it and join the hub again`, { cause });
    }
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  writePrivate(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return identityOf(privateKey);
}

function identityOf(privateKey: KeyObject): Identity {
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`not an Ed25519 key: ${privateKey.asymmetricKeyType}`);
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" }).toString("base64");
  return { publicKey, sign: (bytes) => sign(null, bytes, privateKey).toString("base64") };
}
