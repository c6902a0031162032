import type { TemplateResult } from "lit";
import type { FieldProblem, Scope } from "#protocol/alerting.ts";
import { type ScopeField, scopeFieldText, withScopeField } from "../core/rules.ts";
import { t } from "../i18n.ts";
import { field, problemsOf, textInput } from "./form.ts";

const labels: readonly [field: ScopeField, label: () => string, example: string][] = [
  ["nodes", () => t("Nodes"), "pve1, pve2"],
  ["guests", () => t("Guests, by VMID"), "100, 105"],
  ["tags", () => t("Tags"), "prod"],
  ["storages", () => t("Storages"), "nfs1"],
  ["pools", () => t("Pools"), "clients"],
  ["types", () => t("Types"), "qemu, lxc"],
  ["instances", () => t("Instances"), "scsi*"],
  ["expression", () => t("Expression"), "tag=prod and not name=test*"],
];

/** What something applies to: every field that is given must hold. `shown`: which fields. */
export const scopeFields = (
  scope: Scope,
  name: string,
  problems: readonly FieldProblem[],
  change: (scope: Scope) => void,
  shown: readonly ScopeField[] = labels.map(([field]) => field),
): TemplateResult[] =>
  labels
    .filter(([one]) => shown.includes(one))
    .map(([one, label, example]) => {
      const wrong = problemsOf(problems, `${name}.${one}`);
      const input = textInput(scopeFieldText(scope, one), (typed) => change(withScopeField(scope, one, typed)), {
        wrong: wrong.length > 0,
        placeholder: example,
      });
      return field(label(), input, wrong);
    });
