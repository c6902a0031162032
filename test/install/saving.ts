import type { Container } from "./container.ts";

const copy = "/root/hub-copy";

/** By root, into a folder that the hub's user can't walk to. Returns what it printed. */
export const saveHub = (node: Container): Promise<string> => node.run("proven-hub", "store", "backup", copy);

/** As INSTALL.md says, word by word, with the copy in root's home. */
const goingBack = `
systemctl stop proven-hub
mv /var/lib/proven-hub /var/lib/proven-hub.old
cp -a ${copy} /var/lib/proven-hub
chown -R proven:proven /var/lib/proven-hub
proven-hub setup
systemctl start proven-hub
`;

export const goBack = (node: Container): Promise<string> => node.run("sh", "-e", "-c", goingBack);

export const removeCopies = (node: Container): Promise<string> => node.run("rm", "-r", "/var/lib/proven-hub.old", copy);
