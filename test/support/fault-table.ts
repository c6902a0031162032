import { guestFaults } from "../agent/restore/faults/guests.ts";
import { nodeFaults } from "../agent/restore/faults/nodes.ts";
import { operatorFaults } from "../agent/restore/faults/operators.ts";
import { restoreFaults } from "../agent/restore/faults/restores.ts";
import type { Scenario } from "./restore-scenarios.ts";

/** Every fault that a restore test is put through, each with the record it must leave. */
export const allFaults: readonly Scenario[] = [...restoreFaults, ...guestFaults, ...operatorFaults, ...nodeFaults];

/** Cells of a fault's row in docs/RESTORE-TESTS.md. */
export function faultCells({ name, type, outcome, level, steps = {}, leftovers = [], leaves, mended }: Scenario): string[] {
  const told = Object.entries(steps).map(([step, state]) => `${step} ${state ?? "never reached"}`);
  const left =
    leaves === true
      ? "somebody else's guest, untouched"
      : mended !== undefined
        ? "told; nothing, once that is mended"
        : leftovers.length > 0
          ? "told"
          : "nothing";
  return [name.replaceAll("|", "/"), type === "qemu" ? "VM" : "CT", outcome, level, told.join(", "), left];
}
