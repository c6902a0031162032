/**
 * What stands in debian/control and debian/changelog where Debian wants a maintainer's name and address. The sources have none: who publishes the
 * packages answers for them. RFC 2606 keeps `.invalid` from ever being a host.
 */
export const nobody = "Unpublished build <nobody@unpublished.invalid>";

/** From the variables that Debian's own tools take it from (dch(1)); undefined: not set. @throws Error for half of it, or what breaks a field. */
export function publisherOf({ DEBFULLNAME: name, DEBEMAIL: address }: NodeJS.ProcessEnv): string | undefined {
  if (name === undefined && address === undefined) return undefined;
  if (!name || /[<>\r\n]/.test(name)) throw new Error("DEBFULLNAME: the publisher's name, on one line and without < or >");
  if (!address || !/^[^\s<>@]+@[^\s<>@]+$/.test(address))
    throw new Error("DEBEMAIL: the publisher's address, as in packages@your.domain");
  return `${name} <${address}>`;
}

/** debian/control or debian/changelog with the publisher in nobody's place. @throws Error when nobody is not in it. */
export function signedBy(text: string, publisher: string): string {
  if (!text.includes(nobody)) throw new Error(`${nobody} is to be replaced, and is not there`);
  return text.replaceAll(nobody, () => publisher);
}
