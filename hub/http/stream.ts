import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import type { StreamEvents } from "#protocol/api.ts";
import { Refusal } from "../core/refusal.ts";
import { runEntity } from "../core/run-view.ts";
import { hidesMore } from "../core/viewer.ts";
import { guestViews, nodeViews, storageViews } from "../core/views.ts";
import { after } from "../ports.ts";
import { sightOf } from "./clusters.ts";
import { type Caller, type HubApp, ownerOf, type Standing } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type SeenPorts, seenPorts } from "./seen.ts";

const beatMs = 5_000;
/** Bytes that may wait for a client beyond the first picture; a slower one is dropped and comes again. */
const queuedMax = 4 << 20;
const clientsMax = 100;
/** Of one key or user: some dozens of tabs. Nobody takes the others' place. */
const clientsPerCaller = 25;

const streamRoute = createRoute({
  method: "get",
  path: "/api/v1/stream",
  tags: ["live"],
  summary: "Live changes as server-sent events",
  description:
    "`nodes`, `guests`, `storages`: all at first, then what changed, at most once a second. `gone`: entities that are no more. `alerts`: all at first, then what changed; `resolved` and `inactive` ones are over. `runs`: operations on agents that go on at first, then what changed. `tasks`, `event`: new ones. `beat`: every 5 s.",
  responses: {
    200: { description: "text/event-stream", content: { "text/event-stream": { schema: z.string() } } },
    ...commonErrors,
  },
});

const encoder = new TextEncoder();
const frame = <K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]) =>
  encoder.encode(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`);

export function streamRoutes(app: HubApp, ports: HttpPorts): void {
  const open = new Map<string, number>();
  let clients = 0;
  app.openapi(streamRoute, (c) => {
    const caller = c.get("caller");
    const owner = ownerOf(caller);
    const own = open.get(owner) ?? 0;
    if (clients >= clientsMax || own >= clientsPerCaller)
      throw new Refusal(
        "overloaded",
        `${own >= clientsPerCaller ? `${own} live streams of yours` : `${clients} live streams`} are open, no more are served: close one or try again later`,
      );
    clients++;
    open.set(owner, own + 1);
    const body = openStream(ports, caller, () => {
      clients--;
      const left = (open.get(owner) ?? 1) - 1;
      if (left > 0) open.set(owner, left);
      else open.delete(owner);
    });
    const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no" };
    return c.body(body, 200, headers);
  });
}

/**
 * One client's stream. It ends when the client goes or is too slow, and when its key, session or gateway's word is no longer good. What is
 * seen may change meanwhile: more is told at once; when something is hidden the stream ends, so that the client forgets it.
 */
function openStream(ports: HttpPorts, caller: Caller, onClose: () => void): ReadableStream<Uint8Array> {
  let stop: () => void = () => undefined;
  const finish = once(() => {
    stop();
    onClose();
  });
  const source = {
    start(controller: ReadableStreamDefaultController<Uint8Array>) {
      let standing = caller.standing();
      if (standing === undefined) {
        finish();
        controller.close();
        return;
      }
      let allowed = queuedMax;
      const tellAll = (seen: SeenPorts) => {
        for (const chunk of firstPicture(seen)) {
          controller.enqueue(chunk);
          // Until it was read once, the first picture may wait beside the rest: its size is no sign of slowness.
          allowed += chunk.length;
        }
      };
      const end = () => {
        finish();
        controller.close();
      };
      const send = (chunk: Uint8Array) => {
        const queued = -(controller.desiredSize ?? 0);
        if (queued <= 0) allowed = queuedMax;
        if (queued > allowed) end();
        else controller.enqueue(chunk);
      };
      /** Before anything is sent. False: the stream has ended. */
      const follow = (): boolean => {
        const before = standing;
        standing = caller.standing();
        if (standing === undefined || before === undefined || losesSight(before, standing)) {
          end();
          return false;
        }
        if (standing.mark === before.mark) return true;
        stop();
        const seen = seenPorts(ports, standing.viewer);
        tellAll(seen);
        stop = subscribe(seen, send, follow);
        return false;
      };
      const seen = seenPorts(ports, standing.viewer);
      tellAll(seen);
      stop = subscribe(seen, send, follow);
    },
    cancel: finish,
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: 64 << 10 }));
}

function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    work();
  };
}

/** Whether something that was seen isn't any more. */
function losesSight(before: Standing, now: Standing): boolean {
  if (before.mark === now.mark || before.viewer.kind === "everything") return false;
  const after = now.viewer;
  if (after.kind === "everything") return false;
  return [...before.viewer.sights].some(([cluster, sight]) => hidesMore(sight, after.sights.get(cluster)));
}

/** Returns the way to stop, which may be called more than once. `follow`: whether what is about to be sent may still be. */
function subscribe(seen: SeenPorts, send: (chunk: Uint8Array) => void, follow: () => boolean): () => void {
  let open = true;
  let stopBeat: () => void = () => undefined;
  const sendSeen = <K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]) => {
    if (open && follow()) send(frame(kind, data));
  };
  const beat = () => {
    const newest = seen.live.newestFrameOfAll();
    const now = seen.clock.now();
    sendSeen("beat", { now, newestSampleAgeMs: newest === undefined ? null : now - newest });
    if (open) stopBeat = after(seen.clock, beatMs, beat);
  };
  const stopEvents = seen.journal.onEvent((event) => sendSeen("event", event));
  const stopBatches = seen.onBatch((batch) => {
    for (const kind of ["nodes", "guests", "storages", "gone", "tasks"] as const) {
      const list = batch[kind];
      if (list !== undefined) sendSeen(kind, list);
    }
  });
  const stopRuns = seen.restore?.onRuns((runs) => {
    const views = runs.filter((run) => seen.entity(run.cluster, runEntity(run))).map((run) => seen.restore?.book.view(run));
    const told = views.filter((view) => view !== undefined);
    if (told.length > 0) sendSeen("runs", told);
  });
  const stopAlerts = seen.alerting?.onAlerts((alerts) => sendSeen("alerts", alerts));
  stopBeat = after(seen.clock, beatMs, beat);
  return () => {
    if (!open) return;
    open = false;
    stopBeat();
    stopEvents();
    stopBatches();
    stopAlerts?.();
    stopRuns?.();
  };
}

function firstPicture(ports: SeenPorts): Uint8Array[] {
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
    ...(ports.restore === undefined
      ? []
      : [
          frame(
            "runs",
            ports.restore.viewsOfOpen().filter(({ cluster, entity }) => ports.entity(cluster, entity)),
          ),
        ]),
    frame("beat", { now: sight.now, newestSampleAgeMs: newest === undefined ? null : sight.now - newest }),
  ];
}
