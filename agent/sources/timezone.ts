import { readlinkSync } from "node:fs";
import { join } from "node:path";
import type { NowReader } from "./files.ts";

const namePattern = /^[A-Za-z0-9_+\-/]{1,64}$/;

/**
 * The timezone that the node's calendars are in, as IANA names it; undefined: it can't be told. What `/etc/localtime` points at is what libc
 * and with it pvescheduler go by; else `/etc/timezone`, which PVE reads and writes (pve-common `PVE/INotify.pm` read_etc_timezone).
 */
export function readTimezone(root: string, files: Pick<NowReader, "tryRead">): string | undefined {
  const linked = linkTarget(join(root, "/etc/localtime"))?.split("/zoneinfo/")[1];
  const name = linked ?? files.tryRead("/etc/timezone")?.trim();
  return name !== undefined && namePattern.test(name) ? name : undefined;
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
