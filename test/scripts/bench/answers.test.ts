import assert from "node:assert/strict";
import { test } from "node:test";
import { peerAnswerProblem } from "../../../scripts/bench/measures/history-queries.ts";
import { questions } from "../../../scripts/bench/queries.ts";

const matrix = (series: number, points: number) =>
  JSON.stringify({
    data: { resultType: "matrix", result: Array.from({ length: series }, () => ({ values: Array(points).fill([0, "1"]) })) },
  });

test("a peer that answers quickly with too little is no measure", () => {
  assert.equal(peerAnswerProblem(questions.pool, 50, matrix(50, 360)), undefined);
  assert.equal(peerAnswerProblem(questions.pool, 50, matrix(50, 300)), "300 of 360 points in the answer");
  assert.equal(peerAnswerProblem(questions.pool, 50, matrix(0, 0)), "0 of 50 series in the answer");
  const vector = JSON.stringify({ data: { resultType: "vector", result: Array(7).fill({}) } });
  assert.equal(peerAnswerProblem(questions.top, 10, vector), "7 of 10 places in the answer");
});
