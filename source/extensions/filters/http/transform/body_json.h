// What a transformation reads of a JSON body and makes of it. No document is made: the text is all the memory that it
// takes, beside the values that are asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "source/stream/body_values.h"

namespace sluice::extensions::http_filters::transform {

using Values = std::vector<std::optional<stream::BodyValue>>;

// What stands at each path. nullopt: the text is no JSON object, or a key on a path stands twice in it, so that others
// may read another value there than we do.
std::optional<Values> readValues(std::string_view text, const std::vector<stream::BodyPath>& paths);

// The object `text` with the members of the object `changes` in the place of its own of the same key, or behind them.
// `text` was read. nullopt: `changes` is no JSON object, or has a key twice.
std::optional<std::string> merged(std::string_view text, std::string_view changes);

}  // namespace sluice::extensions::http_filters::transform
