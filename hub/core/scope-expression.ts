/** `tag=prod and not (name=test* or vmid=900..999)`: words, `and`, `or`, `not`, parentheses; `not` binds closest, then `and`. */

const expressionFields = ["tag", "pool", "node", "name", "type", "kind", "entity", "storage", "cluster", "vmid"] as const;
type Field = (typeof expressionFields)[number];

export type Expression =
  | { is: "and" | "or"; left: Expression; right: Expression }
  | { is: "not"; of: Expression }
  | { is: "test"; field: Field; value: string };

export type ParsedExpression = { ok: true; expression: Expression } | { ok: false; problem: string };

class Problem extends Error {}

/** `problem` is a sentence that names the place. */
export function parseExpression(text: string): ParsedExpression {
  const words = text.match(/[()]|"[^"]*"|[^\s()"=]+(?:=(?:"[^"]*"|[^\s()]*))?|\S/g) ?? [];
  try {
    const reader = new Reader(words);
    const expression = reader.either();
    reader.end();
    return { ok: true, expression };
  } catch (error) {
    if (error instanceof Problem) return { ok: false, problem: error.message };
    throw error;
  }
}

class Reader {
  private position = 0;
  private depth = 0;

  constructor(private readonly words: readonly string[]) {}

  either(): Expression {
    let left = this.both();
    while (this.take("or")) left = { is: "or", left, right: this.both() };
    return left;
  }

  end(): void {
    const left = this.words[this.position];
    if (left !== undefined) throw new Problem(`'${left}' was not expected there`);
  }

  private both(): Expression {
    let left = this.one();
    while (this.take("and")) left = { is: "and", left, right: this.one() };
    return left;
  }

  private one(): Expression {
    if (++this.depth > 50) throw new Problem("it is nested too deeply");
    try {
      if (this.take("not")) return { is: "not", of: this.one() };
      if (!this.take("(")) return this.test();
      const inner = this.either();
      if (!this.take(")")) throw new Problem("a ) is missing");
      return inner;
    } finally {
      this.depth--;
    }
  }

  private test(): Expression {
    const word = this.words[this.position++];
    if (word === undefined) throw new Problem("it ends where a test like tag=prod was expected");
    const [, name, quoted, plain] = /^([a-z]+)=(?:"([^"]*)"|(.*))$/i.exec(word) ?? [];
    const field = expressionFields.find((one) => one === name?.toLowerCase());
    if (field === undefined) throw new Problem(`'${word}' is no test: write ${expressionFields.join("=, ")}= with a value`);
    const value = quoted ?? plain ?? "";
    if (value === "") throw new Problem(`'${word}' has no value`);
    if (field === "vmid" && !/^\d+(\.\.\d+)?$/.test(value))
      throw new Problem(`'${word}': a vmid is a number, or a range 100..199`);
    return { is: "test", field, value };
  }

  private take(word: string): boolean {
    if (this.words[this.position]?.toLowerCase() !== word) return false;
    this.position++;
    return true;
  }
}
