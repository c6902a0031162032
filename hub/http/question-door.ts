import type { IncomingMessage, ServerResponse } from "node:http";
import { plainAddress } from "#protocol/addresses.ts";
import { Refusal } from "../core/refusal.ts";
import type { Log } from "../ports.ts";
import { refuseAccess } from "./access.ts";
import type { Asking } from "./asking.ts";
import type { Authenticator } from "./auth.ts";
import type { AnyAnswer, ColumnQuestion } from "./column-question.ts";
import { toBinary, toJson, wantsBinary } from "./columns.ts";
import { errorAnswer, malformedJson } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { apiHeaders } from "./security.ts";
import { historySeenBy } from "./seen.ts";

/**
 * The short way for what a panel asks for all the time. The router with its web Requests and Responses takes 0.1 to 0.3 ms of
 * each, which is a third of what the answer itself takes, so a plain request for one of them is answered on Node's own: with the same authenticator, access rules, schemas
 * and refusals. Whatever is not plain is left to the router.
 */
export class QuestionDoor {
  private readonly questions: ReadonlyMap<string, ColumnQuestion>;

  constructor(
    private readonly ports: HttpPorts,
    private readonly authenticator: Pick<Authenticator, "admit">,
    questions: readonly ColumnQuestion[],
    private readonly bodyMax: number,
  ) {
    this.questions = new Map(questions.map((question) => [question.path, question]));
  }

  /** Whether it is answered here. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const question = request.method === "POST" ? this.questions.get(request.url ?? "") : undefined;
    const asking = question && plainAsking(request, this.bodyMax);
    if (question === undefined || asking === undefined) return false;
    void this.answer(question, asking, response);
    return true;
  }

  private async answer(question: ColumnQuestion, asking: Asking, response: ServerResponse): Promise<void> {
    const { ports } = this;
    try {
      const { viewer } = await this.authenticator.admit(asking);
      refuseAccess(ports, viewer, asking.method, asking.path);
      const json = parseJson(await asking.body());
      send(response, await question.answer(historySeenBy(ports, viewer), json), asking.header("accept"));
    } catch (error) {
      sendError(response, error, asking, ports.log);
    }
  }
}

/** A body of told length that is JSON, no header twice. Undefined: anything else. */
function plainAsking(request: IncomingMessage, bodyMax: number): Asking | undefined {
  const headers = headersOf(request.rawHeaders);
  const host = headers?.get("host");
  const length = Number(headers?.get("content-length") ?? Number.NaN);
  const isJson = /^application\/json(;|$)/.test(headers?.get("content-type") ?? "");
  if (headers === undefined || host === undefined || !isJson || !(length <= bodyMax) || headers.has("transfer-encoding"))
    return undefined;
  let body: Promise<Uint8Array> | undefined;
  const line = request.url ?? "";
  return {
    method: "POST",
    path: line,
    line,
    address: plainAddress(request.socket.remoteAddress ?? "unknown"),
    host,
    header: (name) => headers.get(name.toLowerCase()),
    body: () => {
      body ??= bodyOf(request);
      return body;
    },
  };
}

/** Undefined: a name is there twice. */
function headersOf(raw: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    if (headers.has(name)) return undefined;
    headers.set(name, raw[i + 1] as string);
  }
  return headers;
}

function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    request.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    request.once("end", () => resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks)));
    // A connection that ends in the middle of a body; nobody is left to hear of it.
    request.once("error", () => reject(new Refusal("invalid", "the request ended before its body did")));
  });
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"));
  } catch {
    throw malformedJson();
  }
}

function send(response: ServerResponse, answer: AnyAnswer, accept: string | undefined): void {
  if (!wantsBinary(accept)) {
    end(response, 200, ["Content-Type", "application/json"], Buffer.from(JSON.stringify(toJson(answer))));
    return;
  }
  const { bytes, type } = toBinary(answer, accept);
  end(response, 200, ["Content-Type", type], bytes);
}

function sendError(response: ServerResponse, error: unknown, { method, path }: Asking, log: Log): void {
  const { status, headers, body } = errorAnswer(error, `${method} ${path}`, log);
  end(
    response,
    status,
    [...Object.entries(headers).flat(), "Content-Type", "application/json"],
    Buffer.from(JSON.stringify(body)),
  );
}

/** With its length, in one write with its head. */
function end(response: ServerResponse, status: number, headers: readonly string[], body: Uint8Array): void {
  response.writeHead(status, [...apiHeaders, ...headers, "Content-Length", String(body.length)]);
  response.end(body);
}
