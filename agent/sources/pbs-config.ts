import { createHash } from "node:crypto";
import { parseStorageId, type StorageId } from "#protocol/ids.ts";
import { asFlag, asNumber, asText, splitList } from "../core/values.ts";
import { parseSectionConfig } from "./cluster-config.ts";

/** A storage of type `pbs` in storage.cfg (pve-storage `PVE/Storage/PBSPlugin.pm`). `namespace`: empty is the root. */
export type PbsStorage = {
  storage: StorageId;
  server: string;
  port: number;
  store: string;
  namespace: string;
  username: string;
  /** `AA:BB:…`; absent: its certificate is signed by an authority the node knows. */
  fingerprint?: string;
  /** The only nodes it is for; absent: all. */
  nodes?: readonly string[];
};

const defaultPort = 8007;

export function parsePbsStorages(text: string): PbsStorage[] {
  return parseSectionConfig(text)
    .filter(({ type, keys }) => type === "pbs" && !asFlag(keys.get("disable")))
    .flatMap(({ id, keys }) => {
      const storage = parseStorageId(id);
      const [server, store] = [asText(keys.get("server"))?.slice(0, 255), asText(keys.get("datastore"))];
      if (storage === undefined || server === undefined || store === undefined) return [];
      const port = asNumber(keys.get("port"));
      const fingerprint = asText(keys.get("fingerprint"))?.toUpperCase();
      const nodes = splitList(keys.get("nodes"));
      return [
        {
          storage,
          server,
          port: Number.isInteger(port) && port > 0 && port < 65_536 ? port : defaultPort,
          store: store.slice(0, 100),
          namespace: (keys.get("namespace") ?? "").slice(0, 256),
          username: asText(keys.get("username")) ?? "root@pam",
          ...(fingerprint === undefined ? {} : { fingerprint }),
          ...(nodes.length === 0 ? {} : { nodes }),
        },
      ];
    })
    .slice(0, 100);
}

/** See datastoreKey: the server is its pinned certificate, whatever address it has. */
export function serverIdOf({ fingerprint, server, port }: Pick<PbsStorage, "fingerprint" | "server" | "port">): string {
  const pinned = fingerprint?.replaceAll(":", "").toLowerCase();
  if (pinned !== undefined && /^[0-9a-f]{64}$/.test(pinned)) return pinned.slice(0, 16);
  return createHash("sha256").update(`${server}:${port}`).digest("hex").slice(0, 16);
}
