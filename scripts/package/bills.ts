import { join } from "node:path";
import { type Architecture, addonPackage } from "./addon.ts";
import type { Release } from "./changelog.ts";
import type { Contents } from "./contents.ts";
import { addonLibraries, type Library, lockedLibraries, readLibrary } from "./libraries.ts";
import { billOfMaterials } from "./sbom.ts";

const descriptions = {
  "proven-agent": "Proven's agent for a Proxmox VE node",
  "proven-hub": "Proven's hub: history, alerts and proofs of Proxmox VE clusters",
  "proven-pve-ui": "Proven inside the web UI of Proxmox VE",
} as const;
export type PackageName = keyof typeof descriptions;

/** Where lmdb's addon is installed. */
export const addonPath = "lmdb/build/Release/lmdb.node";

/** Adds the addon of this architecture, which lmdb loads, and the C libraries that it was made of. */
export function addAddon(contents: Contents, architecture: Architecture, installed: string): void {
  const folder = `node_modules/${addonPackage(architecture)}`;
  const parts = [...addonLibraries().keys()];
  const files = new Set([`${installed}/${addonPath}`]);
  contents.get("node_modules/lmdb")?.needs.add(folder);
  contents.set(folder, { files, needs: new Set(parts) });
  for (const part of parts) contents.set(part, { files, needs: new Set() });
}

/** The bill of materials of each package, by the path below the folder for them. */
export function billsOfMaterials(packages: Record<PackageName, Contents>, release: Release): Map<string, string> {
  const locked = lockedLibraries();
  const ofAddon = addonLibraries();
  const read = (folder: string): Library => {
    const known = ofAddon.get(folder);
    if (known !== undefined) return known;
    if (!folder.startsWith("node_modules/@lmdb/")) return readLibrary(folder);
    // Another architecture's is not installed: it is lmdb, compiled.
    const name = folder.slice("node_modules/".length);
    return { ...readLibrary("node_modules/lmdb"), name, version: locked.get(folder)?.version ?? "unknown" };
  };
  return new Map(
    Object.entries(packages).map(([name, contents]) => {
      const libraries = new Map([...contents.keys()].map((folder) => [folder, read(folder)]));
      const description = descriptions[name as PackageName];
      const text = billOfMaterials({ name, description, ...release, contents, libraries, locked });
      return [join("sbom", name, "sbom.cdx.json"), text];
    }),
  );
}
