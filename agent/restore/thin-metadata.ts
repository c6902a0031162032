import { parseSectionConfig } from "../sources/cluster-config.ts";
import { readText } from "../sources/files.ts";
import { lvsArguments, parseLvs, type Thinpool } from "../sources/thinpools.ts";
import type { RestorePorts } from "./ports.ts";

/** Beyond it a pool is close to where the kernel stops it, and every guest on it. */
const metadataMost = 0.9;

/** LVM reckons 64 bytes of metadata for each chunk of data (lvm2 lib/metadata/thin_manip.c), and none is smaller than 64 KiB. */
const dataPerMetadata = 65_536 / 64;

/**
 * Why a storage on an LVM-thin pool must not take so many bytes; undefined: it can, or is none. PVE tells how much data is free, and nothing of the
 * metadata: it grows with what is written, and what has none of it left takes production along.
 */
export async function thinMetadataProblem(
  { run, root }: Pick<RestorePorts, "run" | "root">,
  storage: string,
  bytes: number,
): Promise<string | undefined> {
  const config = await readText(root)("/etc/pve/storage.cfg");
  const section = config.ok ? parseSectionConfig(config.text).find(({ id }) => id === storage) : undefined;
  if (section?.type !== "lvmthin") return undefined;
  const [vg, lv] = [section.keys.get("vgname"), section.keys.get("thinpool")];
  const listed = await run("lvs", lvsArguments, { timeoutMs: 30_000, maxBytes: 8 << 20 });
  const pool = listed.ok ? parseLvs(listed.stdout)?.find((one) => one.vg === vg && one.lv === lv) : undefined;
  if (pool === undefined) return `How full the metadata of ${storage} is can't be read${listed.ok ? "" : `: ${listed.problem}`}`;
  return metadataProblem(storage, pool, bytes);
}

/**
 * It is taken to grow as it did with what is there, and by no more than its format can: of a pool that is nearly empty most of what is used is not for
 * its data. Unknown figures count as full.
 */
export function metadataProblem(storage: string, pool: Thinpool, bytes: number): string | undefined {
  const { vg, lv, size, data, metadata, metadataSize } = pool;
  const asBefore = data > 0 ? (bytes / size) * (metadata / data) : Number.POSITIVE_INFINITY;
  const most = metadataSize > 0 ? bytes / dataPerMetadata / metadataSize : Number.POSITIVE_INFINITY;
  const after = metadata + Math.min(asBefore, most);
  if (after <= metadataMost) return undefined;
  return `${storage} lies on the thin pool ${vg}/${lv}, whose metadata is ${percent(metadata)} full and would be ${percent(after)}: a pool without any stops all of its guests`;
}

const percent = (share: number) => (Number.isFinite(share) ? `${Math.round(share * 100)} %` : "nobody knows how");
