import type { GuestView } from "#protocol/api.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { type ChartLine, type ChartSpec, gauge, latency, rate, shownInstances, withoutBand } from "./charts.ts";
import { columnKey, type Grid, meanOf } from "./columns.ts";
import { memorySourceText } from "./guests.ts";
import { pressureChart } from "./pressure-chart.ts";
import type { Translate } from "./text.ts";

type Guest = Pick<GuestView, "entity" | "type" | "memSource">;

/** Charts of a guest's page. What tests of its backups measured comes last, in ranges that hold a test. Latency and operations appear where its drives report them. */
export function guestCharts(guest: Guest, t: Translate): ChartSpec[] {
  return [...computing(guest, t), ...disks(guest, t), ...network(guest, t), ...restoreTests(guest, t)];
}

function computing({ entity, memSource }: Guest, t: Translate): ChartSpec[] {
  const group = t("Processor and memory");
  return [
    {
      id: "cpu",
      group,
      title: t("CPU, share of its own cores"),
      unit: "percent",
      top: 0.1,
      metrics: ["cpu"],
      lines: (grid) => gauge(grid, entity, "cpu", { label: t("in use"), colour: 0, style: "area" }),
    },
    {
      id: "memory",
      group,
      title: t("Memory"),
      unit: "bytes",
      metrics: ["mem_used", "mem_max", "mem_host", "swap_used"],
      lines: (grid) => [
        ...gauge(grid, entity, "mem_used", { label: t(memorySourceText(memSource)), colour: 0, style: "area" }),
        ...gauge(grid, entity, "mem_host", { label: t("cost to the host"), colour: 1, style: "line" }),
        ...gauge(grid, entity, "swap_used", { label: t("swap used"), colour: 2, style: "line" }),
        ...gauge(grid, entity, "mem_max", { label: t("given"), colour: 4, style: "dashed" }).map(withoutBand),
      ],
    },
    pressureChart(entity, group, t),
  ];
}

function disks({ entity, type }: Guest, t: Translate): ChartSpec[] {
  const group = t("Disks");
  const all: ChartSpec = {
    id: "disk",
    group,
    title: t("Disks, all together"),
    unit: "bytesPerSecond",
    metrics: ["disk_read", "disk_written"],
    lines: (grid) => [
      ...rate(grid, entity, "disk_read", { label: t("read"), colour: 0, style: "area" }),
      ...rate(grid, entity, "disk_written", { label: t("written"), colour: 1, style: "line" }),
    ],
  };
  return [all, ...(type === "qemu" ? drives(entity, group, t) : []), fileSystems(entity, group, t)];
}

function drives(entity: string, group: string, t: Translate): ChartSpec[] {
  const pairs = (grid: Grid, lines: (drive: string, read: Style, write: Style) => ChartLine[]) =>
    shownInstances(grid, entity, "drive_writes", () => true, true).flatMap((drive, place) =>
      lines(
        drive,
        { label: t("{drive} read", { drive }), colour: place * 2, style: "line" },
        { label: t("{drive} write", { drive }), colour: place * 2 + 1, style: "line" },
      ),
    );
  return [
    {
      id: "latency",
      group,
      title: t("Latency by drive, mean"),
      unit: "milliseconds",
      metrics: ["drive_read_ns", "drive_reads", "drive_write_ns", "drive_writes"],
      lines: (grid) =>
        pairs(grid, (drive, read, write) => [
          ...latency(grid, entity, drive, ["drive_read_ns", "drive_reads"], 1e-6, read),
          ...latency(grid, entity, drive, ["drive_write_ns", "drive_writes"], 1e-6, write),
        ]),
    },
    {
      id: "operations",
      group,
      title: t("Operations by drive"),
      unit: "perSecond",
      metrics: ["drive_reads", "drive_writes"],
      lines: (grid) =>
        pairs(grid, (drive, read, write) => [
          ...rate(grid, entity, "drive_reads", read, { instance: drive }),
          ...rate(grid, entity, "drive_writes", write, { instance: drive }),
        ]),
    },
    {
      id: "throughput",
      group,
      title: t("Throughput by drive"),
      unit: "bytesPerSecond",
      metrics: ["drive_read", "drive_written"],
      lines: (grid) =>
        pairs(grid, (drive, read, write) => [
          ...rate(grid, entity, "drive_read", read, { instance: drive }),
          ...rate(grid, entity, "drive_written", write, { instance: drive }),
        ]),
    },
  ];
}

