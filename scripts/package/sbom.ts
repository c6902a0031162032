import { createHash } from "node:crypto";
import { byText } from "#protocol/order.ts";
import type { Contents } from "./contents.ts";
import type { Library } from "./libraries.ts";

/**
 * A software bill of materials, CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), of one Debian package: the libraries whose code is in it, with
 * what the lock file says about each. From the same sources the same bytes.
 */
export type BillOptions = {
  /** Of the Debian package. */
  name: string;
  description: string;
  version: string;
  at: Date;
  contents: Contents;
  /** By folder; one for each in `contents`. */
  libraries: ReadonlyMap<string, Library>;
  locked: ReadonlyMap<string, Locked>;
};

/** A row of package-lock.json. `integrity`: of the registry's tarball, as in `sha512-…`. */
export type Locked = { version: string; integrity?: string; dependencies?: Record<string, string> };

/** A library that is in a package and of which something is not known. */
export class BillError extends Error {}

const purl = (name: string, version: string) => `pkg:npm/${name.replace(/^@/, "%40")}@${version}`;

/** A single licence by its SPDX identifier, or an expression of several. */
const licences = (licence: string) => [/^[\w.+-]+$/.test(licence) ? { license: { id: licence } } : { expression: licence }];

/** Of the tarball in the registry. */
const tarballHash = (integrity: string) => ({
  alg: "SHA-512",
  content: Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex"),
});

function component(folder: string, { libraries, locked, contents }: BillOptions) {
  const library = libraries.get(folder);
  if (library === undefined) throw new BillError(`${folder} is in a package, and nothing is known about it`);
  const { name, version, licence, copyright } = library;
  const lock = locked.get(folder);
  const [, group, bare = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  const files = [...(contents.get(folder)?.files ?? [])].sort(byText);
  return {
    type: "library",
    "bom-ref": refOf(folder, library, lock),
    ...(group === undefined ? {} : { group }),
    name: bare,
    version,
    licenses: licences(licence),
    copyright: copyright.join("; "),
    ...(lock === undefined ? {} : { purl: purl(name, version) }),
    ...(lock?.integrity?.startsWith("sha512-") ? { hashes: [tarballHash(lock.integrity)] } : {}),
    properties: files.map((value) => ({ name: "proven:file", value })),
  };
}

/** One version of a library may be there twice, in folders of two others: the folder tells them apart. */
const refOf = (folder: string, { name, version }: Library, lock: Locked | undefined) =>
  folder === `node_modules/${name}` && lock !== undefined ? purl(name, version) : `${folder}@${version}`;

/** The document's text. @throws BillError */
export function billOfMaterials(options: BillOptions): string {
  const { name, description, version, at, contents, locked } = options;
  const folders = [...contents.keys()].sort(byText);
  const components = folders.map((folder) => component(folder, options));
  const refs = new Map(folders.map((folder, index) => [folder, components[index]?.["bom-ref"] ?? folder]));
  const needed = new Set(folders.flatMap((folder) => [...(contents.get(folder)?.needs ?? [])]));
  const dependsOn = (found: Iterable<string>) => [...found].flatMap((folder) => refs.get(folder) ?? []).sort(byText);
  const dependencies = [
    { ref: name, dependsOn: dependsOn(folders.filter((folder) => !needed.has(folder) || isDirect(folder, locked))) },
    ...folders.map((folder) => ({ ref: refs.get(folder), dependsOn: dependsOn(contents.get(folder)?.needs ?? []) })),
  ];
  const own = {
    type: "application",
    "bom-ref": name,
    name,
    version,
    description,
    licenses: licences("AGPL-3.0-or-later"),
    purl: `pkg:deb/proven/${name}@${encodeURIComponent(version)}`,
  };
  const body = {
    metadata: { timestamp: at.toISOString().replace(".000Z", "Z"), lifecycles: [{ phase: "build" }], component: own },
    components,
    dependencies,
    compositions: [{ aggregate: "complete", assemblies: [name] }],
  };
  const head = { $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", bomFormat: "CycloneDX", specVersion: "1.6" };
  return `${JSON.stringify({ ...head, serialNumber: serialOf(body), version: 1, ...body }, null, 1)}\n`;
}

/** Named in package.json itself. */
function isDirect(folder: string, locked: ReadonlyMap<string, Locked>): boolean {
  return Object.hasOwn(locked.get("")?.dependencies ?? {}, folder.replace(/^node_modules\//, ""));
}

/** A UUID of version 8 (RFC 9562) that follows from the contents. */
function serialOf(body: unknown): string {
  const hex = createHash("sha256").update(JSON.stringify(body)).digest("hex");
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
