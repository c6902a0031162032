import { css } from "lit";

/** Windows above the page. The native dialog keeps the focus inside, closes with Escape and gives the focus back. */
export const dialogStyles = css`
  dialog { width: min(640px, calc(100vw - 24px)); max-height: min(80vh, 720px); padding: 0; border: 1px solid var(--pv-line); border-radius: 6px; background: var(--pv-panel); color: var(--pv-text); overflow: hidden; box-shadow: 0 12px 40px rgb(0 0 0 / 35%); margin-top: 9vh; }
  dialog::backdrop { background: rgb(0 0 0 / 35%); }
`;
