import type { Answer, RequestOptions } from "./api.ts";

type Request = <T>(path: string, options?: RequestOptions) => Promise<Answer<T>>;
export type AgentPlace = { cluster: string; node: string };

/** The part of the API that decides who may send to the hub. */
export class AgentsApi {
  constructor(private readonly request: Request) {}

  /** Its connection ends, and only a new key with a new join gets in. */
  revoke(agent: AgentPlace): Promise<Answer<unknown>> {
    return this.request(pathOf(agent), { method: "DELETE" });
  }

  /** A connected agent makes a new key and uses it from then on. */
  renewKey(agent: AgentPlace): Promise<Answer<unknown>> {
    return this.request(`${pathOf(agent)}/renew-key`, { method: "POST" });
  }
}

const pathOf = ({ cluster, node }: AgentPlace) => `agents/${encodeURIComponent(cluster)}/${encodeURIComponent(node)}`;
