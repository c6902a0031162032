import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeName } from "#protocol/ids.ts";
import { noAnswer } from "../../../agent/pve/answer.ts";
import type { PveApi } from "../../../agent/pve/api.ts";
import { BackupGuests } from "../../../agent/sources/backup-guests.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const node = "pve1" as NodeName;
const backup = (vmid: number, at: number) => ({ volid: `nfs1:backup/vzdump-qemu-${vmid}.vma.zst`, type: "qemu" as const, at });

test("an archive that PVE can't look into in time holds up no other, and is not asked for again and again", async (t) => {
  const clock = new FakeClock(Date.UTC(2026, 0, 5));
  const asked: string[] = [];
  const get: PveApi["get"] = async (_, params = {}) => {
    const volid = String(params.volume);
    asked.push(/qemu-(\d+)/.exec(volid)?.[1] ?? volid);
    return volid.includes("-101.") ? noAnswer("no answer within 15000 ms") : { ok: true, data: "smbios1: uuid=A\n" };
  };
  const guests = new BackupGuests(temporaryDir(t), { get } as PveApi, clock);
  const backups = [backup(100, 1000), backup(101, 3000), backup(102, 2000)];
  const look = () => guests.look(node, backups, 30_000);
  assert.equal(await look(), true);
  assert.equal(await look(), true);
  assert.deepEqual(asked, ["101", "102", "100", "101"], "the newest first, and what came too late after all others");
  assert.equal(await look(), false);
  assert.equal(asked.length, 4);
  assert.deepEqual(guests.of(backups[0]?.volid ?? ""), ["uuid:a"]);
});

test("archives that came to nothing while PVE hung are looked into hours later", async (t) => {
  const clock = new FakeClock(Date.UTC(2026, 0, 5));
  let [asked, hangs] = [0, true];
  const get: PveApi["get"] = async () => {
    asked++;
    return hangs ? noAnswer("no answer within 15000 ms") : { ok: true, data: "smbios1: uuid=a\n" };
  };
  const guests = new BackupGuests(temporaryDir(t), { get } as PveApi, clock);
  const backups = [backup(100, 1000)];
  const look = () => guests.look(node, backups, 30_000);
  await look();
  await look();
  hangs = false;
  assert.deepEqual([await look(), asked], [false, 2], "left alone");
  await clock.advance(6 * 3_600_000);
  assert.deepEqual([await look(), asked], [false, 3]);
  assert.deepEqual(guests.of(backups[0]?.volid ?? ""), ["uuid:a"]);
});

test("a daemon that does not answer at all is asked again later", async (t) => {
  const clock = new FakeClock(Date.UTC(2026, 0, 5));
  let asked = 0;
  const get: PveApi["get"] = async () => {
    asked++;
    return noAnswer("ECONNREFUSED");
  };
  const guests = new BackupGuests(temporaryDir(t), { get } as PveApi, clock);
  for (let i = 0; i < 5; i++) assert.equal(await guests.look(node, [backup(100, 1000)], 30_000), true);
  assert.equal(asked, 5);
});
