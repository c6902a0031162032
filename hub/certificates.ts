import {
  certificateStamp,
  type HubCertificate,
  loadCertificate,
  type NextCertificate,
  readNextCertificate,
  switchCertificate,
} from "./tls.ts";

/**
 * The certificate that the hub shows, and its renewal while it runs: agents hear of the next one by connections that the present one vouches for,
 * and after the overlap it is shown to new connections. Open ones go on.
 */
export class Certificates {
  private previous: HubCertificate | undefined;
  private next: NextCertificate | undefined;
  private stamp = "";
  private announced = "";

  constructor(
    private readonly stateDir: string,
    private shown: HubCertificate,
  ) {}

  /** New connections get `present`. */
  onSwitch: (present: HubCertificate) => void = () => undefined;
  /** What agents should accept is no longer what they were told. */
  onPins: (fingerprints: readonly string[]) => void = () => undefined;

  get present(): HubCertificate {
    return this.shown;
  }

  /** For signatures over the certificate that an agent saw: its connection may be from just before the switch. */
  fingerprints(): string[] {
    return [this.shown, this.previous].flatMap((one) => one?.fingerprint ?? []);
  }

  /** What agents should accept from now on. */
  pins(): string[] {
    return [this.shown, this.next].flatMap((one) => one?.fingerprint ?? []);
  }

  /**
   * Takes up what `proven-hub certificate renew` left, and shows the next one when its time has come, but never in the same look that finds it:
   * agents that are connected hear of it before. @throws when a file can't be read; what is shown stays.
   */
  async look(now: number): Promise<void> {
    const due = this.next !== undefined && now >= this.next.switchAt;
    if (due) switchCertificate(this.stateDir);
    const stamp = certificateStamp(this.stateDir);
    if (stamp !== this.stamp) {
      const present = await loadCertificate(this.stateDir, now);
      this.next = readNextCertificate(this.stateDir);
      this.stamp = stamp;
      this.show(present);
    }
    const pins = this.pins();
    if (pins.join() === this.announced) return;
    this.announced = pins.join();
    this.onPins(pins);
  }

  private show(present: HubCertificate): void {
    if (present.fingerprint === this.shown.fingerprint) return;
    this.previous = this.shown;
    this.shown = present;
    this.onSwitch(present);
  }
}
