#include "source/config/unknown_fields.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/unknown_field_set.h"

#include "source/config/any_type.h"
#include "source/config/known_fields.h"
#include "source/config/walk.h"

namespace sluice::config {
namespace {

using google::protobuf::Message;

class Checker {
 public:
  explicit Checker(UnknownFieldPolicy policy) : policy_(policy) {}

  void check(const Message& message, const Context& context, int depth) {
    const auto& unknown = message.GetReflection()->GetUnknownFields(message);
    int previous = 0;
    for (int i = 0; i < unknown.field_count(); ++i) {
      const int number = unknown.field(i).number();
      if (number != previous) checkField(message, number, context);  // a repeated field's items follow each other
      previous = number;
    }
    if (depth >= kMaxMessageDepth) return;
    if (message.GetDescriptor()->full_name() == "google.protobuf.Any") {
      checkAny(static_cast<const google::protobuf::Any&>(message), context, depth);
      return;
    }
    forEachSubmessage(message, context, [&](const Message& child, const Context& at) { check(child, at, depth + 1); });
  }

  UnknownFields result() { return std::move(result_); }

 private:
  void checkField(const Message& message, int number, const Context& context) {
    const std::string& type = message.GetDescriptor()->full_name();
    const std::string_view name = knownFieldName(type, number);
    if (!name.empty()) {
      ++result_.refused;
      context.child(name).error(absl::StrCat("is a field of Envoy's ", message.GetDescriptor()->name(),
                                             " that is not supported here yet; ignoring it could change what the "
                                             "configuration means, so remove it"),
                                "unsupported field");
      return;
    }
    const std::string what = absl::StrCat("field ", number, " of ", type);
    if (policy_ == UnknownFieldPolicy::kRefuseAll) {
      ++result_.refused;
      context.error(absl::StrCat("holds ", what, ", which is not known; it may be from a newer version"),
                    "unknown field");
      return;
    }
    constexpr size_t kMaxKept = 20;
    ++result_.ignored;
    if (result_.ignored_paths.size() < kMaxKept)
      result_.ignored_paths.push_back(absl::StrCat(context.path(), ": ", what));
  }

  // An unknown type is the business of whoever unpacks it.
  void checkAny(const google::protobuf::Any& any, const Context& context, int depth) {
    const std::unique_ptr<Message> inner = newMessage(typeNameOf(any.type_url()));
    if (inner != nullptr && inner->ParseFromString(any.value())) check(*inner, context, depth + 1);
  }

  UnknownFieldPolicy policy_;
  UnknownFields result_;
};

}  // namespace

UnknownFields checkUnknownFields(const Message& message, UnknownFieldPolicy policy, const Context& context) {
  Checker checker(policy);
  checker.check(message, context, 0);
  return checker.result();
}

}  // namespace sluice::config
