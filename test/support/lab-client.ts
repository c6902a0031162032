import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Lab, type LabOptions, startLab } from "../lab/lab.ts";
import { FakeClock } from "./fake-clock.ts";

/** What outlives no test: a test's context, or what stands for one in a script. */
export type TestScope = { after(end: () => void | Promise<void>): void };

/** A lab in a temporary folder under a clock that stands still, without activity of its own. Gone with the test. */
export async function startTestLab(
  context: TestScope,
  { startAt, ...options }: Omit<Partial<LabOptions>, "clock"> & { startAt?: number } = {},
) {
  const dir = mkdtempSync(join(tmpdir(), "proven-lab-"));
  const clock = new FakeClock(startAt);
  const lab = await startLab({ dir, activity: false, refusalDelayMs: 0, ...options, clock });
  context.after(async () => {
    await lab.stop();
    rmSync(dir, { recursive: true, force: true });
  });
  const read = (node: string, path: string) => readFileSync(join(lab.tree.root(node), path), "utf8");
  return { lab, clock, read };
}

export type LabAnswer = { status: number; reason: string; text: string; data: unknown; errors: unknown };

/** A request to a node's API. `ticket`: null sends none; default: root@pam's. */
export function callLab(
  lab: Lab,
  node: string,
  method: string,
  path: string,
  {
    params = {},
    user = "root@pam",
    ticket = lab.ticket(user),
  }: { params?: Record<string, string>; user?: string; ticket?: string | null } = {},
): Promise<LabAnswer> {
  const body = method === "GET" || method === "DELETE" ? "" : new URLSearchParams(params).toString();
  const query = body === "" && Object.keys(params).length > 0 ? `?${new URLSearchParams(params)}` : "";
  const headers = {
    ...(ticket === null ? {} : { Cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}` }),
    "Content-Length": Buffer.byteLength(body),
    "Content-Type": "application/x-www-form-urlencoded",
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port: lab.apiPorts.get(node), method, path: `/api2/json${path}${query}`, headers, agent: false },
      async (incoming) => {
        let text = "";
        for await (const chunk of incoming) text += String(chunk);
        const json = text === "" ? {} : (JSON.parse(text) as { data?: unknown; errors?: unknown });
        resolve({
          status: incoming.statusCode ?? 0,
          reason: incoming.statusMessage ?? "",
          text,
          data: json.data,
          errors: json.errors,
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
