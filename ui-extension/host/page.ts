/**
 * What the loader and the modules it loads know of Proxmox VE's page: Ext JS components and globals, as far as they are touched. Everything may
 * be missing: the page is another project's, of any version.
 */

/** A row of `GET /cluster/resources`, as the tree keeps it (PVE.data.ResourceStore); `root` is the datacenter. */
export type SelectedData = {
  type?: string;
  node?: string;
  vmid?: number;
  storage?: string;
  shared?: number | boolean;
};

export type Component = {
  $className?: string;
  destroyed?: boolean;
  el?: { dom: HTMLElement };
  pveSelNode?: { data: SelectedData };
  on(event: string, listener: (...args: never[]) => void): void;
  up?(selector: string): Component | undefined;
};

/** PVE.panel.Config before its initComponent: the tabs are plain descriptions. */
export type ConfigPanel = Component & { items?: unknown; selectById?(id: string): unknown };

/** PVE.guest.Summary. */
export type SummaryPanel = Component & { insert(index: number, description: object): unknown };

export type TreeNode = { internalId: string | number; data: SelectedData; cascadeBy(visit: (node: TreeNode) => void): void };
/** PVE.tree.ResourceTree. */
export type ResourceTree = Component & {
  getView(): { id: string };
  getStore(): { on(events: Record<string, () => void>): void };
  getRootNode(): TreeNode | null;
};

type Initialized = { prototype: { initComponent?: (...args: unknown[]) => unknown } };

export type PageGlobals = {
  Ext?: { app?: { Controller?: new (config: { id: string }) => { control(listeners: Record<string, object>): void } } };
  PVE?: { panel?: { Config?: Initialized } };
  Proxmox?: { UserName?: string | null; CSRFPreventionToken?: string | null; defaultLang?: string };
};

/** What the loader hands to the modules it loads. */
export type Host = {
  /** Of the agent's gateway, without a slash at its end. */
  readonly gateway: string;
  /** Undefined: nobody is signed in. Another one means that somebody else has signed in; the page is not reloaded then. */
  user(): string | undefined;
  /** PVE's token for writes. It changes while somebody is signed in. */
  csrf(): string;
  /** `it`, `pt_BR` …: what PVE's page speaks. */
  readonly language: string;
};

/** Exports of host-panel.js. The returned function unmounts. */
export type PanelModule = { mount(element: HTMLElement, host: Host, selected: SelectedData): () => void };

/** Exports of host-marks.js. */
export type MarksModule = { marksOf(host: Host): Marks };
export type Marks = {
  /** Puts the strip on a guest's Summary. */
  onSummary(panel: SummaryPanel): void;
  /** Puts the shields on the tree. */
  onTree(tree: ResourceTree): void;
};
