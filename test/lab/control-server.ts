import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { type Control, faultSchema } from "./control.ts";
import { FaultError } from "./fault-error.ts";
import { faultHelp } from "./fault-examples.ts";
import type { Truth } from "./model.ts";

export type CommandResult = { code: number; stdout: string; stderr: string };
export type ControlParts = {
  control: Control;
  truth: Truth;
  now(): number;
  state(): unknown;
  /** A fake command of a node; a promise that never ends is a command that hangs. */
  command(node: string, name: string, argv: readonly string[]): Promise<CommandResult>;
};

const commandSchema = z.strictObject({ node: z.string(), name: z.string(), argv: z.array(z.string()) });

/** A text is sent as it is, everything else as JSON. */
type Answer = { status: number; body: unknown };

/**
 * The lab's own API for tests and for people, on 127.0.0.1 only: `GET /` says what to try, `POST /fault`, `GET /truth?entity=&metric=&instance=&at=`, `GET /state`;
 * `POST /command` serves the commands in the nodes' bin folders.
 */
export class ControlServer {
  private readonly server: Server;
  port = 0;

  constructor(private readonly parts: ControlParts) {
    this.server = createServer((request, response) => {
      this.answer(request).then(({ status, body }) => {
        if (response.destroyed) return;
        const text = typeof body === "string";
        response.writeHead(status, { "Content-Type": text ? "text/plain; charset=utf-8" : "application/json" });
        response.end(text ? body : `${JSON.stringify(body)}\n`);
      });
    });
  }

  async start(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, "127.0.0.1", resolve);
    });
    this.port = (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const url = new URL(request.url ?? "/", "http://lab");
    try {
      switch (`${request.method} ${url.pathname}`) {
        case "GET /":
          return { status: 200, body: faultHelp(`http://127.0.0.1:${this.port}`) };
        case "GET /state":
          return { status: 200, body: this.parts.state() };
        case "GET /truth":
          return { status: 200, body: this.truth(url.searchParams) };
        case "POST /fault": {
          const upid = this.parts.control.inject(faultSchema.parse(await json(request)));
          return { status: 200, body: upid === undefined ? {} : { upid } };
        }
        case "POST /command": {
          const { node, name, argv } = commandSchema.parse(await json(request));
          return { status: 200, body: await this.parts.command(node, name, argv) };
        }
        default:
          return { status: 404, body: { error: "GET /, GET /state, GET /truth, POST /fault" } };
      }
    } catch (error) {
      if (error instanceof z.ZodError) return { status: 400, body: { error: z.prettifyError(error) } };
      if (error instanceof FaultError || error instanceof SyntaxError) return { status: 400, body: { error: error.message } };
      throw error;
    }
  }

  /** `value` null: nobody can know it. `at`: ms, default now. */
  private truth(params: URLSearchParams): unknown {
    const at = Number(params.get("at") ?? this.parts.now());
    const value = this.parts.truth(
      params.get("entity") ?? "",
      params.get("metric") ?? "",
      params.get("instance") ?? undefined,
      at,
    );
    return { at, value: value ?? null };
  }
}

async function json(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text);
}
