// Node's HTTP modules, without what nobody here uses: a named import would load the browser's
// WebSocket, and with it a second HTTP client, in every agent.
export const https = process.getBuiltinModule("node:https");
export const http = process.getBuiltinModule("node:http");
