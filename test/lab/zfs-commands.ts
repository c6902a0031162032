import type { Command } from "./commands.ts";
import { lastScrub } from "./hardware.ts";
import { hash32 } from "./random.ts";
import { readPool } from "./storage-reading.ts";

/**
 * `zpool` and `zfs` of OpenZFS 2.3 for the one pool `tank`, a mirror. JSON as its manual pages and cmd/zpool/zpool_main.c have it; output of
 * a real node was never seen. A SUSPENDED pool still lists.
 */

type Json = Record<string, unknown>;

const version = (command: string): Json => ({ command, vers_major: 0, vers_minor: 1 });
const guid = (text: string) => `${hash32(text)}${hash32(`${text} low`)}`;

/** Flags taken from argv, with the values of those that have one; undefined: one of them is not known. */
function takeFlags(argv: readonly string[], plain: string, long: readonly string[], valued = "") {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] as string;
    if (arg.startsWith("--")) {
      if (!long.includes(arg)) return { bad: arg } as const;
      flags.add(arg);
    } else if (arg.startsWith("-")) {
      for (const [place, letter] of [...arg.slice(1)].entries()) {
        if (valued.includes(letter)) {
          const attached = arg.slice(place + 2);
          values.set(letter, attached === "" ? (argv[++i] ?? "") : attached);
          break;
        }
        if (!plain.includes(letter)) return { bad: letter } as const;
        flags.add(letter);
      }
    } else rest.push(arg);
  }
  return { bad: undefined, flags, values, rest } as const;
}

const invalid = (option: string, usage: string) => ({
  code: 2,
  stdout: "",
  stderr: `invalid option '${option}'\nusage:\n${usage}\n`,
});

