// A client of gRPC's own C++ library, for tests: opens one call, sends COUNT messages, and prints what comes.
//
//   grpc_client HOST:PORT /package.Service/Method COUNT [SECONDS]
//
// Prints "message TEXT" for each answer, "trailer NAME=VALUE" for each trailing metadatum, and "status CODE TEXT" last.
// All four kinds of calls are the same on the wire: a unary one is a call with one message each way.
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: grpc_client HOST:PORT /package.Service/Method COUNT [SECONDS]\n");
    return 2;
  }
  const auto channel = grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials());
  const grpc::internal::RpcMethod method(argv[2], grpc::internal::RpcMethod::BIDI_STREAMING);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(argc > 4 ? std::atoi(argv[4]) : 10));
  using Factory = grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>;
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      Factory::Create(channel.get(), method, &context));
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    const grpc::Slice slice("message " + std::to_string(i));
    if (!stream->Write(grpc::ByteBuffer(&slice, 1))) break;
  }
  stream->WritesDone();
  grpc::ByteBuffer answer;
  while (stream->Read(&answer)) {
    grpc::Slice whole;
    if (!answer.DumpToSingleSlice(&whole).ok()) break;
    std::printf("message %.*s\n", static_cast<int>(whole.size()), reinterpret_cast<const char*>(whole.begin()));
  }
  const grpc::Status status = stream->Finish();
  for (const auto& [name, value] : context.GetServerTrailingMetadata()) {
    std::printf("trailer %.*s=%.*s\n", static_cast<int>(name.size()), name.data(), static_cast<int>(value.size()),
                value.data());
  }
  std::printf("status %d %s\n", static_cast<int>(status.error_code()), status.error_message().c_str());
  return 0;
}
