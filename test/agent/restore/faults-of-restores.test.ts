import { testScenarios } from "../../support/restore-scenarios.ts";
import { restoreFaults } from "./faults/restores.ts";

testScenarios(restoreFaults);
