import { tlsTests } from "./tls.ts";

tlsTests(15);
