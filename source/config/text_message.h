#pragma once

// Messages in protobuf's text format (.pb_text): what protobuf's own tools print.

#include <string>
#include <string_view>

#include "google/protobuf/message.h"

#include "source/config/errors.h"

namespace sluice::config {

// Adds what `text` says to `message`. False after adding to `errors` what is wrong and where; reading ends at the first
// error of syntax. `name` stands for the file in errors and positions. Inside of an Any, which is written as
// [type.googleapis.com/NAME] { ... }, errors of later stages stand at the Any.
bool readTextMessage(std::string_view text, const std::string& name, google::protobuf::Message& message,
                     ErrorList& errors, Positions& positions);

}  // namespace sluice::config
