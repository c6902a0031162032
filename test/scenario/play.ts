import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { commands, isShown, type Scene } from "./commands.ts";
import type { Arrival } from "./deliveries.ts";
import { check } from "./invariants.ts";
import { World } from "./world.ts";

export const scenarioDir = dirname(fileURLToPath(import.meta.url));

export function scenarioNames(): string[] {
  const folders = readdirSync(scenarioDir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return folders.map(({ name }) => name).sort();
}

export const expectedLog = (name: string) => readFileSync(join(scenarioDir, name, "expected.log"), "utf8");

const dayMs = 86_400_000;
const lateMs = 60_000;

/** Plays `<name>/commands`; returns the log. The first line may be a title in `#`; `start <time>` sets the clock, default a Monday at noon. */
export async function play(name: string): Promise<string> {
  const text = readFileSync(join(scenarioDir, name, "commands"), "utf8");
  const start = /^start (\S+)$/m.exec(text)?.[1] ?? "2026-03-02T12:00:00Z";
  const startAt = Date.parse(start);
  const world = new World(startAt);
  const lines: string[] = [];
  const scene: Scene = { world, later: [], log: (line) => lines.push(line) };
  let shown = 0;
  const showSent = () => {
    const { arrivals } = world.receivers;
    for (const arrival of arrivals.slice(shown)) lines.push(`${stamp(arrival.at, startAt)}  → ${arrivalText(arrival)}`);
    shown = arrivals.length;
  };
  try {
    for (const line of text.split("\n").map((one) => one.trim())) {
      if (line === "" || line.startsWith("start ")) continue;
      if (line.startsWith("#")) {
        lines.push(line);
        continue;
      }
      const [command = "", ...words] = line.split(/\s+/);
      const run = commands[command];
      if (run === undefined) throw new Error(`${name}: no command '${command}' in '${line}'`);
      if (isShown(command, words)) lines.push(`${stamp(world.wall, startAt)}  ${line}`);
      await run(scene, words, line);
      if (command !== "alerts" && command !== "count") await world.pass();
      showSent();
      check(world, name);
    }
  } finally {
    await world.close();
  }
  return `${lines.join("\n")}\n`;
}

/** A message that waited says when it was decided. */
function arrivalText({ notification, at, again }: Arrival): string {
  const { receiver, reason, verdict } = notification;
  const late = at - notification.at > lateMs ? ` (of ${new Date(notification.at).toISOString().slice(11, 19)})` : "";
  return `${receiver} [${reason}]${again ? " (again, the same id)" : ""}${late} ${verdict}`;
}

/** Day of the scenario and time, UTC. */
function stamp(at: number, startAt: number): string {
  const day = Math.floor(at / dayMs) - Math.floor(startAt / dayMs) + 1;
  return `day ${day} ${new Date(at).toISOString().slice(11, 19)}`;
}
