import * as z from "zod/mini";
import { text } from "./schema-parts.ts";

/**
 * A receiver of the type `node`: the hub asks an agent to tell something by its node's own ways, and hears what came of it. Apart from the
 * dispatch (`alerts`), which brings every alert about a node to its agent whatever routes say.
 */

/** The node's own ways of telling: its journal, executables in /etc/proven/alert.d, mail to root by the node's sendmail. */
export const outletWays = ["journal", "hooks", "mail"] as const;
export type OutletWay = (typeof outletWays)[number];

/** SHA-256 of the notification's id, hex. */
const id = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/**
 * What came of one way. `told`: done, or every alert goes that way already. `nothing`: there was nobody to tell (no hook). `off`: the node's
 * agent.toml forbids it.
 */
export const wayResultSchema = z.object({
  way: z.enum(outletWays),
  outcome: z.enum(["told", "nothing", "off", "failed"]),
  said: text(500),
});
export type WayResult = z.output<typeof wayResultSchema>;

/** Rows of the message table. `alert` is the type of one alert there. */
export const outletMessages = <T extends z.ZodMiniType>(alert: T) =>
  ({
    /** `test`: told by each way for real, also where every alert goes that way anyway. The same id again is answered again, and told once. */
    "outlet.tell": {
      from: "hub",
      since: 2,
      body: z.lazy(() =>
        z.strictObject({
          id,
          test: z.boolean(),
          ways: z.array(z.enum(outletWays)).check(z.minLength(1), z.maxLength(3)),
          alerts: z.array(alert).check(z.minLength(1), z.maxLength(100)),
        }),
      ),
    },
    "outlet.told": {
      from: "agent",
      since: 2,
      body: z.lazy(() => z.object({ id, results: z.array(wayResultSchema).check(z.maxLength(3)) })),
    },
  }) as const;
