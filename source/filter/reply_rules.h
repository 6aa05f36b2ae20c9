// What the configuration makes of answers that are made here: the first rule that takes one changes it, then its body
// goes through a format. (proto: HttpConnectionManager.local_reply_config)
//
// Immutable, shared by all workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "source/filter/local_reply.h"
#include "source/route/mutation.h"
#include "source/stream/access_log.h"
#include "source/stream/body_format.h"

namespace sluice::filter {

struct ReplyRule {
  std::shared_ptr<const stream::AccessLogFilter> filter;  // which answers it takes; never null
  std::optional<uint16_t> status;
  std::optional<std::string> body;
  std::shared_ptr<const stream::BodyFormat> format;  // null: that of all rules
  route::HeaderMutations headers;
};

class ReplyRules final : public ReplyMapper {
 public:
  // `format` of all bodies; null: they go as they are.
  ReplyRules(std::vector<ReplyRule> rules, std::shared_ptr<const stream::BodyFormat> format)
      : rules_(std::move(rules)), format_(std::move(format)) {}

  // Streamed answers stay as they are, and those that are `as_asked`.
  void map(Reply& reply, Stream& stream) const override;

 private:
  const std::vector<ReplyRule> rules_;
  const std::shared_ptr<const stream::BodyFormat> format_;
};

}  // namespace sluice::filter
