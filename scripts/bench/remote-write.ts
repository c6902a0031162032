import { encodeUtf8 } from "#protocol/utf8.ts";
import { ByteWriter } from "#protocol/varint.ts";
import { guestMetricRows, nodeIndexOf, nodeNameOf, vmidOf } from "./workload.ts";

/** Guests of one pool: what the queries over 50 series select. */
export const guestsPerPool = 50;
export const poolOf = (guest: number) => `pool${Math.floor(guest / guestsPerPool)}`;

const idOf = (guest: number) => `qemu/${vmidOf(guest)}`;
/** The same names for every metric, so that a query reads like ours. */
export const peerMetricName = (metric: string) => `guest_${metric}`;
export const peerGuestSelector = (guest: number) => `{id="${idOf(guest)}"}`;

function writeField(out: ByteWriter, tag: number, bytes: Uint8Array): void {
  out.byte(tag);
  out.varint(bytes.length);
  out.raw(bytes);
}

function labelBytes(name: string, value: string): Uint8Array {
  const pair = new ByteWriter(64);
  writeField(pair, 0x0a, encodeUtf8(name));
  writeField(pair, 0x12, encodeUtf8(value));
  const label = new ByteWriter(64);
  writeField(label, 0x0a, pair.take());
  return label.take();
}

/** Labels in the order of their names, as the receivers require. */
function seriesLabels(guest: number, metric: string): Uint8Array {
  const labels = [
    ["__name__", peerMetricName(metric)],
    ["id", idOf(guest)],
    ["name", `guest-name-${guest}`],
    ["node", nodeNameOf(nodeIndexOf(guest))],
    ["pool", poolOf(guest)],
  ] as const;
  const out = new ByteWriter(256);
  for (const [name, value] of labels) out.raw(labelBytes(name, value));
  return out.take();
}

/** A sample is 18 bytes: tag, length 16, double (tag and 8 bytes), timestamp (tag and a varint of 6 bytes: ms from 2004 to 2109). */
const sampleBytes = 18;
const valueOffset = 3;
const timeOffset = 12;

/**
 * A remote-write request (prometheus `prompb/remote.proto` WriteRequest) for fixed series with `depth` samples each. Labels are encoded
 * once; a request differs from the one before in values and times only. The sender's cost is not part of any figure.
 */
export class WriteRequest {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  /** Where each series' first sample begins. */
  private readonly offsets: number[] = [];

  constructor(
    firstGuest: number,
    guests: number,
    readonly depth: number,
  ) {
    const out = new ByteWriter(1 << 16);
    for (let guest = firstGuest; guest < firstGuest + guests; guest++) {
      for (const { name } of guestMetricRows) this.declare(out, seriesLabels(guest, name));
    }
    this.bytes = out.take();
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** `series` counts inside this request: ten a guest. */
  set(series: number, index: number, atMs: number, value: number): void {
    const offset = (this.offsets[series] as number) + index * sampleBytes;
    this.view.setFloat64(offset + valueOffset, value, true);
    this.putTime(offset + timeOffset, atMs);
  }

  get series(): number {
    return this.offsets.length;
  }

  private declare(out: ByteWriter, labels: Uint8Array): void {
    const body = new ByteWriter(512);
    body.raw(labels);
    const first = labels.length;
    for (let index = 0; index < this.depth; index++) {
      body.raw(new Uint8Array([0x12, sampleBytes - 2, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0]));
    }
    const bytes = body.take();
    out.byte(0x0a);
    out.varint(bytes.length);
    this.offsets.push(out.length + first);
    out.raw(bytes);
  }

  private putTime(offset: number, atMs: number): void {
    let rest = atMs;
    for (let index = 0; index < 5; index++) {
      this.bytes[offset + index] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[offset + 5] = rest;
  }
}
