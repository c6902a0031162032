/** A fault that makes no sense here: no such node, guest, metric. */
export class FaultError extends Error {}
