// How a method is called over HTTP: what its option google.api.http says.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "source/transcoding/rest_path.h"

namespace sluice::transcoding {

struct HttpRule {
  std::string method;  // "GET"; "*" for any
  RestPath path;
  std::string body;           // a field, "*" or empty
  std::string response_body;  // a field, or empty
};

// The rule and its additional bindings, in their order; empty: the method has no such option. Fields that it names are
// checked. The error says what of the option is wrong and why.
absl::StatusOr<std::vector<HttpRule>> httpRulesOf(const google::protobuf::MethodDescriptor& method);
// POST to the method's own path with the whole message as the body.
HttpRule ownHttpRule(const google::protobuf::MethodDescriptor& method);

// The fields of a path of names, each by its proto or its JSON name. The error says which there is not.
absl::StatusOr<std::vector<const google::protobuf::FieldDescriptor*>> fieldsOf(
    const google::protobuf::Descriptor& message, const std::vector<std::string>& names);

}  // namespace sluice::transcoding
