/** Every bound of the link and of what is called fresh, in one place. */
export const limits = {
  /** Time between two sample frames of one agent, ms. */
  sampleEveryMs: 10_000,
  /** Without a sample for so long a node, and what only it reports, is unknown: three missed frames and the way. */
  staleAfterMs: 45_000,
  /** A larger WebSocket message closes the connection with 1009. */
  messageMaxBytes: 1 << 20,
  /** Series one agent may declare. */
  seriesPerAgent: 50_000,
  /** Records on the way without an acknowledgement; the agent waits beyond that. */
  unackedRecords: 64,
  /** A key frame at least so often, so that a stream can be resumed anywhere. */
  keyFrameEvery: 30,
  /** Seconds of frames, and bytes, that an agent keeps while the hub is away. */
  spoolMaxSec: 24 * 3600,
  spoolMaxBytes: 256 << 20,
  /** Namespaces of one datastore that an agent reads and lists: what lies beyond them is there all the same. */
  namespacesPerDatastore: 200,
  /** Control messages one agent may send in a minute before it is told to wait. */
  messagesPerMinute: 600,
  /** Bad messages after which a session is closed (it may reconnect). */
  problemsPerSession: 20,
  /** Larger differences between an agent's clock and the hub's are shown. */
  clockSkewMs: 5_000,
  /** The hello must come within this time after the challenge. */
  helloWithinMs: 10_000,
} as const;
