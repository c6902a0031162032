import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** A constant that isn't where a table says it is, or whose value isn't made of numbers. */
export class ConstantError extends Error {}

/**
 * Value of a constant as the source says it: `bodyMax`, `serverBounds.total`, `server.maxConnections` (set with `=`), in a unit of systemd `MemoryMax`.
 * Read, not imported: what bounds a part is nobody else's business there. @throws ConstantError
 */
export function constantIn(file: string, name: string): number {
  if (file.endsWith(".service")) return systemdSize(file, name);
  const source = readFileSync(join(root, file), "utf8");
  const expression = expressionOf(source, name);
  if (expression === undefined) throw new ConstantError(`${file}: there is no ${name}`);
  return evaluate(expression, (identifier) => resolve(file, source, identifier));
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function expressionOf(source: string, name: string): string | undefined {
  const simple = new RegExp(`^\\s*(?:export )?const ${escaped(name)}(?:: [^=]+)? = ([^;{]+);`, "m").exec(source)?.[1];
  if (simple !== undefined) return simple;
  const assigned = new RegExp(`^\\s*${escaped(name)} = ([^;]+);`, "m").exec(source)?.[1];
  const [object = "", ...path] = name.split(".");
  const key = path.at(-1);
  if (assigned !== undefined || key === undefined) return assigned;
  let block = new RegExp(`const ${escaped(object)}(?:: [^=]+)? = \\{([\\s\\S]*?)\\}(?: as const[^;]*| satisfies [^;]*)?;`).exec(
    source,
  )?.[1];
  for (const part of path.slice(0, -1)) block = new RegExp(`\\b${escaped(part)}: \\{([^}]*)\\}`).exec(block ?? "")?.[1];
  return new RegExp(`(?:^|[\\s{])${escaped(key)}: ([^,\\n}]+)`).exec(block ?? "")?.[1]?.trim();
}

/** Another constant of this file, or one that it imports. */
function resolve(file: string, source: string, identifier: string): number {
  const [first = ""] = identifier.split(".");
  const from = new RegExp(`import \\{[^}]*\\b${first}\\b[^}]*\\} from "([^"]+)"`).exec(source)?.[1];
  if (from === undefined) return constantIn(file, identifier);
  return constantIn(from.startsWith("#protocol/") ? from.slice(1) : join(dirname(file), from), identifier);
}

const binary: Record<string, [precedence: number, apply: (a: number, b: number) => number]> = {
  "<<": [1, (a, b) => a * 2 ** b],
  "+": [2, (a, b) => a + b],
  "-": [2, (a, b) => a - b],
  "*": [3, (a, b) => a * b],
  "/": [3, (a, b) => a / b],
  "**": [4, (a, b) => a ** b],
};

/** Numbers, names, parentheses and the operators above. `<<` counts without the sign bit: a bound is never negative. */
export function evaluate(expression: string, lookUp: (identifier: string) => number): number {
  const tokens = expression.match(/\d[\d_]*(?:\.\d+)?|0x[\da-f]+|[A-Za-z_][\w.]*|<<|\*\*|[-+*/()]/g) ?? [];
  if (tokens.join("") !== expression.replace(/\s/g, "")) throw new ConstantError(`${expression} is not made of numbers`);
  const operand = (): number => {
    const token = tokens.shift();
    if (token === undefined) throw new ConstantError(`${expression} ends too soon`);
    if (token === "(") {
      const inner = chain(0);
      tokens.shift();
      return inner;
    }
    return /^\d/.test(token) ? Number(token.replaceAll("_", "")) : lookUp(token);
  };
  const chain = (least: number): number => {
    let left = operand();
    for (;;) {
      const [precedence, apply] = binary[tokens[0] ?? ""] ?? [];
      if (precedence === undefined || apply === undefined || precedence < least) return left;
      tokens.shift();
      left = apply(left, chain(precedence + 1));
    }
  };
  return chain(0);
}

function systemdSize(file: string, name: string): number {
  const text = new RegExp(`^${escaped(name)}=(\\d+)([MG]?)$`, "m").exec(readFileSync(join(root, file), "utf8"));
  if (text === null) throw new ConstantError(`${file}: there is no ${name}`);
  const factors: Record<string, number> = { M: 2 ** 20, G: 2 ** 30 };
  return Number(text[1]) * (factors[text[2] ?? ""] ?? 1);
}
