import { testScenarios } from "../../support/restore-scenarios.ts";
import { operatorFaults } from "./faults/operators.ts";

testScenarios(operatorFaults);
