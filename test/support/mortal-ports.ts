import type { RestorePorts } from "../../agent/restore/ports.ts";

/** What every process does from its death on: nothing. */
const never = () => new Promise<never>(() => undefined);

/** The ports of an agent that can be ended at any moment: from `die` on no call is made, and none that was made comes back. */
export function mortalPorts(ports: RestorePorts): { ports: RestorePorts; die(): void } {
  let isDead = false;
  const mortal =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      if (isDead) return never();
      const result = await work(...args);
      return isDead ? never() : result;
    };
  const { api, sandboxes, clock } = ports;
  return {
    die: () => {
      isDead = true;
    },
    ports: {
      ...ports,
      api: {
        get: mortal(api.get),
        post: mortal(api.post),
        put: mortal(api.put),
        delete: mortal(api.delete),
        awaitTask: mortal(api.awaitTask),
        close: () => undefined,
      },
      run: mortal(ports.run),
      check: mortal(ports.check),
      integrity: mortal(ports.integrity),
      sandboxes: {
        missing: mortal(sandboxes.missing.bind(sandboxes)),
        open: mortal(sandboxes.open.bind(sandboxes)),
        close: mortal(sandboxes.close.bind(sandboxes)),
        part: mortal(sandboxes.part.bind(sandboxes)),
        addressOf: mortal(sandboxes.addressOf.bind(sandboxes)),
        reap: mortal(sandboxes.reap.bind(sandboxes)),
      },
      clock: {
        now: () => clock.now(),
        monotonicMs: () => clock.monotonicMs(),
        sleep: mortal(clock.sleep.bind(clock)),
      },
    },
  };
}
