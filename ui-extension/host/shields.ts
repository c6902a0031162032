import type { Shield } from "../core/guest-mark.ts";
import type { Translate } from "../core/text.ts";

/** A guest's row in the tree: Ext writes `recordId` into the row's `data-recordid`. */
export type ShieldRow = { recordId: string; shield: Shield };

/** A selector is matched against every visible row: beyond this many, only the worst are drawn. */
const maxRows = 2000;
const worstFirst: readonly Shield[] = ["critical", "warning", "unknown", "unproven", "proven"];

/** Font Awesome 4's shield, which PVE's page has, and a sign of its own for each state: none is told by colour alone. */
const looks: Record<Shield, { sign: string; colour: string }> = {
  critical: { sign: "\\f132\\00d7", colour: "#d9362b" },
  warning: { sign: "\\f132!", colour: "#d98200" },
  unknown: { sign: "\\f132?", colour: "#8a8a8a" },
  unproven: { sign: "\\f132", colour: "#8a8a8a" },
  proven: { sign: "\\f132\\2713", colour: "#21854a" },
};

const stripSheet = `
.proven-strip-body{display:flex;align-items:center;gap:12px;margin:0 5px 5px;padding:4px 10px;border:1px solid #8a8a8a66;border-left-width:4px;color:var(--pwt-text-color,#1f1f1f);font:13px/1.5 "Open Sans","Helvetica Neue",helvetica,arial,verdana,sans-serif}
.proven-strip-body span{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.proven-strip-body button{font:inherit;color:inherit;background:none;border:1px solid #8a8a8a;border-radius:3px;padding:1px 10px;cursor:pointer}
.proven-strip-body.proven{border-left-color:#21854a}
.proven-strip-body.warning{border-left-color:#d98200}
.proven-strip-body.critical{border-left-color:#d9362b}
`;

/**
 * A style sheet that draws a shield behind the name of each guest in the tree. PVE redraws rows every few seconds; rules keyed by row survive
 * that, and touch no element of the page.
 */
export function shieldRules(viewId: string, rows: readonly ShieldRow[], t: Translate): string {
  const names: Record<Shield, string> = {
    critical: t("Proven: open critical alert"),
    warning: t("Proven: open warning"),
    unknown: t("Proven: unknown"),
    unproven: t("Proven: no restore proof yet"),
    proven: t("Proven: restore proven"),
  };
  let left = maxRows;
  const rules = worstFirst.map((shield) => {
    const drawn = rows.filter((row) => row.shield === shield).slice(0, left);
    left -= drawn.length;
    if (drawn.length === 0) return "";
    const selectors = drawn.map(
      ({ recordId }) => `#${CSS.escape(viewId)} table[data-recordid="${CSS.escape(recordId)}"] .x-tree-node-text::after`,
    );
    const { sign, colour } = looks[shield];
    // The second `content` has a name for screen readers; browsers that don't know the syntax keep the first.
    return `${selectors.join(",\n")}{content:"${sign}";content:"${sign}" / "${names[shield]}";color:${colour};margin-left:6px;font:12px FontAwesome,sans-serif}`;
  });
  // On the colour of a chosen row, in light and dark, only its own text is sure to be readable.
  const chosen = `#${CSS.escape(viewId)} table.x-grid-item-selected .x-tree-node-text::after{color:inherit}`;
  return `${stripSheet}${rules.join("\n")}\n${chosen}`;
}
