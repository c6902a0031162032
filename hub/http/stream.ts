import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import type { StreamEvents } from "#protocol/api.ts";
import { keyProblem } from "../core/keys.ts";
import { Refusal } from "../core/refusal.ts";
import { guestViews, nodeViews, storageViews } from "../core/views.ts";
import { after } from "../ports.ts";
import { sightOf } from "./clusters.ts";
import type { Caller, HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const beatMs = 5_000;
/** Bytes that may wait for a client beyond the first picture; a slower one is dropped and comes again. */
const queuedMax = 4 << 20;
const clientsMax = 100;

const streamRoute = createRoute({
  method: "get",
  path: "/api/v1/stream",
  tags: ["live"],
  summary: "Live changes as server-sent events",
  description:
    "`nodes`, `guests`, `storages`: all at first, then what changed, at most once a second. `gone`: entities that are no more. `alerts`: all at first, then what changed; `resolved` and `inactive` ones are over. `tasks`, `event`: new ones. `beat`: every 5 s.",
  responses: {
    200: { description: "text/event-stream", content: { "text/event-stream": { schema: z.string() } } },
    ...commonErrors,
  },
});

const encoder = new TextEncoder();
const frame = <K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]) =>
  encoder.encode(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);

export function streamRoutes(app: HubApp, ports: HttpPorts): void {
  let clients = 0;
  app.openapi(streamRoute, (c) => {
    if (clients >= clientsMax) throw new Refusal("overloaded", `more than ${clientsMax} live streams are open`);
    clients++;
    const body = openStream(ports, c.get("caller"), () => clients--);
    const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
    return c.body(body, 200, headers);
  });
}

/** One client's stream. It ends when the client goes or is too slow, and when its key or session is no longer good. */
export function openStream(ports: HttpPorts, caller: Caller, onClose: () => void): ReadableStream<Uint8Array> {
  let stop: () => void = () => undefined;
  const source = {
    start(controller: ReadableStreamDefaultController<Uint8Array>) {
      const picture = firstPicture(ports);
      for (const chunk of picture) controller.enqueue(chunk);
      // Until it was read once, the first picture may wait beside the rest: its size is no sign of slowness.
      let allowed = queuedMax + picture.reduce((sum, chunk) => sum + chunk.length, 0);
      const send = (chunk: Uint8Array) => {
        const queued = -(controller.desiredSize ?? 0);
        if (queued <= 0) allowed = queuedMax;
        if (queued > allowed || !isGood(ports, caller)) {
          stop();
          controller.close();
        } else controller.enqueue(chunk);
      };
      stop = subscribe(ports, send, onClose);
    },
    cancel: () => stop(),
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: 64 << 10 }));
}

function isGood({ state, clock }: HttpPorts, { keyId, expiresAt }: Caller): boolean {
  const key = state.get("apiKey", keyId);
  return clock.now() < expiresAt && key !== undefined && keyProblem(key, clock.now()) === undefined;
}

/** Returns the way to stop, which may be called more than once. */
function subscribe(ports: HttpPorts, send: (chunk: Uint8Array) => void, onClose: () => void): () => void {
  let open = true;
  let stopBeat: () => void = () => undefined;
  const beat = () => {
    const newest = ports.live.newestFrameOfAll();
    const now = ports.clock.now();
    send(frame("beat", { now, newestSampleAgeMs: newest === undefined ? null : now - newest }));
    if (open) stopBeat = after(ports.clock, beatMs, beat);
  };
  const stopEvents = ports.journal.onEvent((event) => send(frame("event", event)));
  const stopBatches = ports.onBatch((batch) => {
    for (const kind of ["nodes", "guests", "storages", "gone", "tasks"] as const) {
      const list = batch[kind];
      if (open && list !== undefined) send(frame(kind, list));
    }
  });
  const stopAlerts = ports.alerting?.onAlerts((alerts) => {
    if (open) send(frame("alerts", alerts));
  });
  stopBeat = after(ports.clock, beatMs, beat);
  return () => {
    if (!open) return;
    open = false;
    stopBeat();
    stopEvents();
    stopBatches();
    stopAlerts?.();
    onClose();
  };
}

function firstPicture(ports: HttpPorts): Uint8Array[] {
  const sight = sightOf(ports);
  const pictures = ports.pictures();
  const newest = ports.live.newestFrameOfAll();
  const { alerting } = ports;
  return [
    ...(alerting === undefined ? [] : [frame("alerts", alerting.views())]),
    frame(
      "nodes",
      pictures.flatMap((picture) => nodeViews(sight, picture)),
    ),
    frame(
      "guests",
      pictures.flatMap((picture) => guestViews(sight, picture)),
    ),
    frame(
      "storages",
      pictures.flatMap((picture) => storageViews(sight, picture)),
    ),
    frame("beat", { now: sight.now, newestSampleAgeMs: newest === undefined ? null : sight.now - newest }),
  ];
}
