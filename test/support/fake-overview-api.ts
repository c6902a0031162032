import type { Hono } from "hono";
import type { GuestView } from "#protocol/api.ts";
import type { Layout, ProtectionView } from "#protocol/panel.ts";

/** What the overview asks for beside the stream. Every seventh guest is in no job; with `trouble` some missed their backup. */
export function addOverviewApi(app: Hono, guests: (now: number) => GuestView[], trouble: boolean): { layout: () => Layout } {
  let layout: Layout = { widgets: [], filters: [], guestColumns: [] };
  app.get("/api/v1/layout", (c) => c.json(layout));
  app.put("/api/v1/layout", async (c) => {
    layout = (await c.req.json()) as Layout;
    return c.json(layout);
  });
  app.get("/api/v1/protection", (c) => {
    const now = Date.now();
    const items = guests(now)
      .filter((guest) => !guest.template)
      .map((guest) => protectionOf(guest, now, trouble));
    return c.json({ items, next: null });
  });
  return { layout: () => layout };
}

const hourMs = 3_600_000;

function protectionOf({ cluster, entity, vmid }: GuestView, now: number, trouble: boolean): ProtectionView {
  const job = { id: "backup-nightly", schedule: "21:00" };
  const guest = { cluster, entity, vmid, jobs: [job], unprotected: [], backupStorage: "pbs1" };
  if (vmid % 7 === 3)
    return { ...guest, jobs: [], backupStorage: null, state: "none", backedUpAt: null, overdueSince: null, nextAt: null };
  const nextAt = now + 5 * hourMs;
  if (trouble && vmid === 107) return { ...guest, state: "failed", backedUpAt: now - 55 * hourMs, overdueSince: null, nextAt };
  if (trouble && vmid === 112)
    return { ...guest, state: "overdue", backedUpAt: now - 80 * hourMs, overdueSince: now - 32 * hourMs, nextAt };
  return { ...guest, state: "current", backedUpAt: now - 9 * hourMs, overdueSince: null, nextAt };
}
