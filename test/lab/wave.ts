import { unit } from "./random.ts";

/** Times count from here, so that a double keeps microseconds of a counter of gigabytes a second. */
export const origin = Date.UTC(2026, 0, 1);
const day = 86_400;

/** Period in s and share of the mean. The shares stay below 1 in sum: a rate is never negative, its integral never falls. */
const rhythms: readonly (readonly [periodSec: number, share: number])[] = [
  [day, 0.42],
  [day / 2, 0.1],
  [7 * day, 0.1],
  [3517, 0.12],
  [613, 0.08],
  [97, 0.06],
  [31, 0.04],
];
/** The day's peak is at 14:00 UTC, the week's on Wednesday: sines start a quarter of a period before. */
const sharedPhase = [-2 * Math.PI * (8 / 24), -2 * Math.PI * (5 / 24), -2 * Math.PI * 0.1];

/**
 * A load with daily and weekly rhythm and noise around 1 whose integral has a closed form, so that a counter's value at any time costs the
 * same. Equal keys give equal waves.
 */
export class Wave {
  private readonly angular: number[];
  private readonly phase: number[];

  constructor(key: string) {
    this.angular = rhythms.map(([period]) => (2 * Math.PI) / period);
    this.phase = rhythms.map((_, index) => {
      const own = unit(`${key} phase ${index}`);
      return index < sharedPhase.length ? (sharedPhase[index] as number) + own * 0.6 : own * 2 * Math.PI;
    });
  }

  /** Around 1, in (0.08 … 1.92). `at`: ms since the epoch. */
  rate(at: number): number {
    const seconds = (at - origin) / 1000;
    let sum = 1;
    for (let i = 0; i < rhythms.length; i++) {
      sum +=
        (rhythms[i] as readonly [number, number])[1] *
        Math.sin((this.angular[i] as number) * seconds + (this.phase[i] as number));
    }
    return sum;
  }

  /** Seconds of mean load between the origin and `at`; grows with `at`. */
  integral(at: number): number {
    const seconds = (at - origin) / 1000;
    let sum = seconds;
    for (let i = 0; i < rhythms.length; i++) {
      const angular = this.angular[i] as number;
      sum -= ((rhythms[i] as readonly [number, number])[1] / angular) * Math.cos(angular * seconds + (this.phase[i] as number));
    }
    return sum;
  }

  /** Seconds of mean load since `from`: what a counter that started there has seen, per unit of mean rate. */
  since(from: number, at: number): number {
    return this.integral(at) - this.integral(from);
  }
}

/** A smooth bump of height up to 1 in one of `every` slots of 15 minutes: a job that runs now and then. 0 elsewhere. */
export function burst(key: string, at: number, every: number): number {
  const slotMs = 900_000;
  const slot = Math.floor(at / slotMs);
  const chance = unit(`${key} burst ${slot}`);
  if (chance >= 1 / every) return 0;
  return Math.sin((Math.PI * (at - slot * slotMs)) / slotMs) ** 2 * (0.4 + 0.6 * chance * every);
}
