import { testScenarios } from "../../support/restore-scenarios.ts";
import { guestFaults } from "./faults/guests.ts";

testScenarios(guestFaults);
