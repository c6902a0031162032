/** Hands a file to the browser's downloads. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  // Chromium reads it within the click; Firefox a little later.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** `pve1 CPU 2026-11-23.csv`, without what file systems don't take. */
export const fileName = (about: string, heading: string, at: number, ending: string) =>
  `${[about, heading, new Date(at).toISOString().slice(0, 10)].join(" ").replace(/[^\p{L}\p{N} ._-]+/gu, "-")}.${ending}`;
