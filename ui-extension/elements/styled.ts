import { noChange } from "lit";
import { Directive, directive, type ElementPart, type PartInfo, PartType } from "lit/directive.js";

/**
 * Sets CSS properties of the element it stands in. Lit's own styleMap writes a style attribute first, which the hub's Content-Security-Policy
 * forbids; setting properties by script is allowed.
 */
class Styled extends Directive {
  constructor(info: PartInfo) {
    super(info);
    if (info.type !== PartType.ELEMENT) throw new Error("styled() stands in an element's tag");
  }

  override render(_properties: Readonly<Record<string, string>>) {
    return noChange;
  }

  override update(part: ElementPart, [properties]: [Readonly<Record<string, string>>]) {
    if (part.element instanceof HTMLElement) {
      for (const [name, value] of Object.entries(properties)) part.element.style.setProperty(name, value);
    }
    return noChange;
  }
}

/** `<i ${styled({ width: "40%" })}>`; an empty text removes the property. */
export const styled = directive(Styled);
