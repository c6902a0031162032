import { generateKeyPairSync, sign } from "node:crypto";
import type { Identity } from "../../agent/identity.ts";

/** A key pair that lives as long as this process. */
export function newIdentity(): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    publicKey: publicKey.export({ type: "spki", format: "der" }).toString("base64"),
    sign: (bytes) => sign(null, bytes, privateKey).toString("base64"),
  };
}
