import { css } from "lit";

/** Looks of one chart. */
export const chartStyles = css`
  :host { background: var(--pv-panel); border: 1px solid var(--pv-line); min-width: 0; position: relative; display: flex; flex-direction: column; }
  header { display: flex; align-items: baseline; gap: 2px 10px; background: var(--pv-head); border-bottom: 1px solid var(--pv-line); padding: 4px 4px 4px 10px; }
  h3 { font-size: 13.5px; font-weight: 500; color: var(--pv-title); margin-right: auto; min-width: 0; }
  .when { color: var(--pv-dim); font-size: 11.5px; white-space: nowrap; }
  .save { white-space: nowrap; }
  .save button { min-height: 22px; padding: 0 5px; font-size: 11px; color: var(--pv-dim); }
  ul { display: flex; flex-wrap: wrap; gap: 0 16px; padding: 5px 10px 0; font-size: 12px; min-height: 23px; }
  li { display: flex; align-items: center; flex-wrap: wrap; gap: 0 5px; }
  .unseen { visibility: hidden; }
  .swatch { width: 12px; height: 3px; flex: none; print-color-adjust: exact; }
  .swatch.dashed { height: 0; border-top: 2px dashed; background: none; }
  .swatch.area { height: 9px; }
  .plot { height: 158px; margin: auto 4px 4px; flex: none; }
  .plot:focus-visible { outline-offset: -2px; }
  .plot .u-over { cursor: crosshair; }
  .plot .u-select { background: var(--pv-select); opacity: 0.5; }
  .mark { position: absolute; inset: calc(100% + 1px) -1px auto; z-index: 3; box-shadow: 0 4px 12px #0004; pointer-events: none; display: grid; gap: 1px; font-size: 12px; padding: 4px 8px; background: var(--pv-panel); border: 1px solid var(--pv-line); border-left: 4px solid var(--pv-dim); overflow-wrap: anywhere; }
  .mark.warning { border-left-color: var(--pv-warn); }
  .mark.critical { border-left-color: var(--pv-crit); }
`;
