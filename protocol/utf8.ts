/** UTF-8 is the one thing of the platform that the protocol needs. Browsers and Node have it alike; the compiler is told of neither here. */
type Platform = {
  TextEncoder: new () => { encode(text: string): Uint8Array };
  TextDecoder: new (label: "utf-8", options: { fatal: boolean }) => { decode(bytes: Uint8Array): string };
};
const platform = globalThis as unknown as Platform;

const encoder = new platform.TextEncoder();
const decoder = new platform.TextDecoder("utf-8", { fatal: true });

export const encodeUtf8 = (text: string): Uint8Array => encoder.encode(text);

/** Throws a TypeError on bytes that aren't UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes);
