import type { ReadStream } from "node:tty";
import { DeployProblem } from "./problem.ts";

/** Whoever sits before the command. */
export interface Terminal {
  /** False: nobody can be asked. */
  readonly interactive: boolean;
  ask(question: string): Promise<string>;
  /** What is typed is not shown. */
  askSecret(question: string): Promise<string>;
}

type Keyboard = Pick<ReadStream, "isTTY" | "setRawMode" | "on" | "off" | "resume" | "pause" | "setEncoding">;
type Screen = { write(text: string): unknown };

/** The terminal is taken out of its line mode while a question is open, as nothing else keeps a secret off the screen. */
export function openTerminal(keyboard: Keyboard, screen: Screen): Terminal {
  const read = (question: string, shown: boolean) => {
    screen.write(question);
    return readLine(keyboard, (text) => shown && screen.write(text)).finally(() => screen.write("\n"));
  };
  return {
    interactive: keyboard.isTTY === true,
    ask: (question) => read(question, true),
    askSecret: (question) => read(question, false),
  };
}

function readLine(keyboard: Keyboard, show: (text: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: string[] = [];
    const hear = (text: string) => {
      for (const key of text) {
        if (key === "\r" || key === "\n") return end(() => resolve(line.join("")));
        if (key === "\u0003" || key === "\u0004") return end(() => reject(new DeployProblem("interrupted")));
        if (key === "\u007f" || key === "\b") {
          if (line.pop() !== undefined) show("\b \b");
        } else if (key === "\u0015") {
          show("\b \b".repeat(line.length));
          line = [];
        } else if (key >= " ") {
          line.push(key);
          show(key);
        }
      }
    };
    const end = (settle: () => void) => {
      keyboard.off("data", hear);
      keyboard.setRawMode(false);
      keyboard.pause();
      settle();
    };
    keyboard.setRawMode(true);
    keyboard.setEncoding("utf8");
    keyboard.on("data", hear);
    keyboard.resume();
  });
}
