import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/**
 * `node --import tsx scripts/package/audit.ts`: known vulnerabilities of what the packages hold, as `npm audit` finds them for the lock file. Ends
 * with 1 for one that is high or critical, and with 2 when the registry doesn't answer such questions: not knowing is not well.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

export type Advisory = { library: string; severity: string; title: string; url: string };
/** `serious`: high and critical, to be acted on before a release. */
export type AuditVerdict = { checked: true; serious: Advisory[]; others: Advisory[] } | { checked: false; reason: string };

/** Vulnerabilities that have been looked at and don't reach us, by advisory: why. None so far. */
const accepted: ReadonlyMap<string, string> = new Map();

/** What `npm audit --json` (its report version 2) said. */
export function auditVerdict(output: string): AuditVerdict {
  const report = parsed(output);
  if (!isRecord(report)) return { checked: false, reason: "npm audit gave no answer" };
  if (!isRecord(report.vulnerabilities)) {
    const { summary } = isRecord(report.error) ? report.error : {};
    return { checked: false, reason: String(report.message || summary || "npm audit gave no list") };
  }
  const found = new Map<string, Advisory>();
  for (const { via } of Object.values(report.vulnerabilities).filter(isRecord)) {
    // Names of other libraries stand here too: those have rows of their own.
    for (const one of Array.isArray(via) ? via.filter(isRecord) : []) {
      const [url, library, severity, title] = [one.url, one.name, one.severity, one.title].map(String) as [
        string,
        string,
        string,
        string,
      ];
      if (!accepted.has(url)) found.set(`${library} ${url}`, { library, severity, title, url });
    }
  }
  const all = [...found.values()];
  const isSerious = ({ severity }: Advisory) => severity === "high" || severity === "critical";
  return { checked: true, serious: all.filter(isSerious), others: all.filter((one) => !isSerious(one)) };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Asks the registry about everything that isn't for development only. */
export function auditLockFile(): AuditVerdict {
  const args = ["audit", "--json", "--omit=dev", "--package-lock-only", "--fetch-retries=0", "--fetch-timeout=20000"];
  const { stdout, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8", timeout: 60_000, maxBuffer: 32 << 20 });
  if (error !== undefined) return { checked: false, reason: `npm audit: ${error.message}` };
  return auditVerdict(stdout);
}

export const advisoryText = ({ library, severity, title, url }: Advisory) =>
  `${severity.padEnd(9)} ${library}: ${title} (${url})`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const verdict = auditLockFile();
  if (!verdict.checked) {
    console.log(`dependencies: not checked: ${verdict.reason}`);
    process.exit(2);
  }
  for (const one of [...verdict.serious, ...verdict.others]) console.log(advisoryText(one));
  console.log(`dependencies: ${verdict.serious.length} serious vulnerabilities, ${verdict.others.length} others`);
  process.exit(verdict.serious.length > 0 ? 1 : 0);
}
