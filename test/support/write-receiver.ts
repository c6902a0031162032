import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type DecodedSeries, decodeCompressed } from "./write-request.ts";

type Answer = { status: number; headers?: Record<string, string>; body?: string };

/** A remote write receiver that keeps what it took and answers as told. */
export class WriteReceiver {
  readonly requests: { headers: IncomingHttpHeaders; series: DecodedSeries[] }[] = [];
  /** Answers of the next requests; then 204 again. */
  readonly answers: Answer[] = [];
  private readonly server = createServer(async (request, response) => {
    const series = decodeCompressed(Buffer.concat(await request.toArray()));
    const { status, headers = {}, body = "" } = this.answers.shift() ?? { status: 204 };
    this.requests.push({ headers: request.headers, series });
    if (status === 204) this.taken.push(...series);
    response.writeHead(status, headers).end(body);
  });
  private readonly taken: DecodedSeries[] = [];
  url = "";

  static async start(t: TestContext): Promise<WriteReceiver> {
    const receiver = new WriteReceiver();
    receiver.server.listen(0, "127.0.0.1");
    await once(receiver.server, "listening");
    receiver.url = `http://127.0.0.1:${(receiver.server.address() as AddressInfo).port}/api/v1/write`;
    t.after(() => {
      receiver.server.closeAllConnections();
      receiver.server.close();
    });
    return receiver;
  }

  /** What was accepted of one family, in the order it came: `id`, ms since `epoch`, value (`ended` where the series was ended). */
  samplesOf(name: string, epoch: number): (readonly [id: string, at: number, value: number | "ended"])[] {
    return this.taken
      .filter(({ labels }) => labels.__name__ === name)
      .flatMap(({ labels, samples }) =>
        samples.map(({ at, value, stale }) => [labels.id ?? "", at - epoch, stale ? ("ended" as const) : value] as const),
      );
  }
}
