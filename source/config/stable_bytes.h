// Messages as bytes that are equal for equal messages: for identities and content hashes. Thread: any.
#pragma once

#include <string>

#include "google/protobuf/message.h"

namespace sluice::config {

std::string stableBytes(const google::protobuf::Message& message);

}  // namespace sluice::config
