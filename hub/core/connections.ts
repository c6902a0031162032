import { isLoopback, placeOf } from "#protocol/addresses.ts";

/** Bounds of open connections: of all together, and of those from one place. */
export type ConnectionBounds = {
  total: number;
  perPlace: number;
};

/** Where connections of the machine itself come from. */
const ownMachine = "this machine";

/** As placeOf, and one place for the machine itself. */
export const placeOfPeer = (address: string): string => (isLoopback(address) ? ownMachine : placeOf(address));

/** An address of this machine at which a hub answers that listens so. */
export const addressToAsk = (listen: string): string => (listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen);

/** Who is connected how often. The machine itself counts to the total only: a reverse proxy there speaks for everybody. */
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
