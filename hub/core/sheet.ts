import type { Sheet, SheetBlock } from "#protocol/sheet.ts";

/** The same as plain text; images are left out. */
export function sheetText({ blocks }: Sheet): string {
  return `${blocks.map(blockText).filter(Boolean).join("\n\n")}\n`;
}

function blockText(block: SheetBlock): string {
  switch (block.is) {
    case "title":
    case "text":
    case "note":
      return block.text;
    case "heading":
      return `${block.text}\n${"-".repeat(block.text.length)}`;
    case "facts":
      return block.rows.map(([label, value]) => `${label}: ${value}`).join("\n");
    case "table":
      return columns([block.head, ...block.rows]);
    case "log":
      return block.lines.map((line) => `  ${line}`).join("\n");
    case "image":
      return "";
  }
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
