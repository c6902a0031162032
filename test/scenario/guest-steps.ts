import type { World } from "./world.ts";

/** What becomes of a guest. */
export const guestSteps: Record<string, (world: World, vmid: number, target: string) => void> = {
  stops: (world, vmid) => change(world, vmid, { status: "stopped" }),
  starts: (world, vmid) => change(world, vmid, { status: "running" }),
  halts: (world, vmid) => change(world, vmid, { status: "io-error" }),
  moves: (world, vmid, target) => change(world, vmid, { node: target, claimedAt: world.wall }),
  locked: (world, vmid) => lock(world, vmid, "backup"),
  unlocked: (world, vmid) => lock(world, vmid, undefined),
  tagged: (world, vmid, tags) => {
    const guest = world.guests.get(vmid);
    if (guest !== undefined) change(world, vmid, { facts: { ...guest.facts, tags: tags.split(",") } });
  },
  deleted: (world, vmid) => {
    world.guests.delete(vmid);
  },
};

function change(world: World, vmid: number, to: object): void {
  const guest = world.guests.get(vmid);
  if (guest !== undefined) world.guests.set(vmid, { ...guest, ...to });
}

export function lock(world: World, vmid: number, what: string | undefined): void {
  const guest = world.guests.get(vmid);
  if (guest === undefined) return;
  const { lock: _, ...rest } = guest.facts;
  world.guests.set(vmid, { ...guest, facts: what === undefined ? rest : { ...rest, lock: what } });
}
