import { nodeKey } from "#protocol/ids.ts";
import type { UpdateFacts } from "#protocol/inventory.ts";
import { byText } from "#protocol/order.ts";
import type { SampleTable } from "../core/table.ts";
import { asObject, asText } from "../core/values.ts";
import type { PveApi } from "../pve/api.ts";
import { idsOf } from "./metric-ids.ts";
import { apiProblem } from "./node-api.ts";
import { counted, hourMs, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("node");
const source = "apt";
const everyMs = 6 * hourMs;

/** Data of `GET /nodes/{node}/apt/update` (PVE::API2::APT `list_updates`). Undefined: that is no such list. */
export function parseUpdates(data: unknown): UpdateFacts[] | undefined {
  if (!Array.isArray(data)) return undefined;
  return data.flatMap((value) => {
    const entry = asObject(value);
    const [name, available] = [asText(entry?.Package), asText(entry?.Version)];
    if (entry === undefined || name === undefined || available === undefined) return [];
    const [installed, origin] = [asText(entry.OldVersion), asText(entry.Origin)];
    return [
      {
        package: name.slice(0, 100),
        available: available.slice(0, 100),
        ...(installed === undefined ? {} : { installed: installed.slice(0, 100) }),
        ...(origin === undefined ? {} : { origin: origin.slice(0, 100) }),
      },
    ];
  });
}

/** Pending updates as PVE knows them, asked every six hours: pvescheduler refreshes the lists once a day. */
export class UpdateSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 2 * everyMs + hourMs;
  readonly patienceMs = minuteMs;
  problem: string | undefined;
  brought = false;
  readonly told = new Told<{ total: number; packages: UpdateFacts[] } | undefined>(undefined);

  constructor(private readonly api: PveApi) {}

  get version(): number {
    return this.told.version;
  }

  everyMs(): number | undefined {
    return this.problem === undefined ? everyMs : hourMs / 2;
  }

  found(): string {
    return this.told.value === undefined ? "nothing" : counted(this.told.value.total, "update");
  }

  async refresh(): Promise<void> {
    const result = await this.api.get("/nodes/localhost/apt/update");
    const updates = result.ok ? parseUpdates(result.data) : undefined;
    this.brought = updates !== undefined;
    if (updates !== undefined) {
      this.problem = undefined;
      updates.sort((a, b) => byText(a.package, b.package));
      this.told.set({ total: updates.length, packages: updates.slice(0, 200) });
    } else this.problem = result.ok ? "the list of updates was not understood" : apiProblem(result.error);
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    if (this.told.value !== undefined) table.put(table.entity(nodeKey(node)), ids.updates, source, this.told.value.total);
  }
}
