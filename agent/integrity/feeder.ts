/** What a format's reader wants next: bytes to look at, or bytes to go past. */
export type Want = { take: number } | { skip: number };
/** What it gets: exactly that, or, at the end of the file, less. `bytes` is the reader's own. */
export type Got = { bytes: Buffer; skipped: number };
export type FormatReader = Generator<Want, void, Got>;

/** Feeds a stream, chunk by chunk, to a reader that is written as if the whole file lay before it. Holds no more than one `take`. */
export class Feeder {
  private want: Want | undefined;
  private held: Buffer[] = [];
  private got = 0;

  constructor(private readonly reader: FormatReader) {
    this.want = reader.next().value as Want | undefined; // the first `next` gets nothing
  }

  /** The chunk may be used anew afterwards. Throws what the reader throws. */
  push(chunk: Buffer): void {
    let at = 0;
    while (this.want !== undefined && at < chunk.length) {
      const missing = ("take" in this.want ? this.want.take : this.want.skip) - this.got;
      const end = Math.min(chunk.length, at + missing);
      if ("take" in this.want) this.held.push(Buffer.from(chunk.subarray(at, end)));
      this.got += end - at;
      if (end - at === missing) this.go();
      at = end;
    }
  }

  /** No more bytes come. */
  end(): void {
    while (this.want !== undefined) this.go();
  }

  private go(): void {
    const skipped = this.want !== undefined && "skip" in this.want ? this.got : 0;
    const bytes = this.held.length === 1 ? (this.held[0] as Buffer) : Buffer.concat(this.held);
    this.held = [];
    this.got = 0;
    const next = this.reader.next({ bytes, skipped });
    this.want = next.done === true ? undefined : next.value;
  }
}
