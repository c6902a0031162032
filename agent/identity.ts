import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { readIfThere, writePrivate } from "./private-file.ts";

/** This agent's Ed25519 key pair. */
export type Identity = {
  /** SPKI DER in base64, as the hello carries it. */
  publicKey: string;
  /** Signature in base64. */
  sign(bytes: Uint8Array): string;
};

/** The key pair that an agent has, and the one that shall follow it. */
export type AgentIdentity = Identity & {
  /** A key that `prepare` or `makeNextKey` made and the hub has not taken yet. */
  next(): Identity | undefined;
  /** Makes the key that shall follow, unless one waits. @throws when it can't be written. */
  prepare(): void;
  /** From now on the next key is the key, if it is this one. False: it is not. */
  adopt(publicKey: string): boolean;
};

/** The 32 bytes of the public key in base64, as the hub lists them; the 12 before them say that it is Ed25519 (RFC 8410). */
export const rawPublicKey = ({ publicKey }: Identity) => Buffer.from(publicKey, "base64").subarray(12).toString("base64");

/** Reads `<stateDir>/agent.key`; the first start makes it (mode 0600). A damaged key is an error: a new one would be another agent to the hub. */
export function loadIdentity(stateDir: string): AgentIdentity {
  const path = keyPath(stateDir);
  let present = readIdentity(path) ?? makeKey(path);
  return {
    get publicKey() {
      return present.publicKey;
    },
    sign: (bytes) => present.sign(bytes),
    next: () => readUndamaged(nextPath(stateDir)),
    prepare: () => void makeNextKey(stateDir),
    adopt(publicKey) {
      const next = readUndamaged(nextPath(stateDir));
      if (next?.publicKey !== publicKey) return false;
      renameSync(nextPath(stateDir), path);
      present = next;
      return true;
    },
  };
}

/** Makes the key that shall follow; a running agent offers it to the hub within a minute. One that waits already stays. */
export function makeNextKey(stateDir: string): Identity {
  return readUndamaged(nextPath(stateDir)) ?? makeKey(nextPath(stateDir));
}

const keyPath = (stateDir: string) => join(stateDir, "agent.key");
const nextPath = (stateDir: string) => join(stateDir, "agent.key.next");

/** Undefined: it is not there. */
function readIdentity(path: string): Identity | undefined {
  const pem = readIfThere(path);
  if (pem === undefined) return undefined;
  try {
    return identityOf(createPrivateKey(pem));
  } catch (cause) {
    throw new Error(`${path} is not a private key: restore it, or delete it and join the hub again`, { cause });
  }
}

/** A next key that is damaged is none: the present one serves on. */
function readUndamaged(path: string): Identity | undefined {
  try {
    return readIdentity(path);
  } catch {
    return undefined;
  }
}

function makeKey(path: string): Identity {
  const { privateKey } = generateKeyPairSync("ed25519");
  writePrivate(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return identityOf(privateKey);
}

function identityOf(privateKey: KeyObject): Identity {
  if (privateKey.asymmetricKeyType !== "ed25519") throw new Error(`not an Ed25519 key: ${privateKey.asymmetricKeyType}`);
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" }).toString("base64");
  return { publicKey, sign: (bytes) => sign(null, bytes, privateKey).toString("base64") };
}
