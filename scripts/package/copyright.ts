import type { Library } from "./libraries.ts";

/** Their texts are on every Debian system. */
const common: Record<string, string> = {
  "Apache-2.0": "/usr/share/common-licenses/Apache-2.0",
  "MPL-2.0": "/usr/share/common-licenses/MPL-2.0",
};
/** Whose licence file holds the words that all of them use. */
const exemplars: Record<string, string> = {
  MIT: "zod",
  ISC: "inherits",
  "BSD-3-Clause": "lit-html",
  "0BSD": "tslib",
  "MIT-0": "nodemailer",
  "OLDAP-2.8": "liblmdb",
  "BSD-2-Clause": "lz4",
  Unlicense: "tweetnacl",
};

/** A licence nobody has looked at yet. */
export class LicenceError extends Error {}

/** A field's continuation lines (deb822(5)): each begins with a blank, an empty one is a dot. */
const folded = (text: string) =>
  text
    .trim()
    .split(/\r?\n/)
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`))
    .join("\n");

function licenceText(licence: string, libraries: readonly Library[]): string {
  const path = common[licence];
  if (path !== undefined) return `On Debian systems the full text is in ${path}.`;
  const text = libraries.find(({ name }) => name === exemplars[licence])?.text;
  if (text === undefined) throw new LicenceError(`${licence}: look at it, then name it in scripts/package/copyright.ts`);
  return text.replace(/^.*copyright .*$\n?/im, "").replace(/^(the )?(MIT|ISC|BSD|BSD 3-Clause) licen[cs]e.*$/im, "");
}

/** debian/copyright in its machine-readable form: ours, then each bundled library. @throws LicenceError for an unknown licence. */
export function copyrightText(libraries: readonly Library[]): string {
  const licences = [...new Set(libraries.map(({ licence }) => licence))].sort();
  const stanzas = [
    ["Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/", "Upstream-Name: proven"],
    ["Files: *", "Copyright: 2026 The authors of Proven", "License: AGPL-3.0+"],
    ...libraries.map(({ name, version, licence, copyright }) => [
      `Files: node_modules/${name}/*`,
      `Comment: ${name} ${version}, in the bundles below /usr/lib/proven and /usr/share`,
      `Copyright: ${copyright.map((line) => line.replace(/^copyright( \(c\))?:? */i, "")).join("\n           ")}`,
      `License: ${licence}`,
    ]),
    ["License: AGPL-3.0+", folded(agpl)],
    ...licences.map((licence) => [`License: ${licence}`, folded(licenceText(licence, libraries))]),
  ];
  return `${stanzas.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

const agpl = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero
General Public License as published by the Free Software Foundation, either version 3 of the License, or (at
your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the
implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU Affero General Public
License for more details.

You should have received a copy of the GNU Affero General Public License along with this program. If not, see
<https://www.gnu.org/licenses/>.`;
