import assert from "node:assert/strict";
import { test } from "node:test";
import { scenes } from "../../support/death-scenes.ts";
import { playFates } from "../../support/every-death.ts";
import { type Death, deaths, type Fate } from "../../support/killed-agent.ts";

/** Where agents die here, one sample of each scene; `npm run bruteforce` takes every event and every way. */
const way = (index: number): Death => deaths[index % deaths.length] ?? "after";
const samples: [scene: string, fates: Fate[][]][] = [
  ...["qemu from a file", "lxc from a file"].map((name): [string, Fate[][]] => [
    name,
    [1, 20, 30, 33, 36, 52, 60, 68, 95, 110].map((at, index) => [{ at, death: way(index) }]),
  ]),
  [
    "qemu from a Backup Server",
    [
      [31, 12],
      [34, 25],
      [66, 9],
    ].map(([at = 0, next = 0], index) => inARow([at, next], index)),
  ],
  ["lxc that is kept a while, and then longer", [[92], [94, 6]].map(inARow)],
  ["qemu whose worker is killed while its programs run on", [[36], [40, 20]].map(inARow)],
  ["lxc whose worker is killed together with the agent", [[33], [35]].map(inARow)],
  ["qemu on a node that loses its power with the agent", [[36], [70]].map(inARow)],
  ["lxc that somebody makes his own when checks begins", [[83], [90]].map(inARow)],
  ["qemu that somebody migrates away", [[84]].map(inARow)],
  ["two tests at once", [[70], [130, 30]].map(inARow)],
  ["lxc while another process tests at the same node", [[60], [100]].map(inARow)],
  ["lxc that is cancelled when restore begins", [[32], [40]].map(inARow)],
];

function inARow(ats: readonly number[], index: number): Fate[] {
  return ats.map((at, place) => ({ at, death: way(index + place + 1) }));
}

for (const [name, fates] of samples) {
  test(`whenever the agent dies, the next one leaves the node as it was: ${name}`, async () => {
    const scene = scenes.find((one) => one.name === name);
    assert.ok(scene !== undefined);
    const { deaths: died, problems } = await playFates(scene, fates);
    assert.deepEqual(problems, []);
    assert.ok(died >= fates.length, `only ${died} of ${fates.length} died`);
  });
}
