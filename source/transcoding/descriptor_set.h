// The types and services of a descriptor set, as `protoc --include_imports --descriptor_set_out` makes it. Immutable
// once it is made; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/type_resolver.h"

namespace sluice::transcoding {

class DescriptorSet {
 public:
  // Files that every set needs and that are known here (google/protobuf/*.proto, google/rpc/status.proto) may be
  // missing. The error says which file or type is wrong and why.
  static absl::StatusOr<std::shared_ptr<const DescriptorSet>> parse(std::string_view bytes);

  const google::protobuf::DescriptorPool& pool() const { return pool_; }
  // The full names of the services in it.
  const std::vector<std::string>& services() const { return services_; }
  // For conversions between JSON and messages. Thread-safe, though protobuf takes it without const.
  google::protobuf::util::TypeResolver* resolver() const { return resolver_.get(); }
  static std::string urlOf(const google::protobuf::Descriptor& type);
  // Of a gRPC request: "/package.Service/Method".
  static std::string pathOf(const google::protobuf::MethodDescriptor& method);
  // An empty message of a type of the pool.
  std::unique_ptr<google::protobuf::Message> newMessage(const google::protobuf::Descriptor& type) const;

 private:
  class Builder;

  DescriptorSet() = default;

  google::protobuf::DescriptorPool pool_;
  std::vector<std::string> services_;
  std::unique_ptr<google::protobuf::util::TypeResolver> resolver_;
  mutable google::protobuf::DynamicMessageFactory factory_{&pool_};  // locks by itself
};

}  // namespace sluice::transcoding
