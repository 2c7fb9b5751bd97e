import { describeSlots } from "./slots.ts";

describeSlots(10);