/** Sizes as zpool prints them without -p: 3.63T. */
function human(bytes: number): string {
  const units = ["B", "K", "M", "G", "T", "P"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0
    ? `${value}B`
    : `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}${units[unit]}`;
}

type PoolColumns = Record<string, string | number>;

function poolColumns(context: Parameters<Command>[0]): PoolColumns {
  const { size, allocated, free, fragmentation, health } = readPool(context.world, context.node, context.at);
  return {
    name: "tank",
    size,
    allocated,
    alloc: allocated,
    free,
    checkpoint: "-",
    expandsize: "-",
    fragmentation: Math.round(fragmentation * 100),
    frag: Math.round(fragmentation * 100),
    capacity: Math.floor((allocated / size) * 100),
    cap: Math.floor((allocated / size) * 100),
    dedupratio: "1.00",
    dedup: "1.00",
    health,
    altroot: "-",
  };
}

const sizes = new Set(["size", "allocated", "alloc", "free"]);
const defaultColumns = "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot";

function listJson(context: Parameters<Command>[0], ints: boolean, exact: boolean): string {
  const columns = poolColumns(context);
  const names = defaultColumns.split(",").filter((column) => column !== "name");
  const properties = Object.fromEntries(
    names.map((column) => {
      const raw = columns[column] as string | number;
      const numeric = typeof raw === "number";
      const shown = sizes.has(column) && !exact && !ints ? human(Number(raw)) : String(raw);
      const value = numeric && ints ? raw : !numeric || ints || exact || sizes.has(column) ? shown : `${shown}%`;
      return [column, { value, source: { type: "NONE", data: "-" } }];
    }),
  );
  const pool = {
    name: "tank",
    type: "POOL",
    state: columns.health,
    pool_guid: guid(`${context.node.spec.name} tank`),
    txg: ints ? 4_211_009 : "4211009",
    spa_version: ints ? 5000 : "5000",
    zpl_version: ints ? 5 : "5",
    properties,
  };
  return `${JSON.stringify({ output_version: version("zpool list"), pools: { tank: pool } })}\n`;
}

function list(context: Parameters<Command>[0], argv: readonly string[]) {
  const usage =
    "\tlist [-gHLpPv] [-o property[,...]] [-j [--json-int, --json-pool-key-guid]] ...\n\t    [-T d|u] [pool] [interval [count]]";
  const parsed = takeFlags(argv, "gHLpPvj", ["--json-int", "--json-pool-key-guid"], "oT");
  if (parsed.bad !== undefined) return invalid(parsed.bad, usage);
  const { flags, values, rest } = parsed;
  if (rest.some((pool) => pool !== "tank")) return { code: 1, stdout: "", stderr: `cannot open '${rest[0]}': no such pool\n` };
  if (flags.has("j")) return { code: 0, stdout: listJson(context, flags.has("--json-int"), flags.has("p")), stderr: "" };
  const columns = poolColumns(context);
  const wanted = (values.get("o") ?? defaultColumns).split(",");
  const unknown = wanted.find((column) => !(column in columns));
  if (unknown !== undefined) return { code: 2, stdout: "", stderr: `bad property list: invalid property '${unknown}'\n` };
  const exact = flags.has("p");
  const cell = (column: string) => {
    const value = columns[column] as string | number;
    if (sizes.has(column) && !exact) return human(Number(value));
    return typeof value === "number" && !sizes.has(column) && !exact ? `${value}%` : String(value);
  };
  const line = wanted.map(cell).join(flags.has("H") ? "\t" : "  ");
  const head = flags.has("H") ? "" : `${wanted.map((column) => column.toUpperCase()).join("  ")}\n`;
  return { code: 0, stdout: `${head}${line}\n`, stderr: "" };
}

/** `scan_status_nvlist` in cmd/zpool/zpool_main.c: what the newest scrub did. */
function scanStats(at: number, number: (value: number) => string | number): Json {
  const { startSec, endSec } = lastScrub(at);
  return {
    function: "SCRUB",
    state: "FINISHED",
    start_time: number(startSec),
    end_time: number(endSec),
    to_examine: number(1_600_000_000_000),
    examined: number(1_600_000_000_000),
    skipped: number(0),
    processed: number(0),
    errors: number(0),
    scrub_pause: number(0),
  };
}

function status(context: Parameters<Command>[0], argv: readonly string[]) {
  const usage =
    "\tstatus [-dDegiLPpstvx] [-c script1[,script2,...]] ...\n\t    [-j|--json [--json-flat-vdevs | --json-int | ...\n\t    --json-pool-key-guid]] ...\n\t    [-T d|u] [--power] [pool] [interval [count]]";
  const parsed = takeFlags(argv, "dDegiLPpstvxj", ["--json", "--json-int", "--json-flat-vdevs", "--json-pool-key-guid"], "cT");
  if (parsed.bad !== undefined) return invalid(parsed.bad, usage);
  const { flags } = parsed;
  const { health, readErrors, writeErrors, checksumErrors } = readPool(context.world, context.node, context.at);
  const disks = context.node.spec.disks
    .filter(({ kind }) => kind === "nvme")
    .map(({ model, serial }) => `nvme-${model.replaceAll(" ", "_")}_${serial}`);
  const ints = flags.has("--json-int");
  const number = (value: number) => (ints ? value : String(value));
  // A degraded mirror has lost its second disk; errors are counted where they happened.
  const vdev = (name: string, type: string, errors: number, state: string, children?: Json): Json => ({
    name,
    vdev_type: type,
    guid: guid(name),
    class: "normal",
    state,
    ...(children === undefined ? {} : { vdevs: children }),
    read_errors: number(type === "root" ? readErrors : 0),
    write_errors: number(type === "root" ? writeErrors : 0),
    checksum_errors: number(errors),
  });
  if (!flags.has("j") && !flags.has("--json")) {
    const rows = [
      `\ttank  ${health} ${readErrors} ${writeErrors} 0`,
      `\t  mirror-0  ${health} 0 0 0`,
      ...disks.map((disk, index) => `\t    ${disk}  ${index === 1 ? health : "ONLINE"} 0 0 ${index === 1 ? checksumErrors : 0}`),
    ];
    return {
      code: 0,
      stdout: `  pool: tank\n state: ${health}\nconfig:\n\n\tNAME STATE READ WRITE CKSUM\n${rows.join("\n")}\n\nerrors: No known data errors\n`,
      stderr: "",
    };
  }
  const leaves = disks.map((disk, index) => [
    disk,
    vdev(disk, "disk", index === 1 ? checksumErrors : 0, index === 1 ? health : "ONLINE"),
  ]);
  const mirror = vdev("mirror-0", "mirror", 0, health, Object.fromEntries(leaves));
  const pool = {
    name: "tank",
    state: health,
    pool_guid: guid(`${context.node.spec.name} tank`),
    txg: number(4_211_009),
    spa_version: number(5000),
    zpl_version: number(5),
    vdevs: { tank: vdev("tank", "root", 0, health, { "mirror-0": mirror }) },
    error_count: number(0),
    scan_stats: scanStats(context.at, number),
  };
  return {
    code: 0,
    stdout: `${JSON.stringify({ output_version: version("zpool status"), pools: { tank: pool } })}\n`,
    stderr: "",
  };
}

export const zpool: Command = (context, [verb, ...argv]) => {
  if (verb === "list") return list(context, argv);
  if (verb === "status") return status(context, argv);
  if (verb === "version") return { code: 0, stdout: "zfs-2.3.4-pve1\nzfs-kmod-2.3.4-pve1\n", stderr: "" };
  return { code: 2, stdout: "", stderr: verb === undefined ? "missing command\n" : `unrecognized command '${verb}'\n` };
};

/** `zfs list -j`: the pool's root data set and one per guest volume on it. */
export const zfs: Command = (context, [verb, ...argv]) => {
  if (verb !== "list") return { code: 2, stdout: "", stderr: `unrecognized command '${verb ?? ""}'\n` };
  const parsed = takeFlags(argv, "rHpj", ["--json-int"], "otdsS");
  if (parsed.bad !== undefined)
    return invalid(
      parsed.bad,
      "\tlist [-dH] [-p] [-j [--json-int]] [-o property[,...]] [-s property] [filesystem|volume|snapshot] ...",
    );
  const { allocated, free } = readPool(context.world, context.node, context.at);
  const guests = context.world.guestsOn(context.node.spec.name, context.at).flatMap(({ guest }) =>
    guest.life.spec.drives
      .filter(({ storage }) => storage === "local-zfs")
      .map((drive, index) => ({
        name: `tank/${guest.life.spec.type === "lxc" ? "subvol" : "vm"}-${guest.life.spec.vmid}-disk-${index}`,
        type: guest.life.spec.type === "lxc" ? "FILESYSTEM" : "VOLUME",
        used: Math.floor(drive.sizeBytes * 0.4),
      })),
  );
  const sets = [{ name: "tank", type: "FILESYSTEM", used: allocated }, ...guests];
  if (!parsed.flags.has("j")) {
    return {
      code: 0,
      stdout: sets.map(({ name, used }) => `${name}\t${used}\t${free}\t${used}\t/${name}\n`).join(""),
      stderr: "",
    };
  }
  const ints = parsed.flags.has("--json-int");
  const property = (value: number) => ({ value: ints ? value : String(value), source: { type: "NONE", data: "-" } });
  const datasets = Object.fromEntries(
    sets.map(({ name, type, used }) => [
      name,
      { name, type, pool: "tank", properties: { used: property(used), available: property(free), referenced: property(used) } },
    ]),
  );
  return { code: 0, stdout: `${JSON.stringify({ output_version: version("zfs list"), datasets })}\n`, stderr: "" };
};
