import { tlsTests } from "./tls.ts";

tlsTests(10);
