import type { RootDatabase } from "lmdb";

/**
 * Which program looked at every document of a store, and found each exactly as its own schemas have it. What a program writes it checks before,
 * so until another program writes, that one needs not look again when it starts: of a large cluster's inventories that is most of a start.
 */
export class CheckedStore {
  private isTrusted: boolean;

  /** `program`: names what runs, and is another name where any schema is another; undefined: nobody can tell, so nothing is taken for checked. */
  constructor(
    private readonly root: RootDatabase<unknown, string>,
    private readonly program: string | undefined,
  ) {
    this.isTrusted = program !== undefined && root.get(checkedKey) === program;
  }

  /** Documents may be taken as they are. */
  get trusted(): boolean {
    return this.isTrusted;
  }

  /** From now on each is looked at: programs of other versions may write while this one runs. */
  distrust(): void {
    this.isTrusted = false;
  }

  /** The store has no document yet. */
  noteNew(): void {
    if (this.program !== undefined) this.root.putSync(checkedKey, this.program);
  }

  /** This program writes. To be called in the transaction that does. */
  noteWrite(): void {
    const mark = this.root.get(checkedKey);
    if (mark !== undefined && !this.isMine(mark)) this.root.removeSync(checkedKey);
  }

  /** Whether there is anything to look at. */
  get isDue(): boolean {
    return this.program !== undefined && this.root.get(checkedKey) !== this.program;
  }

  begin(): void {
    if (this.program !== undefined) this.root.putSync(checkedKey, underWay(this.program));
  }

  /** All were looked at since `begin`. False: another program wrote meanwhile, and it doesn't count. */
  end(): boolean {
    const { root, program } = this;
    return root.transactionSync(() => {
      if (program === undefined || root.get(checkedKey) !== underWay(program)) return false;
      root.putSync(checkedKey, program);
      return true;
    });
  }

  private isMine(mark: unknown): boolean {
    return this.program !== undefined && (mark === this.program || mark === underWay(this.program));
  }
}

const checkedKey = "checkedBy";

const underWay = (program: string) => `${program} is at it`;
