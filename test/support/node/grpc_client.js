// A client of gRPC's library for Node, for tests: opens one call of a method of test.Echo and prints what comes.
//
//   node grpc_client.js HOST:PORT METHOD COUNT [MILLISECONDS | cancel]
//
// METHOD decides the kind of the call; COUNT messages are sent. MILLISECONDS is the deadline (10 s without); "cancel"
// cancels behind the first answer. Prints "message TEXT" for each answer, "trailer NAME=VALUE" for each trailing
// metadatum of its own, and "status CODE TEXT" last.
"use strict";
const grpc = require("@grpc/grpc-js");

const [target, method, count, limit] = process.argv.slice(2);
const path = `/test.Echo/${method}`;
const same = (bytes) => bytes;
const client = new grpc.Client(target, grpc.credentials.createInsecure());
const options = { deadline: Date.now() + (limit === undefined || limit === "cancel" ? 10000 : Number(limit)) };
const messages = Array.from({ length: Number(count) }, (_, i) => Buffer.from(`message ${i}`));
const metadata = new grpc.Metadata();

function show(bytes) {
  console.log(`message ${bytes}`);
}

// Of a call with one answer: what failed is told to the callback, and by the status, too.
function one(error, answer) {
  if (!error) show(answer);
}

function open() {
  switch (method) {
    case "Downloads":
      return client.makeServerStreamRequest(path, same, same, messages[0], metadata, options);
    case "Uploads":
      return client.makeClientStreamRequest(path, same, same, metadata, options, one);
    case "Talks":
      return client.makeBidiStreamRequest(path, same, same, metadata, options);
    default:
      return client.makeUnaryRequest(path, same, same, messages[0], metadata, options, one);
  }
}

const call = open();
if (call.on && method !== "Uploads") {
  call.on("data", (bytes) => {
    show(bytes);
    if (limit === "cancel") call.cancel();
  });
}
call.on("error", () => {}); // the status says it
call.on("status", (status) => {
  for (const [name, value] of Object.entries(status.metadata.getMap())) {
    if (name.startsWith("x-")) console.log(`trailer ${name}=${value}`);
  }
  console.log(`status ${status.code} ${status.details}`);
  client.close();
});
if (call.write) {
  for (const message of messages) call.write(message);
  if (limit === undefined) call.end();
}
