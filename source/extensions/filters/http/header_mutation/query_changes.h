// Changes of a request's query (RFC 3986 section 3.4): parameters that are set, added or taken away by name.
// (proto: envoy.config.core.v3.KeyValueMutation)
//
// What no change is about stays as it was sent, in its place. Immutable, used by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "source/http/headers.h"
#include "source/stream/format_context.h"
#include "source/stream/formatter.h"

namespace sluice::extensions::http_filters::header_mutation {

struct QueryChange {
  enum class Action : uint8_t {
    kRemove,
    kAppendIfExistsOrAdd,
    kAddIfAbsent,
    kOverwriteIfExistsOrAdd,
    kOverwriteIfExists
  };

  Action action = Action::kRemove;
  std::string name;                                    // decoded
  std::shared_ptr<const stream::Formatter> formatter;  // of the value, before it is encoded; null: kRemove
};

// One after the other. Without effect on targets that are no path. New text lives in the arena of the head.
void changeQuery(const std::vector<QueryChange>& changes, http::RequestHeaders& request,
                 const stream::FormatContext& facts);

}  // namespace sluice::extensions::http_filters::header_mutation
