import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A directory of its own for a test, removed with all that is in it when the test ends. */
export function temporaryDir(t: Pick<TestContext, "after">): string {
  const dir = mkdtempSync(join(tmpdir(), "proven-test-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
