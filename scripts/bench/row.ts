/** One line of the result, as `--json` writes it. */
export type Row = {
  name: string;
  /** Ours, or the peer's own where the name begins with the peer's. Null: could not be measured, `target` says why. */
  value: number | null;
  unit: string;
  /** Whom `ratio` compares with; null: nobody. */
  peer: string | null;
  /** Our value by the peer's. */
  ratio: number | null;
  /** `≤ 0.10×` bounds the ratio, `≤ 60` the value; a sentence says why something is missing; null: shown for information. */
  target: string | null;
  /** Null: not known, or nothing to meet. */
  met: boolean | null;
};

/** Upper bound of a value, in the row's unit. */
export function valueRow(name: string, unit: string, value: number, atMost?: number): Row {
  const target = atMost === undefined ? null : `≤ ${atMost}`;
  return { name, value, unit, peer: null, ratio: null, target, met: atMost === undefined ? null : value <= atMost };
}

export type PeerValue = { peer: string; value: number } | { peer: string; missing: string };

/** Upper bound of our value by the peer's. A peer that could not be had or measured makes the row unknown, never a ratio. */
export function ratioRow(name: string, unit: string, value: number, other: PeerValue, atMost?: number): Row {
  const target = atMost === undefined ? null : `≤ ${atMost.toFixed(2)}×`;
  if ("missing" in other) {
    return { name, value, unit, peer: other.peer, ratio: null, target: `peer not available: ${other.missing}`, met: null };
  }
  const ratio = value / other.value;
  return { name, value, unit, peer: other.peer, ratio, target, met: atMost === undefined ? null : ratio <= atMost };
}

/** The peer with the smallest value; unknown when one of them is missing, because it might have been the best. */
export function bestOf(peers: readonly PeerValue[]): PeerValue {
  const names = peers.map(({ peer }) => peer).join(", ");
  const missing = peers.find((peer) => "missing" in peer);
  if (missing !== undefined || peers.length === 0) {
    return { peer: `best of ${names}`, missing: missing !== undefined && "missing" in missing ? missing.missing : "no peer" };
  }
  const measured = peers.filter((peer) => "value" in peer).sort((a, b) => a.value - b.value);
  const [best] = measured;
  return best === undefined ? { peer: names, missing: "no peer" } : { peer: `best: ${best.peer}`, value: best.value };
}

export function missingRow(name: string, unit: string, why: string): Row {
  return { name, value: null, unit, peer: null, ratio: null, target: why, met: null };
}

/** Middle value; of an even number the lower of the two. NaN of nothing. */
export const median = (values: readonly number[]) => quantile(values, 0.5);

/** Nearest rank: the smallest value that at least `share` of all are not above. NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

const digits = (value: number) => (value === 0 ? "0" : value.toPrecision(value >= 1000 ? 4 : 3)).replace(/e\+?\d+$/, "");
export const shortNumber = (value: number) => (Math.abs(value) >= 10_000 ? String(Math.round(value)) : digits(value));

const verdict = (met: boolean | null) => (met === null ? "·" : met ? "met" : "MISSED");

function cells(row: Row): string[] {
  return [
    row.name,
    row.value === null ? "–" : shortNumber(row.value),
    row.unit,
    row.peer ?? "",
    row.ratio === null ? "" : `${row.ratio.toFixed(3)}×`,
    row.target ?? "",
    verdict(row.met),
  ];
}

/** The rows as text columns under a head line; numbers stand to the right. */
export function formatTable(rows: readonly Row[]): string {
  const head = ["measure", "value", "unit", "peer", "ratio", "target", ""];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const toRight = new Set([1, 4]);
  return lines
    .map((line) =>
      line
        .map((cell, column) => (toRight.has(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
