import { html, svg, type TemplateResult } from "lit";

/** Shapes on a 16 × 16 grid. Each state has its own shape: none is told by colour alone. */
const shapes = {
  shield: svg`<path d="M8 1 2 3v5c0 3.5 2.5 6 6 7 3.5-1 6-3.5 6-7V3zm-.9 10.2L4.3 8.4l1.1-1.1 1.7 1.7 3.6-3.6 1.1 1.1z"/>`,
  node: svg`<path d="M3 1h10v4H3zm0 5h10v4H3zm0 5h10v4H3zm8-8.5v1h1v-1zm0 5v1h1v-1zm0 5v1h1v-1z" fill-rule="evenodd"/>`,
  qemu: svg`<path d="M1 2h14v9H1zm1.5 1.5v6h11v-6zM6 12h4v1.5h2V15H4v-1.5h2z" fill-rule="evenodd"/>`,
  lxc: svg`<path d="m8 1 6.5 3v8L8 15l-6.5-3V4zm0 1.7L4 4.5l4 1.9 4-1.9zM3 5.8v5.3l4.2 2V7.7z" fill-rule="evenodd"/>`,
  storage: svg`<path d="M8 1c3.3 0 6 .9 6 2.2v9.6c0 1.3-2.7 2.2-6 2.2s-6-.9-6-2.2V3.2C2 1.9 4.7 1 8 1m0 1.2c-2.6 0-4.4.6-4.6 1 .2.4 2 1 4.6 1s4.4-.6 4.6-1c-.2-.4-2-1-4.6-1" fill-rule="evenodd"/>`,
  cpu: svg`<path d="M4 4h8v8H4zm2 2v4h4V6zM5 1h1v2H5zm2.5 0h1v2h-1zM10 1h1v2h-1zM5 13h1v2H5zm2.5 0h1v2h-1zm2.5 0h1v2h-1zM1 5h2v1H1zm0 2.5h2v1H1zM1 10h2v1H1zm12-5h2v1h-2zm0 2.5h2v1h-2zm0 2.5h2v1h-2z" fill-rule="evenodd"/>`,
  memory: svg`<path d="M1 4h14v7H1zm2 1.5v3h2v-3zm3.5 0v3h3v-3zm4.5 0v3h2v-3zM2 12h2v1H2zm3 0h2v1H5zm4 0h2v1H9zm3 0h2v1h-2z" fill-rule="evenodd"/>`,
  ok: svg`<path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1M6.9 11.3l5-5-1.1-1.1-3.9 3.9-1.8-1.8L4 8.4z" fill-rule="evenodd"/>`,
  warning: svg`<path d="M8 1 15.5 15H.5zm-.8 4.5.2 5h1.2l.2-5zm0 6.2v1.6h1.6v-1.6z" fill-rule="evenodd"/>`,
  critical: svg`<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5zm.6 3.5L4.5 5.6 6.9 8l-2.4 2.4 1.1 1.1L8 9.1l2.4 2.4 1.1-1.1L9.1 8l2.4-2.4-1.1-1.1L8 6.9z" fill-rule="evenodd"/>`,
  unknown: svg`<path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1m-.8 10.2v1.6h1.6v-1.6zM5.4 6.3h1.5C6.9 5.5 7.3 5 8 5s1.2.5 1.2 1.1c0 .6-.3.9-.9 1.4-.8.6-1.1 1.1-1.1 2v.5h1.5v-.4c0-.5.2-.8.8-1.2.8-.6 1.2-1.3 1.2-2.3C10.7 4.7 9.6 3.6 8 3.6S5.4 4.7 5.4 6.3" fill-rule="evenodd"/>`,
  running: svg`<path d="M3.5 2v12l10-6z"/>`,
  stopped: svg`<path d="M3 3h10v10H3z"/>`,
  paused: svg`<path d="M3 2h4v12H3zm6 0h4v12H9z"/>`,
  lock: svg`<path d="M4.5 7V5a3.5 3.5 0 0 1 7 0v2H13v8H3V7zm1.5 0h4V5a2 2 0 0 0-4 0z" fill-rule="evenodd"/>`,
  template: svg`<path d="M2 1h8l4 4v10H2zm1.5 1.5v11h9V6H9V2.5z" fill-rule="evenodd"/>`,
  search: svg`<path d="M6.5 1a5.5 5.5 0 0 1 4.3 8.9l4 4-1.2 1.2-4-4A5.5 5.5 0 1 1 6.5 1m0 1.6a3.9 3.9 0 1 0 0 7.8 3.9 3.9 0 0 0 0-7.8" fill-rule="evenodd"/>`,
  up: svg`<path d="m8 4 5 7H3z"/>`,
  down: svg`<path d="m8 12 5-7H3z"/>`,
  info: svg`<path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1m-.9 5.8v5h1.8v-5zm0-2.8v1.7h1.8V4z" fill-rule="evenodd"/>`,
  bell: svg`<path d="M8 1a1 1 0 0 1 1 1v.4c2 .5 3.3 2.2 3.3 4.3v3.5l1.5 1.9v.7H2.2v-.7l1.5-1.9V6.7C3.7 4.6 5 2.9 7 2.4V2a1 1 0 0 1 1-1M6.4 13.6h3.2a1.6 1.6 0 0 1-3.2 0"/>`,
  quiet: svg`<path d="M2.5 1.5 14.5 13.500l-1 1-2-2H2.200v-.7l1.500-1.900V6.700c0-.7.1-1.300.4-1.900l-2.600-2.300zM8 1a1 1 0 0 1 1 1v.4c2 .5 3.300 2.200 3.300 4.300v2.600L5.600 3.200A4 4 0 0 1 7 2.400V2a1 1 0 0 1 1-1M6.400 13.600h3.200a1.600 1.600 0 0 1-3.200 0"/>`,
  clock: svg`<path d="M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1m0 1.600a5.400 5.400 0 1 0 0 10.800A5.400 5.400 0 0 0 8 2.600m.8 1.400v3.700l2.600 1.500-.8 1.300-3.400-2V4z" fill-rule="evenodd"/>`,
  screen: svg`<path d="M1 2h14v10H1zm1.500 1.500v7h11v-7zM5 13h6v1.500H5z" fill-rule="evenodd"/>`,
  keyboard: svg`<path d="M1 3.500h14v9H1zM2.500 5v1.500H4V5zm3 0v1.500H7V5zm3 0v1.500H10V5zm3 0v1.500H13V5zm-9 2.500V9H4V7.500zm3 0V9H7V7.500zm3 0V9H10V7.500zm3 0V9H13V7.500zM4.500 10v1h7v-1z" fill-rule="evenodd"/>`,
  live: svg`<circle cx="8" cy="8" r="4.5"/>`,
} as const;

export type IconName = keyof typeof shapes;

/** The shapes of a verdict; `dim`: nobody can say. */
export const levelIcons = { ok: "ok", warn: "warning", crit: "critical", dim: "unknown" } as const satisfies Record<
  string,
  IconName
>;

/** An icon. Decoration for the words beside it, unless it has a name of its own. */
export function icon(name: IconName, label?: string): TemplateResult {
  return label === undefined
    ? html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">${shapes[name]}</svg>`
    : html`<svg class="icon" viewBox="0 0 16 16" role="img" aria-label=${label}>${shapes[name]}</svg>`;
}
