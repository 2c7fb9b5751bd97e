// What we use of Node's util module, without the rest: a named import would evaluate all of its
// exports, which is 4 ms of each start (agent/node-http.ts has the same reason).
export const { inspect, stripVTControlCharacters, styleText } =
  process.getBuiltinModule("node:util");
