// Node's HTTP module, without what nobody here uses. A named import would evaluate all exports of
// node:http, the browser's WebSocket among them, and that loads a second HTTP client: 20 ms of each
// start and 5 MB of each agent, measured on Node 24.21.
export const { createServer, request } = process.getBuiltinModule("node:http");
