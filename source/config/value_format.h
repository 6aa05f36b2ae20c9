#pragma once

// Formats whose text becomes a header's value, a part of a target or of a descriptor. Thread: main.

#include <optional>
#include <string>
#include <utility>

#include "source/config/errors.h"
#include "source/route/mutation.h"
#include "source/stream/formatter.h"

namespace sluice::config {

// Nothing is escaped, and what is missing is empty. `bodies`: as of compileFormat(). Nothing after reporting.
std::optional<stream::TextFormatter> compileValueFormat(const std::string& text, const Context& context,
                                                        stream::BodyPaths* bodies = nullptr);

class FormattedValue final : public route::ValueFormatter {
 public:
  explicit FormattedValue(stream::TextFormatter formatter) : formatter_(std::move(formatter)) {}
  void format(const stream::FormatContext& context, std::string& out) const override {
    formatter_.format(context, out);
  }

 private:
  const stream::TextFormatter formatter_;
};

}  // namespace sluice::config
