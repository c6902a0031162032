import type { GuestView } from "#protocol/api.ts";

/** What a guest can be told to do, by Proxmox VE's own names (`POST /nodes/{node}/{qemu,lxc}/{vmid}/status/…`). */
export type PowerAction = "start" | "shutdown" | "reboot";
export type Told = { ok: true } | { ok: false; problem: string };

const actionsByState: Partial<Record<GuestView["state"], readonly PowerAction[]>> = {
  stopped: ["start"],
  running: ["shutdown", "reboot"],
};

/** Which of them a guest's state leaves open. */
export const powerActionsOf = ({ state, template }: GuestView): readonly PowerAction[] =>
  (template ? undefined : actionsByState[state]) ?? [];

/**
 * Proxmox VE's API, asked by the page of Proxmox VE that the panel is in, with its user's own ticket: Proxmox VE judges, does and logs it. The hub has
 * no part in it. `csrf`: PVE's token for writes.
 */
export class PveActions {
  constructor(private readonly csrf: () => string) {}

  /** What the user holds on a guest; presence of the name is what counts. Empty where nobody can say. */
  async privileges({ vmid }: GuestView): Promise<ReadonlySet<string>> {
    try {
      const answer = await fetch(`/api2/json/access/permissions?path=/vms/${vmid}`);
      const { data } = (await answer.json()) as { data?: Record<string, Record<string, number>> };
      return new Set(answer.ok ? Object.keys(data?.[`/vms/${vmid}`] ?? {}) : []);
    } catch {
      return new Set();
    }
  }

  async power({ node, type, vmid }: GuestView, action: PowerAction): Promise<Told> {
    try {
      const path = `/api2/json/nodes/${encodeURIComponent(node)}/${type}/${vmid}/status/${action}`;
      const answer = await fetch(path, { method: "POST", headers: { CSRFPreventionToken: this.csrf() } });
      // What went wrong stands in the status line.
      return answer.ok ? { ok: true } : { ok: false, problem: answer.statusText || `HTTP ${answer.status}` };
    } catch (cause) {
      return { ok: false, problem: cause instanceof Error ? cause.message : String(cause) };
    }
  }
}
