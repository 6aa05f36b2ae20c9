// A server of gRPC's library for Node, for tests: the service test.Echo, with a method of each kind, on bytes.
//
//   node grpc_server.js
//
// Prints "port N" when it serves, "METHOD begins MILLISECONDS" with the deadline that a call of Waits was given ("none"
// without), and "METHOD cancelled" when a client gives a call up.
"use strict";
const grpc = require("@grpc/grpc-js");

const same = (bytes) => bytes;

function method(name, requestStream, responseStream) {
  return {
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const service = {
  Unary: method("Unary", false, false),
  Downloads: method("Downloads", false, true),
  Uploads: method("Uploads", true, false),
  Talks: method("Talks", true, true),
  Refuses: method("Refuses", false, false),
  Waits: method("Waits", false, false),
};

const server = new grpc.Server();
server.addService(service, {
  Unary(call, callback) {
    const trailers = new grpc.Metadata();
    trailers.set("x-kind", "unary");
    callback(null, Buffer.concat([Buffer.from("one: "), call.request]), trailers);
  },
  Downloads(call) {
    for (let i = 0; i < 3; ++i) call.write(Buffer.from(`part ${i}`));
    call.end();
  },
  Uploads(call, callback) {
    let count = 0;
    call.on("data", () => ++count);
    call.on("end", () => callback(null, Buffer.from(`${count} messages`)));
  },
  Talks(call) {
    call.on("data", (bytes) => call.write(Buffer.concat([Buffer.from("echo "), bytes])));
    call.on("end", () => call.end());
    call.on("cancelled", () => console.log("Talks cancelled"));
  },
  Refuses(call, callback) {
    callback({ code: grpc.status.PERMISSION_DENIED, details: "not for you: 100% sure" });
  },
  Waits(call) {
    const deadline = Number(call.getDeadline());
    console.log(`Waits begins ${Number.isFinite(deadline) ? deadline - Date.now() : "none"}`);
    call.on("cancelled", () => console.log("Waits cancelled"));
  },
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`port ${port}`);
});
