import { describeManyFailovers } from "./many-failovers.ts";

describeManyFailovers(10);