type Style = Pick<ChartLine, "label" | "colour" | "style">;

function fileSystems(entity: string, group: string, t: Translate): ChartSpec {
  return {
    id: "filesystems",
    group,
    title: t("File systems, share used"),
    unit: "percent",
    top: 1,
    metrics: ["fs_used", "fs_total"],
    lines: (grid) =>
      shownInstances(grid, entity, "fs_used").flatMap((path, colour) => {
        const total = meanOf(grid.columns.get(columnKey(entity, "fs_total", path, "avg")) ?? []);
        if (total === undefined || total <= 0) return [];
        return gauge(grid, entity, "fs_used", { label: path, colour, style: "line" }, { factor: 1 / total, instance: path });
      }),
  };
}

function network({ entity }: Guest, t: Translate): ChartSpec[] {
  const group = t("Network");
  return [
    {
      id: "network",
      group,
      title: t("Network"),
      unit: "bytesPerSecond",
      metrics: ["net_in", "net_out"],
      lines: (grid) => [
        ...rate(grid, entity, "net_in", { label: t("into the guest"), colour: 0, style: "area" }),
        ...rate(grid, entity, "net_out", { label: t("out of the guest"), colour: 1, style: "line" }),
      ],
    },
    {
      id: "nics",
      group,
      title: t("Network by NIC"),
      unit: "bytesPerSecond",
      metrics: ["nic_in", "nic_out"],
      lines: (grid) => {
        const nics = shownInstances(grid, entity, "nic_in", () => true, true);
        // One NIC is the whole network, which has its chart.
        if (nics.length < 2) return [];
        return nics.flatMap((nic, place) => [
          ...rate(grid, entity, "nic_in", { label: t("{nic} in", { nic }), colour: place * 2, style: "line" }, { instance: nic }),
          ...rate(
            grid,
            entity,
            "nic_out",
            { label: t("{nic} out", { nic }), colour: place * 2 + 1, style: "line" },
            { instance: nic },
          ),
        ]);
      },
    },
  ];
}

/** One value a test, so dots; the mean of several within a step. */
function restoreTests({ entity }: Guest, t: Translate): ChartSpec[] {
  const group = t("Restore tests");
  const dots = (grid: Grid, metric: MetricName, label: string, colour: number) =>
    gauge(grid, entity, metric, { label, colour, style: "dots" }).map(withoutBand);
  return [
    {
      id: "restore-time",
      group,
      title: t("How long a restore test took"),
      unit: "seconds",
      metrics: ["restore_duration", "restore_heartbeat", "restore_service"],
      lines: (grid) => [
        ...dots(grid, "restore_duration", t("the whole test"), 0),
        ...dots(grid, "restore_heartbeat", t("from start to the first sign of life"), 1),
        ...dots(grid, "restore_service", t("from start to working services"), 2),
      ],
    },
    {
      id: "restore-speed",
      group,
      title: t("Restore speed, and sequential reads inside"),
      unit: "bytesPerSecond",
      metrics: ["restore_speed", "restore_sequential_read"],
      lines: (grid) => [
        ...dots(grid, "restore_speed", t("restore"), 0),
        ...dots(grid, "restore_sequential_read", t("sequential reads"), 1),
      ],
    },
    {
      id: "restore-random",
      group,
      title: t("Random reads inside, 4 KiB"),
      unit: "perSecond",
      metrics: ["restore_random_read"],
      lines: (grid) => dots(grid, "restore_random_read", t("random reads"), 0),
    },
  ];
}
