// REST to gRPC: requests in JSON as calls of methods, and their answers as JSON. Free of protobuf's types.
//
//   auto transcoder = Transcoder::make(descriptor_set, {"pkg.Service"}, options);
//   auto call = transcoder->match("GET", "/v1/shelves/1?view=FULL");
//   call->method->path                                        // "/pkg.Service/GetShelf"
//   transcoder->encodeRequest(*call, body)                    // the bytes of the message
//   transcoder->decodeResponse(*call, message)                // its answer as JSON
//
// Immutable, shared by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "source/transcoding/rest_paths.h"

namespace sluice::transcoding {

class Bindings;
class DescriptorSet;

struct Options {
  bool auto_mapping = false;
  std::set<std::string, std::less<>> ignored_parameters;
  bool ignore_unknown_parameters = false;
  Unescape unescape = Unescape::kExceptReserved;
  bool plus_is_space = false;
  bool match_unknown_verbs = false;
  bool case_insensitive_enums = false;
  bool reject_collisions = false;
  // Of JSON that is made here.
  bool whitespace = false;
  bool print_primitives = false;
  bool enums_as_ints = false;
  bool proto_names = false;
};

// What a filter has to know of a method.
struct Method {
  std::string path;  // of the gRPC request
  bool client_streaming = false;
  bool server_streaming = false;
};

struct Call {
  const Method* method;  // the transcoder's
  size_t rule;
  // Of path and query; null: none.
  std::shared_ptr<const Bindings> bindings;
  // The body is no JSON: it is the data of a google.api.HttpBody.
  bool raw_request = false;
  bool raw_response = false;
};

// A google.api.HttpBody.
struct RawBody {
  std::string content_type;
  std::string data;
};

class Transcoder {
 public:
  // `descriptor_set`: its bytes. The error says which service, method or file is wrong and why.
  static absl::StatusOr<std::shared_ptr<const Transcoder>> make(std::string_view descriptor_set,
                                                                const std::vector<std::string>& services,
                                                                const Options& options);
  ~Transcoder();

  // `path`: with the query. NotFound: no rule takes it; InvalidArgument: the query says what the message has not.
  absl::StatusOr<Call> match(std::string_view method, std::string_view path) const;

  // The message of a request whose body, or element of it, is this JSON; empty for none. With the call's bindings only
  // if asked to.
  absl::StatusOr<std::string> encodeRequest(const Call& call, std::string_view json, bool with_bindings = true) const;
  // The same for calls with a raw request.
  absl::StatusOr<std::string> encodeRaw(const Call& call, const RawBody& body, bool with_bindings = true) const;
  // The body of the answer that a message is.
  absl::StatusOr<std::string> decodeResponse(const Call& call, std::string_view message) const;
  // The same for calls with a raw response.
  absl::StatusOr<RawBody> decodeRaw(const Call& call, std::string_view message) const;
  // google.rpc.Status as JSON. `details`: what grpc-status-details-bin has, decoded; what of it cannot be read is left
  // out.
  std::string statusJson(int code, std::string_view message, std::string_view details) const;

 private:
  struct Rule;
  struct Impl;

  explicit Transcoder(std::unique_ptr<Impl> impl);

  const std::unique_ptr<const Impl> impl_;
};

}  // namespace sluice::transcoding
