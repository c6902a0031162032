/** A store can't be used: `message` names the remedy. The hub does not start and nothing is overwritten. */
export class StoreError extends Error {}
