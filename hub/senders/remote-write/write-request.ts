import { byText } from "#protocol/order.ts";
import type { Labels } from "../../core/prometheus-names.ts";

/**
 * Prometheus' `WriteRequest` (prompb/remote.proto and types.proto), written by hand because it is this small:
 * WriteRequest { 1: repeated TimeSeries } · TimeSeries { 1: repeated Label, 2: repeated Sample } · Label { 1: name, 2: value } ·
 * Sample { 1: double value, 2: int64 timestamp in ms }.
 */
const lengthDelimited = (field: number) => (field << 3) | 2;
const text = new TextEncoder();

/** Prometheus' mark that a series ends here (model/value `StaleNaN`): a NaN of these very bits. */
const staleBits = 0x7ff0000000000002n;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

function textField(field: number, value: string): number[] {
  const bytes = text.encode(value);
  return [lengthDelimited(field), ...varint(bytes.length), ...bytes];
}

/** A series' labels as they stand in each of its TimeSeries: sorted by name, empty ones left out (remote write 1.0 §labels). Made once a series. */
export function encodeLabels(name: string, labels: Labels): Uint8Array {
  const all = [["__name__", name] as const, ...labels].filter(([, value]) => value !== "");
  all.sort(([a], [b]) => byText(a, b));
  const fields = all.flatMap(([label, value]) => {
    const body = [...textField(1, label), ...textField(2, value)];
    return [lengthDelimited(1), ...varint(body.length), ...body];
  });
  return Uint8Array.from(fields);
}

/** Bytes of a Sample's fields: tag and double, tag and a varint of at most six bytes (ms until the year 2109). */
const sampleMax = 1 + 8 + 1 + 6;

/** A growing WriteRequest with one sample a TimeSeries. */
export class WriteRequest {
  private bytes = new Uint8Array(64 << 10);
  private view = new DataView(this.bytes.buffer);
  private end = 0;
  samples = 0;

  /** `at`: ms since the Unix epoch. NaN is no value: use `addStale`. */
  add(labels: Uint8Array, value: number, at: number): void {
    const sample = this.open(labels, at);
    this.view.setFloat64(sample, value, true);
  }

  addStale(labels: Uint8Array, at: number): void {
    const sample = this.open(labels, at);
    this.view.setBigUint64(sample, staleBits, true);
  }

  get byteLength(): number {
    return this.end;
  }

  /** What was added, in memory that the next `add` may overwrite; the request is empty again. */
  take(): Uint8Array {
    const taken = this.bytes.subarray(0, this.end);
    this.end = 0;
    this.samples = 0;
    return taken;
  }

  /** Writes a TimeSeries but for the sample's eight bytes of value, whose place it returns. */
  private open(labels: Uint8Array, at: number): number {
    this.reserve(labels.length + sampleMax + 16);
    const atBytes = varintLength(at);
    const sampleLength = 9 + 1 + atBytes;
    this.byte(lengthDelimited(1));
    this.varint(labels.length + 2 + sampleLength);
    this.bytes.set(labels, this.end);
    this.end += labels.length;
    this.byte(lengthDelimited(2));
    this.byte(sampleLength);
    this.byte((1 << 3) | 1);
    const place = this.end;
    this.end += 8;
    this.byte(2 << 3);
    this.varint(at);
    this.samples++;
    return place;
  }

  private byte(value: number): void {
    this.bytes[this.end++] = value;
  }

  private varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.end++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.end++] = rest;
  }

  private reserve(more: number): void {
    if (this.end + more <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.end + more));
    larger.set(this.bytes.subarray(0, this.end));
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}
