import type { AgentAlert, MessageOf } from "#protocol/messages.ts";
import type { OutletWay, WayResult } from "#protocol/outlet.ts";
import type { Told } from "./core/alert-memory.ts";
import { tellBy, type WayPorts } from "./outlet-ways.ts";

/** `true`: every alert about the node goes this way. `routed`: what a receiver of the type `node` asks for. `false`: nothing does. */
export type Switches = Readonly<Record<OutletWay, boolean | "routed">>;

/** Ids that were told are remembered for so many: the hub asks again when it missed an answer. */
const rememberedMax = 500;

/** Tells what a receiver of the type `node` asks for, by the ways this node's agent.toml allows, and says what came of each. */
export class AskedOutlet {
  /** What came of an id, by way. A way that failed is tried again when it is asked again. */
  private readonly done = new Map<string, Map<OutletWay, Promise<WayResult>>>();

  constructor(private readonly ports: WayPorts & { switches: Switches }) {}

  /** Never throws. `node`: its name, for hooks and mail. */
  async tell({ id, test, ways, alerts }: MessageOf<"outlet.tell">["body"], node: string): Promise<WayResult[]> {
    const known = this.done.get(id) ?? new Map<OutletWay, Promise<WayResult>>();
    this.done.delete(id);
    this.done.set(id, known);
    for (const oldest of this.done.keys()) {
      if (this.done.size <= rememberedMax) break;
      this.done.delete(oldest);
    }
    return Promise.all(
      [...new Set(ways)].map(async (way) => {
        const running = known.get(way) ?? this.tellOne(way, test, alerts, node);
        known.set(way, running);
        const result = await running;
        if (result.outcome !== "told") known.delete(way);
        return result;
      }),
    );
  }

  private async tellOne(way: OutletWay, test: boolean, alerts: readonly AgentAlert[], node: string): Promise<WayResult> {
    const allowed = this.ports.switches[way];
    if (allowed === false) {
      const said = `switched off: ${way} = false under [outlet] in /etc/proven/agent.toml of ${node}`;
      return { way, outcome: "off", said: said.slice(0, 500) };
    }
    if (allowed === true && !test) return { way, outcome: "told", said: "every alert goes that way on this node" };
    let last: WayResult = { way, outcome: "nothing", said: "no alert was named" };
    for (const alert of alerts) {
      last = await tellBy(way, toldOf(alert, test), node, this.ports);
      if (last.outcome !== "told") return last;
    }
    return last;
  }
}

function toldOf(alert: AgentAlert, test: boolean): Told {
  if (test) return { state: "test", alert };
  return { state: alert.resolvedAt === undefined ? "firing" : "resolved", alert };
}
