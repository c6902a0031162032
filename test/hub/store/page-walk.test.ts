import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pageSize, walkPages } from "../../../hub/store/page-walk.ts";
import { agentOf, day0, guest, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

/** Walks a file as if it ended `cut` pages earlier. */
function walk(file: string, cut = 0): string | undefined {
  const descriptor = openSync(file, "r");
  try {
    return walkPages(fstatSync(descriptor).size - cut * pageSize, (page) => {
      const bytes = Buffer.alloc(pageSize);
      return bytes.subarray(0, readSync(descriptor, bytes, 0, pageSize, page * pageSize));
    });
  } finally {
    closeSync(descriptor);
  }
}

test("a store is whole after each of many commits, though its file may be shorter than LMDB once planned; cut in half it is not", async () => {
  const store = new TestStore(join(dir, "store"));
  const agent = new TestAgent(store, agentOf("pve1"));
  const guests = [100, 101, 102].map((vmid) => ({ entity: { key: guest(vmid), identity: [] }, metric: "cpu" as const }));
  void agent.declare(schemaOf(guests));
  const file = join(store.dir, "data.mdb");
  for (let i = 0; i < 1500; i++) {
    const at = day0 + i * 10_000;
    store.clock = at;
    void agent.frame(at, [i, (i * 7919) % 1009, i % 3]);
    if (i % 25 !== 0) continue;
    await store.commit();
    assert.equal(walk(file), undefined);
    await store.settle();
    assert.equal(walk(file), undefined);
  }
  await store.hub.close();
  assert.equal(walk(file), undefined);
  assert.equal(walk(file, Math.floor(statSync(file).size / pageSize / 2)), "data.mdb is cut off");
});

test("a file that ends in its first pages is cut off, and one of other bytes is no LMDB file", () => {
  for (const pages of [0, 1]) {
    const read = (page: number) => Buffer.alloc(page < pages ? pageSize : 0);
    assert.equal(walkPages(pages * pageSize, read), "data.mdb is cut off", `${pages} pages`);
  }
  assert.equal(
    walkPages(2 * pageSize, () => Buffer.alloc(pageSize)),
    "data.mdb is no LMDB file",
  );
});
