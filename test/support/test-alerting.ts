import type { Notification } from "#protocol/notifications.ts";
import { Alerting } from "../../hub/alerting/alerting.ts";
import { DueTimes, JobMemory } from "../../hub/core/backup-due.ts";
import { TaskMemory } from "../../hub/core/task-memory.ts";
import { nothingKept } from "./job-times.ts";
import type { TestHub } from "./test-hub.ts";

type Dispatcher = ConstructorParameters<typeof Alerting>[0]["dispatcher"];

/** The alert engine on a wired hub's stores; its messages go into `sent`, and it passes when the test says so. */
export function openTestAlerting(hub: TestHub, sent: Notification[], dispatcher: Partial<Dispatcher> = {}): Alerting {
  return new Alerting({
    state: hub.state,
    reader: hub.series.reader,
    live: hub.series.live,
    clock: hub.clock,
    pictures: () => hub.fleet.pictures(),
    backups: { tasks: new TaskMemory(), due: new DueTimes(() => "UTC"), jobs: new JobMemory(nothingKept) },
    refusing: () => false,
    dispatcher: { enqueue: (notification) => sent.push(notification), committed: () => undefined, ...dispatcher },
    tell: () => undefined,
  });
}
