import { parseAddress } from "./ip-address.ts";

/** Bounds of open connections: of all together, and of those from one place. */
export type ConnectionBounds = {
  total: number;
  perPlace: number;
};

/** The machine itself counts to the total only: a reverse proxy there speaks for everybody. */
const ownMachine = "this machine";

/** A peer's address as people write it: one of IPv4 stays one where the socket speaks both (RFC 4291 2.5.5.2). */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

/** An address of this machine at which a hub answers that listens so. */
export const addressToAsk = (listen: string): string => (listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen);

/** Where a connection comes from: an IPv4 address, or the /64 that one customer has of IPv6. Undefined: the socket is gone already. */
export function placeOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const [text = ""] = plainAddress(address).split("%", 1);
  const bytes = parseAddress(text);
  if (bytes === undefined) return address;
  if (bytes.length === 4) return bytes[0] === 127 ? ownMachine : text;
  if (bytes.every((byte, index) => byte === (index === 15 ? 1 : 0))) return ownMachine;
  return hex(bytes.subarray(0, 8));
}

/** As placeOf, for what is counted by where it comes from: never absent. */
export const placeNamed = (address: string): string => placeOf(address) ?? address;

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Who is connected how often. */
export class ConnectionBook {
  private readonly places = new Map<string, number>();
  private open = 0;

  constructor(private readonly bounds: ConnectionBounds) {}

  get size(): number {
    return this.open;
  }

  /** False: it is one too many, and isn't counted. Each true is to be given back by `leave`. */
  enter(place: string): boolean {
    const here = this.places.get(place) ?? 0;
    if (this.open >= this.bounds.total) return false;
    if (place !== ownMachine && here >= this.bounds.perPlace) return false;
    this.open++;
    this.places.set(place, here + 1);
    return true;
  }

  leave(place: string): void {
    this.open--;
    const left = (this.places.get(place) ?? 1) - 1;
    if (left > 0) this.places.set(place, left);
    else this.places.delete(place);
  }
}
