import { tlsTests } from "./tls.ts";

tlsTests(12);
