/** A test that failed. `file`: absolute path of the file that holds it; undefined where the runner doesn't tell it. */
export type Failure = { name: string; file: string | undefined };

/** Reads the TAP stream of one run: passes are counted only, failures and diagnostics are shown as they come. */
export class TapReader {
  readonly failures: Failure[] = [];
  readonly skipped: string[] = [];
  readonly totals: string[] = [];
  #rest = "";
  /** The lines of a failure are shown up to the next result. */
  #showing = false;

  constructor(private readonly show: (line: string) => void) {}

  read(chunk: string): void {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(line);
  }

  #readLine(line: string): void {
    const result = /^\s*(not )?ok \d+ - (.*?)(?: # (SKIP|TODO)\b ?(.*))?$/.exec(line);
    if (result !== null) {
      this.#readResult(line, result);
      return;
    }
    const location = /^\s*location: '(.+):\d+:\d+'$/.exec(line)?.[1];
    const newest = this.failures.at(-1);
    if (this.#showing && location !== undefined && newest !== undefined) newest.file ??= location;
    if (/^# (tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(line)) this.totals.push(line);
    else if (this.#showing || (/^\s*# /.test(line) && !/^\s*# Subtest/.test(line))) this.show(line);
  }

  #readResult(line: string, [, not, name = "", directive, reason]: RegExpExecArray): void {
    this.#showing = not !== undefined && directive === undefined;
    if (directive !== undefined) this.skipped.push(`${name}: ${reason === "" ? "no reason given" : reason}`);
    if (!this.#showing) return;
    this.failures.push({ name, file: undefined });
    this.show(line);
  }
}

/**
 * Test files to run once more; none where that could not try every failure again: one whose file isn't told, or that stands in a helper which
 * several test files share. Nor where so much fails that it isn't chance.
 */
export function worthAnotherRun(failures: readonly Failure[], testFiles: readonly string[]): string[] {
  const failed = new Set(failures.map(({ file }) => file));
  const again = [...failed].filter((file) => file !== undefined).filter((file) => testFiles.includes(file));
  return again.length === failed.size && failed.size <= 6 ? again : [];
}
