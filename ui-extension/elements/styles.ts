import { css } from "lit";

/** What every element of the panel shares: type, links, buttons, states. Sizes are PVE's: 13 px, tight rows. */
export const shared = css`
  :host { display: block; box-sizing: border-box; font: 13px / 1.45 "Open Sans", "Helvetica Neue", helvetica, arial, verdana, sans-serif; color: var(--pv-text); }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: inherit; }
  a { color: var(--pv-link); text-decoration: none; }
  a:hover { text-decoration: underline; }
  :focus-visible { outline: 2px solid var(--pv-primary); outline-offset: 1px; border-radius: 2px; }
  h1, h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
  ul { list-style: none; }
  button, input, select { font: inherit; color: inherit; }
  button { background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 10px; cursor: pointer; min-height: 26px; }
  button:hover { background: var(--pv-hover); }
  button[aria-pressed="true"] { background: var(--pv-select); border-color: var(--pv-primary); }
  button.primary { background: var(--pv-primary); border-color: var(--pv-primary); color: var(--pv-primary-text); }
  button.quiet { border-color: transparent; background: transparent; }
  button:disabled { opacity: 0.6; cursor: default; }
  input[type="search"], input[type="password"] { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 8px; min-height: 26px; }
  .icon { width: 1.15em; height: 1.15em; vertical-align: -0.2em; fill: currentColor; flex: none; }
  .dim { color: var(--pv-dim); }
  .dim a { text-decoration: underline; }
  .ok { color: var(--pv-ok); }
  .warn { color: var(--pv-warn); }
  .crit { color: var(--pv-crit); }
  .num { font-variant-numeric: tabular-nums; }
  .nowrap { white-space: nowrap; }
  .cut { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  .panel { background: var(--pv-panel); border: 1px solid var(--pv-line); min-width: 0; }
  .panel > header { display: flex; align-items: center; gap: 8px; flex-wrap: wrap; background: var(--pv-head); border-bottom: 1px solid var(--pv-line); padding: 4px 10px; min-height: 34px; }
  .panel > header h2 { font-size: 14px; font-weight: 500; color: var(--pv-title); }
  .panel > header .end { margin-left: auto; }
  .tag { display: inline-block; border: 1px solid var(--pv-line); border-radius: 3px; padding: 0 5px; margin-right: 3px; font-size: 11.5px; line-height: 16px; background: var(--pv-unknown-tint); max-width: 100%; overflow-wrap: anywhere; }
  .meter { display: grid; grid-template-columns: 42px minmax(0, 1fr); gap: 4px; align-items: center; }
  .meter.wide { grid-template-columns: auto minmax(30px, 1fr); gap: 8px; }
  .meter > .bar { height: 6px; }
  .bar { height: 4px; background: var(--pv-bar-back); overflow: hidden; }
  .bar > i { display: block; height: 100%; background: var(--pv-bar); }
  .bar, .bar > i { print-color-adjust: exact; }
  .bar > i.warn { background: var(--pv-bar-warn); }
  .bar > i.crit { background: var(--pv-bar-crit); }
  @media (prefers-reduced-motion: no-preference) { .bar > i { transition: width 0.3s; } }
`;
