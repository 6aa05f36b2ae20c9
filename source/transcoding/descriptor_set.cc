#include "source/transcoding/descriptor_set.h"

#include <map>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/util/type_resolver_util.h"
#include "google/rpc/status.pb.h"

namespace sluice::transcoding {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;

constexpr char kUrlPrefix[] = "type.googleapis.com";

class Errors : public DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const google::protobuf::Message*, ErrorLocation,
                const std::string& message) override {
    if (first_.empty()) first_ = absl::StrCat(file, ": ", element, ": ", message);
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

}  // namespace

// Puts each file behind those that it imports, in whatever order they come.
class DescriptorSet::Builder {
 public:
  Builder(DescriptorPool& pool, const google::protobuf::FileDescriptorSet& set) : pool_(pool) {
    for (const FileDescriptorProto& file : set.file()) files_.emplace(file.name(), &file);
  }

  absl::Status buildAll() {
    for (const auto& [name, file] : files_) {
      if (absl::Status status = build(name, "the set"); !status.ok()) return status;
    }
    // What answers are made of, whether the services use it or not.
    if (absl::Status status = build(google::rpc::Status::descriptor()->file()->name(), "the set"); !status.ok()) {
      return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status build(const std::string& name, const std::string& who) {
    if (pool_.FindFileByName(name) != nullptr) return absl::OkStatus();
    FileDescriptorProto known;
    const FileDescriptorProto* file = findFile(name, known);
    if (file == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(who, " imports ", name, ", which is not in the set; make it with `protoc --include_imports`"));
    }
    if (!open_.insert(name).second) return absl::InvalidArgumentError(absl::StrCat(name, " imports itself"));
    for (const std::string& import : file->dependency()) {
      if (absl::Status status = build(import, name); !status.ok()) return status;
    }
    Errors errors;
    if (pool_.BuildFileCollectingErrors(*file, &errors) == nullptr) return absl::InvalidArgumentError(errors.first());
    return absl::OkStatus();
  }

  const FileDescriptorProto* findFile(const std::string& name, FileDescriptorProto& known) const {
    if (const auto found = files_.find(name); found != files_.end()) return found->second;
    const bool everywhere = absl::StartsWith(name, "google/protobuf/") || name == "google/rpc/status.proto";
    const auto* linked = everywhere ? DescriptorPool::generated_pool()->FindFileByName(name) : nullptr;
    if (linked == nullptr) return nullptr;
    linked->CopyTo(&known);
    return &known;
  }

  DescriptorPool& pool_;
  std::map<std::string, const FileDescriptorProto*> files_;
  std::set<std::string> open_;
};

absl::StatusOr<std::shared_ptr<const DescriptorSet>> DescriptorSet::parse(std::string_view bytes) {
  google::protobuf::FileDescriptorSet set;
  if (!set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || set.file().empty()) {
    return absl::InvalidArgumentError(
        "is no descriptor set; make one with `protoc --include_imports --descriptor_set_out`");
  }
  google::protobuf::Any::descriptor();  // linked
  std::shared_ptr<DescriptorSet> out(new DescriptorSet);
  if (absl::Status status = Builder(out->pool_, set).buildAll(); !status.ok()) return status;
  for (const FileDescriptorProto& file : set.file()) {
    for (const auto& service : file.service()) {
      out->services_.push_back(file.package().empty() ? service.name()
                                                      : absl::StrCat(file.package(), ".", service.name()));
    }
  }
  out->resolver_.reset(google::protobuf::util::NewTypeResolverForDescriptorPool(kUrlPrefix, &out->pool_));
  return out;
}

std::string DescriptorSet::urlOf(const google::protobuf::Descriptor& type) {
  return absl::StrCat(kUrlPrefix, "/", type.full_name());
}

std::string DescriptorSet::pathOf(const google::protobuf::MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

std::unique_ptr<google::protobuf::Message> DescriptorSet::newMessage(const google::protobuf::Descriptor& type) const {
  return std::unique_ptr<google::protobuf::Message>(factory_.GetPrototype(&type)->New());
}

}  // namespace sluice::transcoding
