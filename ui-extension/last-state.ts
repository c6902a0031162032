import type { SessionView } from "#protocol/api.ts";
import type { Picture } from "./core/problems.ts";
import type { Protections } from "./core/protection.ts";

/** What was last known, kept in this browser for when there is no hub. `at`: when the hub last spoke, by this machine's clock. */
export type LastState = { at: number; clockOffsetMs: number; session: SessionView; picture: Picture; protections: Protections };

const [database, objects, key] = ["proven", "last-state", "newest"];
/** Fields are others: what an older panel kept is not read. */
const version = 2;

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** One state of one user: it goes with the session. Where the browser keeps nothing (private windows) there is none, and nothing fails. */
export class LastStateKeeper {
  #database: Promise<IDBDatabase> | undefined;

  #open(): Promise<IDBDatabase> {
    if (this.#database !== undefined) return this.#database;
    const request = indexedDB.open(database, version);
    request.onupgradeneeded = () => {
      for (const name of [...request.result.objectStoreNames]) request.result.deleteObjectStore(name);
      request.result.createObjectStore(objects);
    };
    this.#database = done(request);
    return this.#database;
  }

  async #run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
    try {
      const opened = await this.#open();
      return await done(work(opened.transaction(objects, mode).objectStore(objects)));
    } catch {
      this.#database = undefined;
      return undefined;
    }
  }

  async keep(state: LastState): Promise<void> {
    await this.#run("readwrite", (store) => store.put(state, key));
  }

  /** Only while its session would still count: nobody sees offline what he would no longer see online. */
  async read(now: number): Promise<LastState | undefined> {
    const kept = (await this.#run<LastState | undefined>("readonly", (store) => store.get(key))) ?? undefined;
    if (kept === undefined || kept.session.expiresAt > now) return kept;
    await this.forget();
    return undefined;
  }

  async forget(): Promise<void> {
    await this.#run("readwrite", (store) => store.delete(key));
  }
}
