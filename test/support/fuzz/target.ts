import { fc } from "../property.ts";
import { bentBytes, bentText } from "./values.ts";

/** One thing that takes what others wrote. `run` may only end well, or throw what its caller expects; anything else is a bug. */
export type Target = { name: string; property: fc.IRawProperty<[unknown]> };

/** Bends of texts that are understood: so that most of what is tried gets far. */
export const ofText = (name: string, goods: readonly string[], run: (text: string) => unknown): Target => ({
  name,
  property: fc.property(fc.constantFrom(...goods).chain(bentText), (text) => void run(text)),
});

export const ofBytes = (name: string, goods: readonly Uint8Array[], run: (bytes: Uint8Array) => unknown): Target => ({
  name,
  property: fc.property(fc.constantFrom(...goods).chain(bentBytes), (bytes) => void run(bytes)),
});

export const ofValue = <T>(name: string, values: fc.Arbitrary<T>, run: (value: T) => unknown): Target => ({
  name,
  property: fc.property(values, (value) => void run(value)),
});

/** Errors of these classes are answers. */
export function expecting(...classes: (abstract new (...args: never[]) => Error)[]) {
  return (work: () => unknown): void => {
    try {
      work();
    } catch (error) {
      if (!classes.some((one) => error instanceof one)) throw error;
    }
  };
}
