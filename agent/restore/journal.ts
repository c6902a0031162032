import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { errorCode } from "../core/error.ts";
import {
  foldJournal,
  type JournalEntry,
  type OperationState,
  owesCleaning,
  parseJournal,
  printEntry,
  takeEntry,
} from "../core/restore/journal.ts";
import { readIfThere } from "../private-file.ts";
import { syncFolder } from "../sync-folder.ts";

const idPattern = /^[0-9a-f-]{36}$/;
const namePattern = /^([0-9a-f-]{36})\.(?:jsonl|done)$/;
/** Beyond this only what cleaning up needs is written: an operation that repeats itself must not fill the disk. */
const journalMaxBytes = 4 << 20;
/** Operations that are kept after the hub has their result. */
const keptOperations = 200;
const keptMs = 60 * 86_400_000;

const isEssential = ({ entry }: JournalEntry) => entry !== "step" && entry !== "check";

/** The journals of all operations, one file each below `<state>/operations`. */
export class Journals {
  constructor(private readonly dir: string) {}

  /** Newest last. Files that aren't journals are none of ours. */
  ids(): string[] {
    try {
      return readdirSync(this.dir)
        .flatMap((name) => namePattern.exec(name)?.[1] ?? [])
        .map((id) => ({ id, at: statSync(this.path(id), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
        .sort((a, b) => a.at - b.at)
        .map(({ id }) => id);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return [];
      throw error;
    }
  }

  /** Undefined: there is none, or nothing was begun. */
  read(id: string): OperationState | undefined {
    if (!idPattern.test(id)) return undefined;
    try {
      return foldJournal(id, parseJournal(readFileSync(this.path(id), "utf8")));
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** All that can be read, newest last. */
  all(): { id: string; state: OperationState }[] {
    return this.ids().flatMap((id) => {
      const state = this.read(id);
      return state === undefined ? [] : [{ id, state }];
    });
  }

  open(id: string): Journal {
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    return new Journal(id, this.path(id), this.dir);
  }

  /** Removes what is told, acknowledged and old. A journal that a guest still depends on stays whatever its age. */
  prune(now: number): void {
    const done = this.all().filter(({ state }) => state.seen && state.result !== undefined && !owesCleaning(state));
    const tooMany = done.slice(0, Math.max(0, done.length - keptOperations));
    for (const { id } of [...tooMany, ...done.filter(({ state }) => now - state.startedAt > keptMs)])
      rmSync(this.path(id), { force: true });
  }

  /** Told and cleared away: its name says that nobody has to look into it when the agent starts. */
  shelve(id: string): void {
    renameSync(this.path(id), join(this.dir, `${id}.done`));
  }

  private path(id: string): string {
    const done = join(this.dir, `${id}.done`);
    return existsSync(done) ? done : join(this.dir, `${id}.jsonl`);
  }
}

/** One operation's journal: what `append` has returned from is on the disk. */
export class Journal {
  private bytes: number;
  private known: OperationState | undefined;

  constructor(
    readonly id: string,
    private readonly path: string,
    private readonly dir: string,
  ) {
    const content = this.mend();
    this.bytes = Buffer.byteLength(content);
    this.known = foldJournal(id, parseJournal(content));
  }

  /** Undefined before the start was written. */
  get state(): OperationState | undefined {
    return this.known;
  }

  append(entry: JournalEntry): void {
    const line = printEntry(entry);
    if (this.bytes + line.length > journalMaxBytes && !isEssential(entry)) {
      this.known = takeEntry(this.id, this.known, entry);
      return;
    }
    this.write(line);
    if (this.bytes === 0) syncFolder(this.dir);
    this.bytes += Buffer.byteLength(line);
    this.known = takeEntry(this.id, this.known, entry);
  }

  /** A line that a sudden end tore off gets its end, so that the next one is a line of its own. */
  private mend(): string {
    const content = readIfThere(this.path) ?? "";
    if (content === "" || content.endsWith("\n")) return content;
    this.write("\n");
    return `${content}\n`;
  }

  /** All of it, or nothing: a disk that is nearly full takes a part, and the next line would be lost with it. */
  private write(text: string): void {
    const file = openSync(this.path, "a", 0o600);
    const { size } = fstatSync(file);
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } catch (error) {
      ftruncateSync(file, size);
      throw error;
    } finally {
      closeSync(file);
    }
  }
}
