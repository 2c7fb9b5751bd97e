import { tlsTests } from "./tls.ts";

tlsTests(18);
