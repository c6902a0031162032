import { css } from "lit";
import { Observable } from "./observable.ts";
import { type Theme, type ThemeChoice, themeOf } from "./theme-choice.ts";

/** The theme in force, kept up with PVE's and the system's. */
export class ThemeWatch {
  readonly theme: Observable<Theme>;
  readonly choice: Observable<ThemeChoice>;
  readonly #media = matchMedia("(prefers-color-scheme: dark)");
  readonly #update = () => this.theme.set(this.#read());

  constructor(choice: ThemeChoice) {
    this.choice = new Observable(choice);
    this.theme = new Observable(this.#read());
  }

  start(): void {
    this.#media.addEventListener("change", this.#update);
    this.#update();
  }

  stop(): void {
    this.#media.removeEventListener("change", this.#update);
  }

  choose(choice: ThemeChoice): void {
    this.choice.set(choice);
    this.#update();
  }

  #read(): Theme {
    const panelBackground = getComputedStyle(document.documentElement).getPropertyValue("--pwt-panel-background");
    return themeOf(this.choice.value, { panelBackground, cookie: document.cookie, systemDark: this.#media.matches });
  }
}

/** The palette, on proven-app; everything inside inherits it. Names say the use. PVE's variables come first where it has one. */
export const palette = css`
  :host {
    --pv-page: #f2f2f2;
    --pv-panel: var(--pwt-panel-background, #fff);
    --pv-head: #f5f5f5;
    --pv-text: var(--pwt-text-color, #1f1f1f);
    --pv-dim: #5f5f5f;
    --pv-line: #cfcfcf;
    --pv-line-soft: #e7e7e7;
    --pv-title: #1769a8;
    --pv-link: #15639f;
    --pv-primary: #1f74b5;
    --pv-primary-text: #fff;
    --pv-select: #c2ddf2;
    --pv-hover: #eaf3fa;
    --pv-bar: var(--pwt-gauge-default, #8fc1e8);
    --pv-bar-back: var(--pwt-gauge-back, #ebebeb);
    --pv-bar-warn: var(--pwt-gauge-warn, #fc0);
    --pv-bar-crit: var(--pwt-gauge-crit, #ff6c59);
    --pv-ok: #1c7d31;
    --pv-warn: #8a5a00;
    --pv-crit: #b3261e;
    --pv-warn-tint: #fff3cf;
    --pv-crit-tint: #f9dcdc;
    --pv-ok-tint: #e2f3e4;
    --pv-unknown-tint: #e9ebee;
    --pv-top: #d0d0d0;
    --pv-grid: #e3e3e3;
    --pv-axis: #5f5f5f;
    --pv-line-0: #7b9206;
    --pv-line-1: #115fa6;
    --pv-line-2: #a61120;
    --pv-line-3: #c06400;
    --pv-line-4: #7a7a7a;
    --pv-line-5: #24787a;
    color-scheme: light;
  }
  :host([theme="dark"]) {
    --pv-page: #1a1a1a;
    --pv-panel: var(--pwt-panel-background, #262626);
    --pv-head: #303030;
    --pv-text: var(--pwt-text-color, #f2f2f2);
    --pv-dim: #b3b3b3;
    --pv-line: #4a4a4a;
    --pv-line-soft: #3a3a3a;
    --pv-title: #7cc0f2;
    --pv-link: #7cc0f2;
    --pv-primary: #0060a4;
    --pv-primary-text: #fff;
    --pv-select: #0a4a78;
    --pv-hover: #30383e;
    --pv-bar: var(--pwt-gauge-default, #1f86d1);
    --pv-bar-back: var(--pwt-gauge-back, #404040);
    --pv-bar-warn: var(--pwt-gauge-warn, #ffae0b);
    --pv-bar-crit: var(--pwt-gauge-crit, #e05252);
    --pv-ok: #7fd58e;
    --pv-warn: #ffc24d;
    --pv-crit: #ff9a92;
    --pv-warn-tint: #453810;
    --pv-crit-tint: #501c1c;
    --pv-ok-tint: #1f3a24;
    --pv-unknown-tint: #363a40;
    --pv-top: #121212;
    --pv-grid: #3a3a3a;
    --pv-axis: #b3b3b3;
    --pv-line-0: #a9c42a;
    --pv-line-1: #4fa3e8;
    --pv-line-2: #f0707c;
    --pv-line-3: #f0a04b;
    --pv-line-4: #a0a0a0;
    --pv-line-5: #58bfc1;
    color-scheme: dark;
  }
`;
