import { asObject, type JsonObject } from "./values.ts";

/** Longest item that is kept; a longer one is no entry of any list we know. */
const itemMaxChars = 1 << 20;

/**
 * Takes a long JSON answer `{"data": [ {…}, {…} ]}` in pieces and hands over one object of the list after the other, so that a list of many
 * thousands never stands in memory. Objects elsewhere than directly in a list at the second level are part of what contains them.
 */
export class JsonItems {
  private depth = 0;
  private inText = false;
  private escaped = false;
  private item = "";
  private taking = false;
  /** Something was not JSON: the items are not the whole list. */
  broken = false;

  constructor(private readonly take: (item: JsonObject) => void) {}

  push(chunk: string): void {
    let from = this.taking ? 0 : -1;
    for (let i = 0; i < chunk.length; i++) {
      const char = chunk.charCodeAt(i);
      if (this.inText) {
        if (this.escaped) this.escaped = false;
        else if (char === 0x5c) this.escaped = true;
        else if (char === 0x22) this.inText = false;
      } else if (char === 0x22) this.inText = true;
      else if (char === 0x7b || char === 0x5b) {
        this.depth++;
        if (char === 0x7b && this.depth === 3) {
          this.taking = true;
          from = i;
        }
      } else if (char === 0x7d || char === 0x5d) {
        if (this.depth === 3 && this.taking) {
          this.finish(this.item + chunk.slice(from, i + 1));
          from = -1;
        }
        this.depth--;
      }
    }
    if (from >= 0) this.item += chunk.slice(from);
    if (this.item.length <= itemMaxChars) return;
    this.broken = true;
    this.item = "";
  }

  /** True when the answer was complete and all of it was understood. */
  end(): boolean {
    return !this.broken && this.depth === 0 && !this.inText && !this.taking;
  }

  private finish(text: string): void {
    this.item = "";
    this.taking = false;
    try {
      const item = asObject(JSON.parse(text));
      if (item !== undefined) this.take(item);
    } catch {
      this.broken = true;
    }
  }
}
