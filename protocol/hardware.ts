import * as z from "zod";
import type { HardwareFacts } from "./inventory.ts";

/** Shape of `/api/v1/nodes/{node}/hardware`. Whatever of a machine is absent is unknown. */

const word = z.string().optional();

const factsSchema = z.object({
  maker: word,
  model: word,
  serial: word,
  board: z.object({ maker: word, model: word, version: word, serial: word }),
  /** BIOS or UEFI; `date`: `2023-03-15`. */
  firmware: z.object({ maker: word, version: word, date: word }),
  /** `cores` and `threads` of all sockets together. */
  cpu: z.object({ model: word, sockets: z.int().optional(), cores: z.int().optional(), threads: z.int().optional() }),
  /** Absent where nobody could look at the slots; `place` counts all of them from 1, `speed` is millions of transfers a second. */
  memory: z
    .object({
      emptySlots: z.int(),
      modules: z.array(
        z.object({
          place: z.int(),
          slot: word,
          sizeBytes: z.int().optional(),
          type: word,
          speed: z.int().optional(),
          maker: word,
          part: word,
          serial: word,
        }),
      ),
    })
    .optional(),
  /** Why there is no `memory`: no SMBIOS table, dmidecode not installed, or it told of no slot. */
  missing: z.enum(["smbios", "dmidecode", "modules"]).optional(),
}) satisfies z.ZodType<HardwareFacts>;

/** The newest that its agent said, also while it is away; null: none has said anything of it yet. */
export const nodeHardwareSchema = z.object({
  cluster: z.string(),
  node: z.string(),
  entity: z.string(),
  hardware: factsSchema.nullable(),
});
export type NodeHardware = z.infer<typeof nodeHardwareSchema>;
