// gRPC to REST: unary calls as the requests that their methods' option google.api.http describes, and JSON as their
// answers. Free of protobuf's types. Immutable, shared by all workers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice::transcoding {

struct ReverseOptions {
  bool print_primitives = false;
  bool enums_as_ints = false;
  bool json_names = false;
};

struct RestRequest {
  std::string method;
  std::string path;  // with the query
  std::string body;
  bool has_body = false;
};

class ReverseTranscoder {
 public:
  // A method that can be called so.
  struct Method;

  // `descriptor_set`: its bytes. The error says which method or file is wrong and why.
  static absl::StatusOr<std::shared_ptr<const ReverseTranscoder>> make(std::string_view descriptor_set,
                                                                       const ReverseOptions& options);
  ~ReverseTranscoder();

  // By the path of a gRPC request. Null: no service has it, it streams, or no rule of it has a path that its fields
  // fill. Lives as long as the transcoder.
  const Method* find(std::string_view path) const;

  absl::StatusOr<RestRequest> encode(const Method& method, std::string_view message) const;
  // The message that an answer's JSON is.
  absl::StatusOr<std::string> decode(const Method& method, std::string_view json) const;

 private:
  struct Impl;

  explicit ReverseTranscoder(std::unique_ptr<Impl> impl);

  const std::unique_ptr<const Impl> impl_;
};

}  // namespace sluice::transcoding
