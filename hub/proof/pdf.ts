import type { Content, TDocumentDefinitions } from "pdfmake/interfaces.js";
import type { Sheet, SheetBlock } from "#protocol/sheet.ts";

/**
 * A sheet as PDF. pdfmake is loaded when the first one is wanted: it is larger than the rest of the hub. Its browser build holds its fonts'
 * measures; the other one looks for files beside itself, which a bundle has not.
 */
export async function pdfOf(sheet: Sheet): Promise<Buffer> {
  const [{ default: pdfmake }, { default: helvetica }] = await Promise.all([
    import("pdfmake/build/pdfmake.js"),
    import("pdfmake/build/standard-fonts/Helvetica.js"),
  ]);
  pdfmake.addFontContainer(helvetica);
  return Buffer.from(await pdfmake.createPdf(definitionOf(sheet)).getBuffer());
}

function definitionOf({ title, at, blocks }: Sheet): TDocumentDefinitions {
  return {
    info: { title, creator: "Proven", producer: "Proven", creationDate: new Date(at) },
    pageSize: "A4",
    pageMargins: [40, 40, 40, 40],
    defaultStyle: { font: "Helvetica", fontSize: 9, lineHeight: 1.15 },
    styles: {
      title: { fontSize: 15, bold: true, margin: [0, 0, 0, 6] },
      heading: { fontSize: 11, bold: true, margin: [0, 8, 0, 3] },
      text: { margin: [0, 0, 0, 3] },
      note: { fontSize: 8, italics: true, color: "#555555", margin: [0, 3, 0, 1] },
      log: { fontSize: 7, color: "#333333", margin: [8, 0, 0, 3] },
    },
    footer: (page, pages) => ({ text: `${title} · ${page}/${pages}`, fontSize: 7, color: "#777777", margin: [40, 10, 40, 0] }),
    content: blocks.map(contentOf),
  };
}

function contentOf(block: SheetBlock): Content {
  switch (block.is) {
    case "facts":
      return {
        layout: "noBorders",
        table: { body: block.rows.map(([label, value]) => [{ text: label, bold: true }, printable(value)]) },
      };
    case "table":
      return {
        layout: "lightHorizontalLines",
        fontSize: 8,
        table: {
          headerRows: 1,
          widths: block.head.map((_, index) => (index === block.head.length - 1 ? "*" : "auto")),
          body: [block.head.map((text) => ({ text, bold: true })), ...block.rows.map((row) => row.map(cellOf))],
        },
      };
    case "log":
      return { style: "log", text: block.lines.map(printable).join("\n") };
    case "image":
      return { image: `data:image/png;base64,${block.png}`, fit: [500, 320] };
    default:
      return { style: block.is, text: printable(block.text) };
  }
}

/** What is short stands in one line: a time that is broken in two is hard to read down a column. */
const unbrokenChars = 22;
const cellOf = (text: string) => ({ text: printable(text), noWrap: text.length <= unbrokenChars });

/** The built-in fonts know Western characters (Windows-1252) only: others would come out as something else. */
const printable = (text: string) =>
  text.replace(/[^\n\x20-\x7e\u00a0-\u00ff\u2013\u2014\u2018-\u201e\u2020-\u2022\u2026\u20ac]/g, "?");
