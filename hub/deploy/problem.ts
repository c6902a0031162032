/** Why an agent was not deployed, and what to do about it: for the person at the terminal. */
export class DeployProblem extends Error {}

/** Words of another machine on this terminal: without what could steer it. */
export const printable = (text: string) =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is taken out
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "");
