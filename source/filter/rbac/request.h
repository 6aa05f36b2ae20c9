// A request of a stream as rules see it. On the stack, for one decision. Thread: the worker of the stream.
#pragma once

#include <cstdint>

#include "source/filter/context.h"
#include "source/filter/rbac/rules.h"
#include "source/match/exchange.h"

namespace sluice::filter::rbac {

class RequestSubject {
 public:
  // `needs`: bits of match::Part, of all rules that will be asked.
  RequestSubject(const http::RequestHeaders& headers, Context& context, uint8_t needs);

  const Subject& subject() const { return subject_; }

 private:
  const match::Exchange exchange_;  // has the addresses that subject_ points to
  Subject subject_;
};

}  // namespace sluice::filter::rbac
