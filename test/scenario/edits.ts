import type { Rule, Scope, Silence } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { defaultRoute } from "../../hub/core/default-rules.ts";
import { windowSpan } from "../../hub/core/window.ts";
import type { Command, Scene } from "./commands.ts";
import { after, durationMs, option } from "./words.ts";
import type { World } from "./world.ts";

/** What people change while alerts fire: rules, routes, silences and windows, as the panel and the API store them. */

const by = { actor: "scenario", reason: "scenario" };

function changeRule(world: World, id: string, change: (rule: Rule) => Rule): void {
  world.state.update("rule", id, by, (rule) => {
    if (rule === undefined) throw new Error(`no rule ${id}`);
    return change(rule);
  });
  world.loop.reload();
}

/** The open occurrence of a window gets another end. */
function adjustWindow({ world }: Scene, id: string, endOf: (until: number) => number): void {
  const window = world.state.get("window", id);
  if (window === undefined) throw new Error(`no window ${id}`);
  const span = windowSpan(window, world.wall as EpochMs);
  if (!span.active) throw new Error(`window ${id} is not open`);
  world.state.put("window", id, { ...window, adjusted: { startsAt: span.from, endsAt: endOf(span.until) } }, by);
  world.loop.reload();
}

function putSilence({ world }: Scene, silence: Omit<Silence, "createdBy" | "comment">): void {
  world.state.put("silence", silence.id, { ...silence, createdBy: "admin", comment: "known" }, by);
  world.loop.reload();
}

function scopeOf(words: readonly string[]): Scope {
  const [tag, guest] = [option(words, "tag"), option(words, "guest")];
  return { ...(tag === undefined ? {} : { tags: [tag] }), ...(guest === undefined ? {} : { guests: [Number(guest)] }) };
}

export const edits: Record<string, Command> = {
  enable: ({ world }, [id = ""]) => changeRule(world, id, (rule) => ({ ...rule, enabled: true })),
  /** `override guest-down guest=101 critical` · `override guest-down tag=prod critical` */
  override: ({ world }, words) => {
    const severity = (["info", "warning", "critical"] as const).find((word) => words.includes(word)) ?? "warning";
    changeRule(world, words[0] ?? "", (rule) => ({
      ...rule,
      overrides: [...rule.overrides, { scope: scopeOf(words), severity }],
    }));
  },
  /** `threshold storage-full 0.92 clear 0.9` */
  threshold: ({ world }, words) => {
    const [id = "", trigger] = words;
    changeRule(world, id, (rule) => {
      if (rule.condition.kind !== "threshold") throw new Error(`${id} has no threshold`);
      const clear = Number(after(words, "clear") ?? trigger);
      return { ...rule, condition: { ...rule.condition, trigger: Number(trigger), clear } };
    });
  },
  /** `narrow storage-full tag=gold`: the rule is about these alone. */
  narrow: ({ world }, words) => changeRule(world, words[0] ?? "", (rule) => ({ ...rule, scope: scopeOf(words) })),
  /** `team dba tag=db` · `team boss critical`: a route before the one of everything. */
  team: ({ world }, words) => {
    const [receiver = ""] = words;
    const id = `team-${receiver}`;
    const severities = words.includes("critical") ? (["critical"] as const) : defaultRoute.match.severities;
    const match = { ...defaultRoute.match, severities: [...(severities ?? [])], scope: scopeOf(words) };
    world.state.put("route", id, { ...defaultRoute, id, name: id, order: 1, match, receivers: [receiver] }, by);
    world.loop.reload();
  },
  /** `silence storage-full for 2h` · `silence tag=prod in 1h for 2h` */
  silence: (scene, words) => {
    const tag = option(words, "tag");
    const [rule = ""] = words;
    const startsAt = scene.world.wall + (words.includes("in") ? durationMs(after(words, "in")) : 0);
    const endsAt = startsAt + durationMs(after(words, "for"));
    const what = tag === undefined ? { scope: null, rules: [rule] } : { scope: scopeOf(words), rules: [] };
    putSilence(scene, { id: `s-${tag ?? rule}`, kind: "silence", alerts: [], ...what, startsAt, endsAt });
  },
  /** `snooze guest-down guest/100 for 30m` */
  snooze: (scene, words) => {
    const { world } = scene;
    const [rule, entity] = words;
    const found = world.loop.views().find((view) => view.rule === rule && view.entity === entity);
    if (found === undefined) throw new Error(`no alert ${rule} of ${entity}`);
    const times = { startsAt: world.wall, endsAt: world.wall + durationMs(after(words, "for")) };
    putSilence(scene, { id: `snooze-${rule}`, kind: "snooze", alerts: [found.id], scope: null, rules: [], ...times });
  },
  /** `extend maintenance by 1h` */
  extend: (scene, words) => adjustWindow(scene, words[0] ?? "", (until) => until + durationMs(after(words, "by"))),
  /** `end maintenance` */
  end: (scene, [id = ""]) => adjustWindow(scene, id, () => scene.world.wall),
};
