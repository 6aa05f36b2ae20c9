#pragma once

// The types that an Any may carry: those linked into the program.

#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

// "type.googleapis.com/pkg.Name" -> "pkg.Name"; empty without a slash.
std::string_view typeNameOf(std::string_view type_url);

// A new message of the linked type with that full name; null if there is none.
std::unique_ptr<google::protobuf::Message> newMessage(std::string_view full_name);

bool isTypedStruct(std::string_view full_name);

// Why an unknown type is refused, and the linked name nearest to it.
std::string unknownTypeMessage(std::string_view type_url);

// The message inside `any`: parsed, and a TypedStruct converted to what it describes. Null after reporting to `context`
// if the type is not linked or the bytes are broken.
std::unique_ptr<google::protobuf::Message> unpackAny(const google::protobuf::Any& any, const Context& context);

// The same where a place takes one type only; another one is reported, too.
template <typename Config>
std::unique_ptr<Config> unpackOnly(const google::protobuf::Any& any, const Context& context) {
  std::unique_ptr<google::protobuf::Message> message = unpackAny(any, context);
  if (message == nullptr) return nullptr;
  if (message->GetDescriptor() != Config::descriptor()) {
    context.error(absl::StrCat("is a ", message->GetDescriptor()->full_name(), "; here only ",
                               Config::descriptor()->full_name(), " is supported"));
    return nullptr;
  }
  return std::unique_ptr<Config>(static_cast<Config*>(message.release()));
}

// Whether its message, that of a TypedStruct too, is linked, or one that Envoy has: what is optional may be left out
// only if neither knows it, because who wrote it for Envoy counts on what it does there (access rules among it).
bool isKnownType(const google::protobuf::Any& any);
bool isKnownType(std::string_view full_name);

// The message that it carries, or that its TypedStruct describes: its full name.
std::string describedType(const google::protobuf::Any& any);

// Whether messages of a type are alternatives: of a list of them the first counts whose `typed_config` is of a type
// that is linked; the others may be of any. (proto: LoadBalancingPolicy.policies)
bool isAlternative(const google::protobuf::Descriptor& type);
// An alternative that does not count.
bool isLeftOut(const google::protobuf::Message& alternative);

// Bytes that are equal for equal messages, for content hashes.
void packAny(const google::protobuf::Message& message, std::string_view type_url, google::protobuf::Any& any);

}  // namespace sluice::config
