/** What the doctor looked at. `unknown`: it could not be told, which is neither good nor bad. */
export type Finding = {
  about: string;
  state: "ok" | "trouble" | "unknown";
  says: string;
  /** What to do about it. */
  remedy?: string;
};

const marks = { ok: "ok", trouble: "!!", unknown: "??" } as const;

/** One line a finding, its remedy below it, and a verdict. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ about }) => about.length));
  const lines = findings.flatMap(({ about, state, says, remedy }) => {
    const line = `${marks[state]}  ${about.padEnd(width)}  ${says}`;
    return remedy === undefined ? [line] : [line, `${" ".repeat(width + 6)}${remedy}`];
  });
  const troubles = findings.filter(({ state }) => state === "trouble").length;
  const unknown = findings.filter(({ state }) => state === "unknown").length;
  const rest = unknown === 0 ? "" : ` ${unknown} could not be told.`;
  const verdict = troubles === 0 ? `No trouble found.${rest}` : `${troubles} of ${findings.length} are in trouble.${rest}`;
  return `${[...lines, "", verdict].join("\n")}\n`;
}

/** 0: no trouble; 1: there is some. What could not be told is none. */
export const doctorExitCode = (findings: readonly Finding[]): 0 | 1 =>
  findings.some(({ state }) => state === "trouble") ? 1 : 0;

const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;

/** `neededBytes`: what may still come. */
export function judgeDisk(path: string, freeBytes: number, neededBytes: number): Finding {
  const says = `${path}: ${mb(freeBytes)} free`;
  if (freeBytes >= neededBytes) return { about: "disk", state: "ok", says };
  return { about: "disk", state: "trouble", says, remedy: `make room: ${mb(neededBytes)} may be needed` };
}

/** Of `timedatectl show --property=NTPSynchronized --value`; undefined: there was no answer. */
export function judgeClock(synchronized: string | undefined): Finding {
  if (synchronized === "yes") return { about: "clock", state: "ok", says: "synchronized" };
  if (synchronized === "no") {
    const remedy = "install chrony, or see why it does not reach its servers: chronyc sources";
    return { about: "clock", state: "trouble", says: "not synchronized: times of samples and alerts may be wrong", remedy };
  }
  return { about: "clock", state: "unknown", says: "timedatectl does not say whether it is synchronized" };
}

/** Of `systemctl show --property=ActiveState --value`. */
export function judgeService(unit: string, active: string | undefined): Finding {
  if (active === "active") return { about: "service", state: "ok", says: `${unit} runs` };
  if (active === undefined || active === "") return { about: "service", state: "unknown", says: "systemd does not answer" };
  const remedy = `journalctl -u ${unit} -n 50, then systemctl restart ${unit}`;
  return { about: "service", state: "trouble", says: `${unit} is ${active}`, remedy };
}
