/** One step of the hash that `WordTable` and `Names` know strings by. */
export const hashBytes = (hash: number, byte: number) => (Math.imul(hash, 31) + byte) | 0;

/** A fixed set of ASCII words that is asked with bytes: no string is made to find one. */
export class WordTable {
  private readonly slots: Int32Array;
  private readonly hashes: Int32Array;

  constructor(private readonly words: readonly string[]) {
    this.slots = new Int32Array(2 ** Math.ceil(Math.log2(words.length * 4))).fill(-1);
    this.hashes = Int32Array.from(words, (word) =>
      Array.from(word).reduce((hash, char) => hashBytes(hash, char.charCodeAt(0)), 0),
    );
    words.forEach((_, index) => {
      let slot = this.slotOf(this.hashes[index] as number);
      while (this.slots[slot] !== -1) slot = (slot + 1) % this.slots.length;
      this.slots[slot] = index;
    });
  }

  /** Index of the word that stands in `bytes` from `start` to `end`, whose hash is `hash`; −1: it is none of them. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    for (let slot = this.slotOf(hash); ; slot = (slot + 1) % this.slots.length) {
      const index = this.slots[slot] as number;
      if (index === -1) return -1;
      if (this.hashes[index] === hash && this.stands(index, bytes, start, end)) return index;
    }
  }

  indexOf(word: string): number {
    return this.words.indexOf(word);
  }

  private slotOf(hash: number): number {
    return (hash ^ (hash >>> 15)) & (this.slots.length - 1);
  }

  private stands(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const word = this.words[index] as string;
    if (word.length !== end - start) return false;
    for (let i = 0; i < word.length; i++) if (word.charCodeAt(i) !== bytes[start + i]) return false;
    return true;
  }
}
