import { parseAddress } from "#protocol/addresses.ts";
import { classifyAddress } from "./ip-address.ts";

/**
 * Where the hub may send things that someone configured (remote write, webhooks …): to public addresses over https. What reaches the own
 * network has to be allowed by name; link-local and metadata addresses never are, because a request from the hub could read credentials there.
 */
export type OutgoingRules = {
  /** RFC 1918, unique local and shared (100.64/10) addresses. */
  allowPrivate: boolean;
  /** This machine. */
  allowLoopback: boolean;
  /** How someone allows what is not allowed; default: the keys of hub.toml. */
  remedy?: string;
};

/** What is looked at of a WHATWG `URL`. */
export type UrlParts = { protocol: string; hostname: string; port: string; username: string; password: string };

/** Why nothing may be sent to this URL, whatever its name resolves to; undefined: ask `addressProblem` once it is resolved. */
export function urlProblem(url: UrlParts, rules: OutgoingRules): string | undefined {
  if (url.protocol !== "https:" && url.protocol !== "http:") return `${url.protocol} is not http or https`;
  if (url.username !== "" || url.password !== "") return "credentials don't belong in the URL: use the settings for them";
  const literal = literalAddress(url);
  return literal === undefined ? undefined : addressProblem(literal, url.protocol, rules);
}

/** The address a URL names itself, without IPv6's brackets. */
function literalAddress(url: UrlParts): string | undefined {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return parseAddress(host) === undefined ? undefined : host;
}

/** Why nothing may be sent to this address. Plain http stays inside: over the internet anyone could read and change it. */
export function addressProblem(text: string, protocol: string, rules: OutgoingRules): string | undefined {
  const address = parseAddress(text);
  if (address === undefined) return `${text} is not an address`;
  switch (classifyAddress(address)) {
    case "public":
      return protocol === "https:" ? undefined : `${text} is on the internet: only https may go there`;
    case "private":
      return rules.allowPrivate
        ? undefined
        : `${text} is in a private network: ${rules.remedy ?? "set allow_private = true"} if that is meant`;
    case "loopback":
      return rules.allowLoopback
        ? undefined
        : `${text} is this machine: ${rules.remedy ?? "set allow_loopback = true"} if that is meant`;
    case "link-local":
      return `${text} is link-local: never allowed`;
    case "metadata":
      return `${text} is a cloud's metadata service: never allowed`;
    case "other":
      return `${text} is not the address of a single machine`;
  }
}

/** Why a redirect is not followed: it may change the path only, so that credentials and content stay with whom they were meant for. */
export function redirectProblem(from: UrlParts, to: UrlParts): string | undefined {
  if (from.hostname === to.hostname && from.port === to.port && from.protocol === to.protocol) return undefined;
  return `redirected to ${to.protocol}//${to.hostname}${to.port === "" ? "" : `:${to.port}`}: another server is not followed`;
}
