#include "source/filter/rbac/request.h"

#include "source/route/matchers.h"
#include "source/route/table.h"

namespace sluice::filter::rbac {

RequestSubject::RequestSubject(const http::RequestHeaders& headers, Context& context, uint8_t needs)
    : exchange_(headers, &context.info(), needs) {
  subject_.data = exchange_.data();
  subject_.path = headers.pathOnly();
  subject_.upstream = context.attemptHost();
  const route::Table* const table = context.route().table;
  if (table != nullptr && table->ignoresPathParameters()) {
    subject_.path = route::withoutParameters(subject_.path, context.arena());
  }
}

}  // namespace sluice::filter::rbac
