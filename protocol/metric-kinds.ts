import type { EntityKind } from "./ids.ts";

/** What a row of the catalogue says; metrics.ts puts the rows together. */

/**
 * Units as stored. `ratio`: 0 … 1 (a guest's cpu: of its own cores, may exceed 1). `percent`: 0 … 100, as the kernel's PSI says it.
 * `code`: a number of the table named in the help text. What ends in `/s` was measured as a speed: a counter's rate is made when reading.
 */
export type Unit =
  | "ratio"
  | "percent"
  | "bytes"
  | "bytes/s"
  | "operations/s"
  | "seconds"
  | "milliseconds"
  | "nanoseconds"
  | "count"
  | "operations"
  | "celsius"
  | "bool"
  | "code";

/**
 * What `instance` names: a virtual drive (`scsi0`), a NIC (`net0`, `eno1`), a block device (`sda`), a mount point (`/`), a temperature
 * (`k10temp/Tctl`), a certificate's file (`pve-ssl.pem`), a replication job (`100-0`), a namespace of a datastore (`/` the root, `pve/archive`).
 */
export type InstanceKind = "drive" | "nic" | "disk" | "filesystem" | "sensor" | "certificate" | "replication" | "namespace";

export type Metric = {
  /** Stored for ever with the series: never change it and never use it again. */
  id: number;
  name: string;
  entity: EntityKind;
  instance?: InstanceKind;
  unit: Unit;
  /** A counter grows until its source restarts; it is stored as it is, rates are made when reading. */
  kind: "gauge" | "counter";
  /** The store holds integers: value × scale, rounded. */
  scale: number;
  /** Name in the Prometheus exposition where prometheus-pve-exporter has one, or ours of old; else `proven_<entity>_<name>` with its base unit (hub/core/prometheus-names.ts). */
  prometheus?: string;
  help: string;
};

export const ratio = { unit: "ratio", kind: "gauge", scale: 10_000 } as const;
export const percent = { unit: "percent", kind: "gauge", scale: 100 } as const;
export const bytes = { unit: "bytes", kind: "gauge", scale: 1 } as const;
export const byteCounter = { unit: "bytes", kind: "counter", scale: 1 } as const;
export const operations = { unit: "operations", kind: "counter", scale: 1 } as const;
// Kept in µs: summed latencies of a busy drive pass 2^53 ns within months.
export const nanoseconds = { unit: "nanoseconds", kind: "counter", scale: 0.001 } as const;
export const seconds = { unit: "seconds", kind: "gauge", scale: 1 } as const;
export const count = { unit: "count", kind: "gauge", scale: 1 } as const;
export const celsius = { unit: "celsius", kind: "gauge", scale: 10 } as const;
export const countUp = { unit: "count", kind: "counter", scale: 1 } as const;
export const bool = { unit: "bool", kind: "gauge", scale: 1 } as const;
export const code = { unit: "code", kind: "gauge", scale: 1 } as const;
