import { testScenarios } from "../../support/restore-scenarios.ts";
import { nodeFaults } from "./faults/nodes.ts";

testScenarios(nodeFaults);
