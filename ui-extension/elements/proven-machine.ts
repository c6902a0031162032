import { css, html, nothing } from "lit";
import type { NodeHardware } from "#protocol/hardware.ts";
import type { Answer } from "../api.ts";
import { formatValue } from "../core/units.ts";
import { t, tn } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { type Fact, factList, notice, pageStyles } from "./proven-page.ts";
import { shared } from "./styles.ts";

type Machine = NonNullable<NodeHardware["hardware"]>;
type Memory = NonNullable<Machine["memory"]>;

/** What machine a node is, so that another one like it can be bought. */
export class ProvenMachine extends AskedElement<NodeHardware> {
  static override properties = { ...AskedElement.properties, node: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    pageStyles,
    css`
      .state { padding: 8px 12px; }
    `,
  ];
  declare node: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.node}`;
  }

  protected ask(): Promise<Answer<NodeHardware>> {
    return this.panel.api.entities.hardware(this.node, this.cluster);
  }

  protected override render() {
    const { value } = this.asked;
    return html`<section class="panel" aria-label=${t("Hardware")}>
      <header><h2>${t("Hardware")}</h2></header>
      ${this.state()}
      ${value === undefined ? nothing : value.hardware === null ? unsaid() : machine(value.hardware)}
    </section>`;
  }
}
customElements.define("proven-machine", ProvenMachine);

const unsaid = () =>
  notice("grey", [
    t(
      "Unknown: no agent of this node has said what machine it is. It looks two minutes after its start, and then once a day; an older agent doesn't.",
    ),
  ]);

const machine = (hardware: Machine) => html`
  ${hardware.memory === undefined ? notice("grey", [missingText(hardware.missing)]) : nothing}
  ${factList([...machineFacts(hardware), ...(hardware.memory === undefined ? [] : memoryFacts(hardware.memory))])}
`;

function missingText(missing: Machine["missing"]): string {
  switch (missing) {
    case "smbios":
      return t(
        "The firmware of this machine has no SMBIOS table, as that of some virtual machines: what it consists of is unknown.",
      );
    case "dmidecode":
      return t("Memory modules are unknown: dmidecode is not installed on the node. Install it: apt install dmidecode");
    default:
      return t("Memory modules are unknown: dmidecode told of none.");
  }
}

/** Words that are known, one after the other. */
function words(...parts: readonly (string | undefined)[]) {
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? html`<span class="dim">${t("unknown")}</span>` : known.join(", ");
}

const named = (label: string, value: string | undefined) => (value === undefined ? undefined : `${label} ${value}`);

function machineFacts({ maker, model, serial, board, firmware, cpu }: Machine): Fact[] {
  const counts = [
    cpu.sockets === undefined ? undefined : tn(cpu.sockets, "{n} socket", "{n} sockets"),
    cpu.cores === undefined ? undefined : tn(cpu.cores, "{n} core", "{n} cores"),
    cpu.threads === undefined ? undefined : tn(cpu.threads, "{n} thread", "{n} threads"),
  ];
  return [
    { name: t("Maker"), value: words(maker) },
    { name: t("Model"), value: words(model) },
    { name: t("Serial number"), value: words(serial) },
    { name: t("Board"), value: words(board.maker, board.model, board.version, named(t("serial number"), board.serial)) },
    { name: t("BIOS or UEFI"), value: words(firmware.maker, firmware.version, firmware.date) },
    { name: t("Processor"), value: words(cpu.model, ...counts) },
  ];
}

function memoryFacts({ modules, emptySlots }: Memory): Fact[] {
  const bytes = modules.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? Number.NaN), 0);
  const size = Number.isNaN(bytes) ? undefined : formatValue(bytes, "bytes");
  return [
    {
      name: t("Memory modules"),
      value: words(
        size,
        tn(modules.length, "{n} module", "{n} modules"),
        emptySlots === 0 ? t("no empty slot") : tn(emptySlots, "{n} empty slot", "{n} empty slots"),
      ),
    },
    ...modules.map(({ place, slot, sizeBytes, type, speed, maker, part, serial }) => ({
      name: t("Slot {n}", { n: place }),
      value: words(
        slot,
        sizeBytes === undefined ? undefined : formatValue(sizeBytes, "bytes"),
        type,
        speed === undefined ? undefined : `${speed} MT/s`,
        maker,
        part,
        named(t("serial number"), serial),
      ),
    })),
  ];
}
