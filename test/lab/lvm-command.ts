import type { Command } from "./commands.ts";
import { readThinpool } from "./hardware.ts";

/** `lvs`/`vgs --reportformat json --units b --nosuffix -o …`: all values are strings (LVM's json report). Never seen from a real node. */

type Row = Record<string, string>;

function volumes({ world, node, at }: Parameters<Command>[0]): Row[] {
  const thin = readThinpool(world, node, at);
  const row = (values: Row): Row => ({
    vg_name: "pve",
    lv_name: "",
    lv_size: "0",
    lv_attr: "-wi-ao----",
    pool_lv: "",
    data_percent: "",
    metadata_percent: "",
    snap_percent: "",
    lv_metadata_size: "",
    ...values,
  });
  const pool = row({
    lv_name: "data",
    lv_size: String(thin.size),
    lv_attr: "twi-aotz--",
    data_percent: thin.dataPercent,
    metadata_percent: thin.metadataPercent,
    lv_metadata_size: String(thin.metadataSize),
  });
  const guests = world.guestsOn(node.spec.name, at).flatMap(({ guest }) =>
    guest.life.spec.drives
      .filter((drive) => drive.storage === "local-lvm")
      .map((drive, index) =>
        row({
          lv_name: `vm-${guest.life.spec.vmid}-disk-${index}`,
          lv_size: String(drive.sizeBytes),
          lv_attr: "Vwi-aotz--",
          pool_lv: "data",
          data_percent: "41.20",
        }),
      ),
  );
  return [
    pool,
    row({ lv_name: "root", lv_size: String(node.spec.rootBytes) }),
    row({ lv_name: "swap", lv_size: String(node.spec.swapBytes) }),
    ...guests,
  ];
}

function groups({ node }: Parameters<Command>[0]): Row[] {
  const disk = node.spec.disks.find(({ name }) => name === "sda")?.sizeBytes ?? 0;
  return [
    {
      vg_name: "pve",
      vg_size: String(disk - 2 ** 30),
      vg_free: String(16 * 2 ** 30),
      lv_count: "3",
      pv_count: "1",
      vg_attr: "wz--n-",
    },
  ];
}

export const lvm =
  (name: "lvs" | "vgs"): Command =>
  (context, argv) => {
    let wanted: string[] | undefined;
    for (let i = 0; i < argv.length; i++) {
      const arg = argv[i] as string;
      if (arg === "--nosuffix" || arg === "--noheadings") continue;
      const value = argv[++i];
      if (arg === "-o" || arg === "--options") wanted = value?.split(",");
      else if (!["--reportformat", "--units"].includes(arg)) {
        return {
          code: 3,
          stdout: "",
          stderr: `  ${name}: unrecognized option '${arg}'\n  Error during parsing of command line.\n`,
        };
      }
    }
    const rows = name === "lvs" ? volumes(context) : groups(context);
    const columns = wanted ?? Object.keys(rows[0] ?? {});
    const unknown = columns.find((column) => rows[0] !== undefined && !(column in rows[0]));
    if (unknown !== undefined) return { code: 5, stdout: "", stderr: `  Unrecognised field: ${unknown}\n` };
    const report = rows.map((row) => Object.fromEntries(columns.map((column) => [column, row[column]])));
    return {
      code: 0,
      stdout: `${JSON.stringify({ report: [{ [name === "lvs" ? "lv" : "vg"]: report }] }, null, 2)}\n`,
      stderr: "",
    };
  };
