/** What of `POST /access/ticket`'s data the page's login uses. */
export type LoginData = { username: string; ticket: string; CSRFPreventionToken: string };

export type SignedIn = Pick<LoginData, "username" | "CSRFPreventionToken">;

/** One row of `GET /cluster/resources`, as far as the tree shows it. */
export type Resource = { id: string; type: string; node: string; vmid?: number; storage?: string; name?: string; status: string };

/** What the shell's server asks of a Proxmox VE: the lab, or a test's own. */
export interface ShellPve {
  readonly node: string;
  /** Undefined: wrong name or password. */
  login(user: string, password: string): Promise<LoginData | undefined>;
  /** Undefined: no valid ticket. */
  userOf(ticket: string): Promise<SignedIn | undefined>;
  resources(ticket: string): Promise<Resource[] | undefined>;
}

/** A Proxmox VE in memory: everybody's password is `secret`, and each user has the resources that `visible` lets him see. */
export class FakePve implements ShellPve {
  readonly node = "pve1";
  readonly #sessions = new Map<string, string>();
  list: readonly Resource[];

  constructor(
    resources: readonly Resource[],
    private readonly visible: (user: string, resource: Resource) => boolean = () => true,
  ) {
    this.list = resources;
  }

  async login(user: string, password: string): Promise<LoginData | undefined> {
    if (password !== "secret") return undefined;
    const ticket = `PVE:${user}:${crypto.randomUUID()}`;
    this.#sessions.set(ticket, user);
    return { username: user, ticket, CSRFPreventionToken: csrfOf(user) };
  }

  async userOf(ticket: string): Promise<SignedIn | undefined> {
    const username = this.#sessions.get(ticket);
    return username === undefined ? undefined : { username, CSRFPreventionToken: csrfOf(username) };
  }

  async resources(ticket: string): Promise<Resource[] | undefined> {
    const user = this.#sessions.get(ticket);
    return user === undefined ? undefined : this.list.filter((resource) => this.visible(user, resource));
  }

  /** No ticket counts any more. */
  endSessions(): void {
    this.#sessions.clear();
  }
}

const csrfOf = (user: string) => `CSRF:${user}`;
