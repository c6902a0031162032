import type { ServerResponse } from "node:http";
import { assertionTimes } from "#protocol/viewer.ts";
import type { Clock } from "../ports.ts";
import type { HubClient } from "./hub-client.ts";
import type { Told, Viewers } from "./viewers.ts";

type Stream = { ticket: string; told: Told; end(): void };

/** Open live streams: each user is vouched for anew while one of his is open, and loses it when PVE no longer takes his ticket. */
export class Streams {
  private readonly open = new Set<Stream>();
  private running = false;
  private readonly over = new AbortController();

  constructor(private readonly ports: { clock: Clock; viewers: Viewers; hub: HubClient }) {}

  add(stream: Stream, response: ServerResponse): void {
    this.open.add(stream);
    response.once("close", () => this.open.delete(stream));
    if (!this.running) void this.keepAlive();
  }

  close(): void {
    this.over.abort();
    for (const stream of this.open) stream.end();
    this.open.clear();
  }

  /** As long as there is a stream. */
  private async keepAlive(): Promise<void> {
    this.running = true;
    while (this.open.size > 0 && !this.over.signal.aborted) {
      await this.ports.clock.sleep(assertionTimes.keepAliveMs, this.over.signal);
      const tickets = new Set([...this.open].map(({ ticket }) => ticket));
      await Promise.all([...tickets].map((ticket) => this.vouch(ticket)));
    }
    this.running = false;
  }

  private async vouch(ticket: string): Promise<void> {
    const { viewers, hub } = this.ports;
    const seen = await viewers.see(ticket);
    if (seen.ok) await hub.leaveView(seen.told, this.over.signal);
    else if (seen.why === "refused") for (const stream of this.open) if (stream.ticket === ticket) stream.end();
  }
}
