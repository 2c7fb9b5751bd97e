#!/usr/bin/env node
// `kubectl understudy ...`: kubectl runs whatever program of this name it finds. It is the same
// program, and a cluster that it is asked about is on Kubernetes.
process.env.UNDERSTUDY_KUBECTL = "1";
await import("./understudy.js");
